"""What a cell will take: time to train by a few rounds that are thrown away, the rest by what it is that is measured.

What measuring costs is a guess for two slow cores and small images, by what the cells of ``results/reference`` took; a
run corrects it by each cell that it has done.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from genbench.catalog import recipe
from genbench.data.dataset import SPLITS
from genbench.implicit import ImplicitModel
from genbench.interface import GenerativeModel
from genbench.memory import holds
from genbench.runs.config import Cell
from genbench.runs.likelihoods import anneals
from genbench.training.config import Budget, FitConfig, Progress

if TYPE_CHECKING:
    from genbench.data import Dataset

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
CHAINS = 24.0  # seconds, of ten images at the least effort
BASE_BYTES = 600 * 2**20  # of a process that has imported torch and measures
EFFORTS = {"fast": 1.0, "standard": 20.0, "paper": 1000.0}  # times these


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
    categories = model.categories if isinstance(model, ImplicitModel) else 1  # each has chains of its own
    return seconds + CHAINS * EFFORTS[cell.effort] * cell.estimated / 10 * categories


def memory_bytes(dataset: Dataset, model: GenerativeModel | None = None) -> int:
    """Return the bytes of memory that a cell may take: torch, the data and a copy, and what is kept of each weight.

    That is the weight, its gradient, two moments and a checkpoint, with a margin for activations.
    """
    splits = [split for name in SPLITS if (split := getattr(dataset, name)) is not None]
    images = sum(part.nbytes for split in splits for part in (split.images, split.sources) if part is not None)
    images = images if holds(images) else 0  # mapped
    weights = 0 if model is None else sum(value.nbytes for value in model.state_dict().values())
    return BASE_BYTES + 2 * images + 10 * weights
