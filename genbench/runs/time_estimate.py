"""What a cell will take: time to train by a few rounds that are thrown away, the rest by what it is that is measured.

An estimated likelihood takes many gradients of the model's own, one of which is timed. What else measuring costs is a
guess for two slow cores and small images, by what the cells of ``results/reference`` took; a run corrects all of it by
each cell that it has done.
"""

from __future__ import annotations

import time
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, cast

import torch

from genbench.catalog import recipe
from genbench.data.dataset import SPLITS
from genbench.implicit import SEARCH_IMAGES, SEARCH_RESTARTS, SEARCH_STEPS, ImplicitModel
from genbench.interface import GenerativeModel, Step, frozen
from genbench.likelihood.ais import Point
from genbench.likelihood.cost import of_estimate
from genbench.likelihood.laplace import AT_ONCE, STARTS
from genbench.memory import holds
from genbench.runs.config import Cell
from genbench.runs.likelihoods import anneals
from genbench.seed import fork_rng, generator
from genbench.spec import Splits
from genbench.training.config import Budget, FitConfig, Progress

if TYPE_CHECKING:
    from genbench.data import Dataset
    from genbench.spec import Split

SECONDS = 3.0
ROUNDS = 8
ANNEALED, DIRECT = "annealed", "direct"  # the two kinds of estimates: by chains, and as it stands
UNANSWERED = "unanswered"  # of translations whose sources belong to no image
LIKELIHOODS = {
    "exact": 3.0,
    "bound": 2.5,
    DIRECT: 0.5,
    UNANSWERED: 0.0,
}  # seconds, of a thousand test and as many training images
GRADIENT = 2.5e-4  # seconds of one of an image's likelihood, by small networks
DECODING = 0.3  # of the time of a gradient
TRIES = 3  # of a gradient that is timed; the first warms up
ENTERED = 256  # images with which phases are entered
BASE_BYTES = 600 * 2**20  # of a process that has imported torch and measures


class _Enough(Exception):
    """A signal that the timed training has seen enough."""


def fit_seconds(model: GenerativeModel, dataset: Dataset, cell: Cell) -> float:
    """Return the seconds that a budget in images or steps should take; 0 where trying costs more than training."""
    rounds = Budget(**cell.budget).rounds(min(cell.batch_size, len(dataset.train))) or 0
    return rounds * timed_round(model, dataset, cell) if rounds > 2 * ROUNDS else 0.0


def timed_round(model: GenerativeModel, dataset: Dataset, cell: Cell) -> float:
    """Return the seconds a round takes, from a few that are thrown away; 0 where the model does not learn so far."""
    times: list[float] = []
    began = time.monotonic()

    def heard(progress: Progress) -> None:
        times.append(progress.seconds)
        if len(times) > ROUNDS or time.monotonic() - began > SECONDS:
            raise _Enough

    try:
        config = FitConfig(Budget(steps=ROUNDS + 2), cell.batch_size, cell.seed, precision=cell.precision)
        splits = dataset.with_labels(cell.labelled).splits
        model.to(cell.device).fit(splits, config, callbacks=[heard])
    except _Enough:
        pass
    except Exception:  # the cell itself will say what is wrong, and the others go on
        return 0.0
    # The first round warms up: it says nothing of the others unless it is the only one.
    return (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else times[-1] if times else 0.0


def kind_of(cell: Cell, model: GenerativeModel, dataset: Dataset) -> str:
    """Return what cells have in common that take about as long to measure: how their likelihood comes about."""
    if dataset.spec.translates(model.given) and not dataset.aligned:
        return UNANSWERED
    said = recipe(cell.recipe).likelihood
    return said if said != "estimate" else ANNEALED if anneals(model) else DIRECT


def anchor_seconds(cell: Cell, train: int) -> float:
    """Return the seconds that the anchors' cell of a data set of ``train`` training images should take."""
    if cell.twin is not None:
        return 1.0
    features = 0.001 * train + 0.005 * cell.samples
    return ("nll" in cell.measures) * 0.01 * cell.likelihoods + ("fid" in cell.measures) * features


def measure_seconds(cell: Cell, model: GenerativeModel, dataset: Dataset) -> float:
    """Return the seconds that all but the training of a recipe's cell should take."""
    seconds = 1.0 + ("fid" in cell.measures) * 0.003 * cell.samples + ("speed" in cell.measures) * cell.timing / 2
    if "nll" not in cell.measures:
        return seconds
    if (how := kind_of(cell, model, dataset)) != ANNEALED:
        return seconds + LIKELIHOODS[how] * cell.likelihoods / 1000
    return seconds + (chain_seconds(model, dataset, cell) if isinstance(model, ImplicitModel) else 0.0)


def chain_seconds(model: ImplicitModel, dataset: Dataset, cell: Cell) -> float:
    """Return the seconds that the search for the observation's noise, an estimate and its gap should take."""
    slopes = min(model.latents, model.spec.dimensions)
    cost = of_estimate(cell.effort, cell.estimated, slopes, model.categories)
    rows = SEARCH_IMAGES * SEARCH_STEPS * max(SEARCH_RESTARTS, model.categories)
    each = timed_gradient(model, dataset, cell) if cell.device == "cpu" else GRADIENT
    return each * (rows + cost.gradients + DECODING * cost.decodings)


def timed_gradient(model: ImplicitModel, dataset: Dataset, cell: Cell) -> float:
    """Return the seconds that the gradient of an image's likelihood takes, of as many at once as a search begins with.

    It is of a copy that has entered all phases, since some models are smaller before, with a few images for data. That
    of a usual model is returned where this one does not come so far: the cell itself will say what is wrong.
    """
    count = min(STARTS * cell.estimated, AT_ONCE)
    noise = generator(0, "time")
    times: list[float] = []
    try:
        whole = dataset.with_labels(cell.labelled).splits
        train, validation = (cast("Split", part.rows(slice(ENTERED))) for part in (whole.train, whole.validation))
        model = deepcopy(model)
        with fork_rng(0):
            for phase in model.phases():
                if phase.enter is not None:
                    phase.enter(Splits(train, validation), Step(0, 0.0, noise))
        with frozen(model):
            batch = model.hidden(dataset.test.rows(torch.arange(count) % len(dataset.test)), noise)
            u = model.draw_noise(count, noise)
            while len(times) < TRIES and sum(times) < SECONDS:
                began = time.perf_counter()
                Point.at(partial(model.observe, batch=batch), u)
                times.append(time.perf_counter() - began)
    except Exception:
        return GRADIENT
    return min(times) / count


def memory_bytes(dataset: Dataset, model: GenerativeModel | None = None) -> int:
    """Return the bytes of memory that a cell may take: torch, the data and a copy, and what is kept of each weight.

    That is the weight, its gradient, two moments and a checkpoint, with a margin for activations.
    """
    splits = [split for name in SPLITS if (split := getattr(dataset, name)) is not None]
    images = sum(part.nbytes for split in splits for part in (split.images, split.sources) if part is not None)
    images = images if holds(images) else 0  # mapped
    weights = 0 if model is None else sum(value.nbytes for value in model.state_dict().values())
    return BASE_BYTES + 2 * images + 10 * weights
