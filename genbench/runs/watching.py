"""What a training does on validation images while it goes on, and the weights that did best by it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Generator, Tensor

from genbench import catalog
from genbench.errors import complaint, out_of_memory
from genbench.features import Extractor
from genbench.implicit import ImplicitModel
from genbench.interface import GenerativeModel
from genbench.metrics.fid import fid
from genbench.narrow import measuring
from genbench.records import layout
from genbench.records.history import read_lines
from genbench.runs import measures
from genbench.runs.conditions import asked, conditions
from genbench.runs.config import BEST, Cell
from genbench.seed import generator, kept_rng
from genbench.spec import Splits
from genbench.training import checkpoint
from genbench.training.config import Progress
from genbench.training.precision import products

if TYPE_CHECKING:
    from genbench.data import Dataset

LOOKS = 10  # over the whole budget
IMAGES = 300  # of the validation split, and so many samples, at each
BITS, FID = "validation/bits_per_dim", "validation/fid"  # as histories and curves call them


class Best(BaseModel):
    """The place in a training whose weights are kept: the batches before it, and what was least there."""

    model_config = ConfigDict(extra="forbid")

    step: int
    figure: str
    value: float


def decides(recipe: str) -> str:
    """Return the figure that says which weights are best: bits/dim where they are exact or a bound, else FID."""
    return FID if catalog.recipe(recipe).likelihood == "estimate" else BITS


class Watch:
    """A part of a training's logs: what its model does on the validation split, a few times over the whole budget.

    Nothing of the training depends on it: it draws from generators of its own, and its seconds are not counted. The
    weights that do best are kept beside the checkpoint, where the cell asks for them.

    Args:
        cell: the cell.
        model: the model, which is in training.
        dataset: the data set with the labels that it learns from.
        folder: the unfinished folder of the cell.
        at: the batches behind which to look; None for each tenth of the budget.
    """

    def __init__(
        self,
        cell: Cell,
        model: GenerativeModel,
        dataset: Dataset,
        folder: Path,
        at: Sequence[int] | None = None,
    ) -> None:
        self.cell = cell
        self.model = model
        self.dataset = dataset
        self.path = folder / layout.BEST
        self.at = at
        self.figures = {FID} if "fid" in cell.watch else set()
        self.figures |= {decides(cell.recipe)} if cell.checkpoint == BEST else set()
        self.best: Best | None = None
        self.begun = False

    def __call__(self, progress: Progress) -> Mapping[str, Tensor]:
        """Return what is seen behind this round, by its log's name; nothing where no look is due."""
        if not self.begun:
            self.begun = True
            self.best = self._remembered(progress.step)
        if not self.figures or not self._due(progress):
            return {}
        with _looking(self.model), products(self.model.device.type, tf32=False):
            seen = self._seen()
        if self.cell.checkpoint == BEST:
            figure = decides(self.cell.recipe)
            if seen[figure] < (math.inf if self.best is None else self.best.value):
                if self.best is not None:
                    self.path.replace(self._earlier)
                self.best = Best(step=progress.step, figure=figure, value=seen[figure])
                checkpoint.save(self.path, self.model, best=self.best.model_dump_json())
        return {name: torch.tensor(value) for name, value in seen.items()}

    @property
    def _earlier(self) -> Path:
        """The file of the weights that were best before those that are."""
        return self.path.with_name(f"earlier-{self.path.name}")

    def _remembered(self, step: int) -> Best | None:
        """Return what was best before ``step``.

        Weights of steps that a training by the clock, cut off and gone on with, will not come to again are dropped.
        """
        for path in (self.path, self._earlier) if "seconds" in self.cell.budget else ():
            best = read(path)
            if best is not None and best.step >= step:
                path.unlink()
        if not self.path.is_file() and self._earlier.is_file():
            self._earlier.replace(self.path)
        return read(self.path)

    def _due(self, progress: Progress) -> bool:
        if self.at is not None:
            return progress.step in self.at
        return int(progress.fraction * LOOKS) > int(progress.before * LOOKS)

    def _seen(self) -> dict[str, float]:
        """Return the figures; not a number where one cannot be told, which is no reason for a training to end."""
        seen = dict.fromkeys(sorted(self.figures), math.nan)
        try:
            model = self._finished()
            for name in seen:
                seen[name] = self._bits(model) if name == BITS else self._fid(model)
        except (ValueError, RuntimeError) as error:
            if out_of_memory(error):
                raise
        return seen

    def _finished(self) -> GenerativeModel:
        """Return a copy with what is only set behind the last phase, where samples or likelihoods looked at need it."""
        if isinstance(self.model, ImplicitModel):  # there it is of an estimated likelihood alone
            return self.model
        model = deepcopy(self.model)
        finish(model, self.dataset, generator(self.cell.seed, "watch", "finish", device=model.device))
        return model

    def _bits(self, model: GenerativeModel) -> float:
        validation = self.dataset.validation
        how = {"draws": self.cell.draws, "limit": IMAGES, "seed": self.cell.seed}
        return measures.likelihood(model, validation, name="watch", **how).bpd

    def _fid(self, model: GenerativeModel) -> float:
        """Return the FID of samples against the validation split."""
        cell = self.cell
        given = asked(cell.given, self.dataset, min(IMAGES, len(self.dataset.validation)), of="validation")
        noise = generator(cell.seed, "watch")
        samples = model.sample(len(given), **conditions(given, cell.given), generator=noise).cpu()
        network, real = self._judge
        return fid(real, network.features(samples, self.dataset.spec.levels).features).fid

    @cached_property
    def _judge(self) -> tuple[Extractor, Tensor]:
        """The extractor, and its features of the validation split."""
        network = measures.extractor(self.cell.extractor, self.dataset, measuring(self.cell.device))
        return network, measures.real(network, self.dataset.validation.images, self.dataset.spec).features


@contextmanager
def _looking(model: GenerativeModel) -> Iterator[None]:
    """Hold a model still in the middle of its training: in evaluation mode, drawing from nothing that training uses."""
    learns = {parameter: parameter.requires_grad for parameter in model.parameters()}
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with kept_rng():
            yield
    finally:
        for module, training in modes.items():
            module.training = training
        for parameter, learned in learns.items():
            parameter.requires_grad_(learned)


def read(path: Path) -> Best | None:
    """Return of where in a training the weights in a file are; None where there is none.

    Raises:
        ValueError: for a file of anything else.
    """
    if not path.is_file():
        return None
    try:
        return Best.model_validate(json.loads(checkpoint.read_tensors(path)[1]["best"]))
    except (KeyError, ValidationError, json.JSONDecodeError) as error:
        why = complaint(error) if isinstance(error, ValidationError) else "its header does not say of which step"
        raise ValueError(f"{path}: not the best weights of a training ({why}); delete it") from error


def take_best(cell: Cell, model: GenerativeModel, learned: Dataset, folder: Path) -> Best | None:
    """Give a trained model the weights that did best, where its cell asks for them, and finish it again.

    Raises:
        ValueError: for a file of other weights, or where nothing was seen that is a number.
    """
    if cell.checkpoint != BEST:
        return None
    best = read(folder / layout.BEST)
    if best is None:
        raise ValueError(f"no {decides(cell.recipe)} of this training was a number, so none of its weights is best")
    model.load_state_dict(checkpoint.read_tensors(folder / layout.BEST)[0])
    model.eval()
    with kept_rng():
        finish(model, learned, generator(cell.seed, "best", device=model.device))
    for path in folder.glob(f"{layout.BEST.parent}/earlier-*"):
        path.unlink()
    return best


def finish(model: GenerativeModel, dataset: Dataset, noise: Generator) -> None:
    """Set what a model has behind its last phase, on the device where it is."""
    model.finish(Splits(dataset.train.to(model.device), dataset.validation.to(model.device)), noise)


def looks(history: Path) -> tuple[int, ...]:
    """Return the batches behind which a training was looked at, by its history.

    Raises:
        ValueError: for a file that is no history.
    """
    rows = read_lines(history) if history.is_file() else []
    return tuple(int(row["step"]) for row in rows if row.get(BITS) or row.get(FID))
