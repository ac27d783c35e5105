"""What a cell is told: its configuration, which decides its figures, and its setting, which does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from genbench.errors import printable
from genbench.image_file import WHITE
from genbench.records.stamp import EARLIER

if TYPE_CHECKING:
    from genbench.data import Dataset
    from genbench.training.config import Trace


ANCHORS = "anchors"  # a data set's rows that nobody trains: one cell for all of them


EVALUATED = "evaluated"  # the recipe of samples whose model was not trained here


# What may be left out by somebody in a hurry: likelihoods; FID and all else that samples give; the speed of drawing.
SPEED = "speed"
GROUPS = ("nll", "fid", SPEED)


# Which weights of a training are measured.
LAST, BEST = "last", "best on validation"

WATCHED = ("fid",)  # what may be looked at, on validation images, while a training goes on


def checked_label(text: str) -> str:
    """Return a label, or another text that tables and terminals show.

    Raises:
        ValueError: for one with characters that move or colour a terminal.
    """
    if printable(text) != text:
        raise ValueError("holds control characters; take them out")
    return text


def checked_groups(names: Iterable[str]) -> tuple[str, ...]:
    """Return the groups of these names, in the order of :data:`GROUPS`.

    Raises:
        ValueError: for a name that is none of them.
    """
    wanted = list(names)
    for name in wanted:
        if name not in GROUPS:
            raise ValueError(f"measures: unknown {name!r}: give some of {', '.join(GROUPS)}; fid brings its kin")
    return tuple(name for name in GROUPS if name in wanted)


class Cell(BaseModel):
    """The configuration of a cell: two runs of equal cells are the same experiment.

    Args:
        dataset: the data set's name, as asked; ``size``, ``alpha`` and ``data``, the hash of each split, say what that
            was.
        recipe: the catalogue's name, or :data:`ANCHORS`.
        label: the label of the row.
        options: the recipe's options.
        labelled: the number of training images that keep their label, if not all do.
        given: what the model that recipe and options make is given.
        twin: the data set of the run with the same images and labels, for anchors, which are then the same. Like
            ``given`` it follows from the rest.
        measures: the groups of figures that are measured, of :data:`GROUPS`: what is left out changes no other.
        owed: the groups of figures that wait until the cell is alone on its machine.
        seed: the seed of weights, training and samples.
        budget: the budget: ``{"seconds": 60.0}``, or images, or steps.
        batch_size: the number of images a batch.
        extractor: the name of the feature extractor.
        precision: the arithmetic of training.
        samples: the number of samples drawn.
        likelihoods: the number of images of each split for an exact likelihood or a bound.
        draws: the number of importance weights an image for a bound.
        estimated: the number of test images for an estimate.
        effort: the effort of the chains of an estimated likelihood.
        timing: the most seconds that speed is measured for.
        device: the device, ``"cpu"`` or ``"cuda"``.
        devices: the number of such devices that share each batch of its training.
        checkpoint: the weights that are measured, :data:`LAST` or :data:`BEST`.
        watch: the figures, of :data:`WATCHED`, that its history has of validation images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    size: int | None
    alpha: str = WHITE
    data: dict[str, str]
    recipe: str
    label: str
    options: dict[str, Any]
    labelled: int | None
    given: tuple[str, ...]
    twin: str | None = None
    measures: tuple[str, ...] = GROUPS
    owed: tuple[str, ...] = ()
    seed: int
    budget: dict[str, Any]
    batch_size: int
    extractor: str
    precision: str
    samples: int
    likelihoods: int
    draws: int
    estimated: int
    effort: str = "fast"
    timing: float
    device: str
    devices: int = 1
    checkpoint: str = LAST
    watch: tuple[str, ...] = ()

    @property
    def configuration(self) -> dict[str, Any]:
        """All that decides the figures, as JSON has it."""
        return self.model_dump(mode="json", exclude={"given", "twin", "measures", "owed", "watch"})

    @property
    def left_out(self) -> list[str]:
        """The groups of figures that nobody asked for."""
        return [name for name in GROUPS if name not in (*self.measures, *self.owed)]

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Return the differences from another configuration, in words; empty where they are the same."""
        mine = self.configuration
        other = EARLIER | dict(other)
        return [
            f"{key} was {other.get(key)!r} and is now {mine.get(key)!r}"
            for key in dict.fromkeys((*mine, *other))
            if mine.get(key) != other.get(key)
        ]


@dataclass(frozen=True)
class Company:
    """The other cells of a machine: ``jobs``, how many it has room for at once, with this one, of ``cores`` each."""

    jobs: int
    cores: int


@dataclass(frozen=True)
class Setting:
    """The things that a cell must know and that do not change its figures.

    Args:
        title: the title of the suite.
        root: the folder of data sets.
        revision: the git revision, for the stamp.
        command: a function of a cell and what it spent: the line for the shell that makes it again, for the stamp.
        trace: the steps and fractions of the training that this one repeats.
        threads: the number of torch's threads; None for as many as it takes by itself.
        tensorboard: whether logs are also written for TensorBoard.
        company: the company in which a model is trained; None for one that is alone on its machine.
        looks: the batches behind which the training that this one repeats was looked at; None for its tenths.
        logged: whether what a cell prints goes into its folder instead of to the terminal.
        dataset: the data set, where it is brought along; None where it is loaded by its name.
    """

    title: str
    root: Path | None
    revision: str | None
    command: Callable[[Cell, Mapping[str, Any]], str]
    trace: Trace | None = None
    threads: int | None = None
    tensorboard: bool = False
    company: Company | None = None
    looks: tuple[int, ...] | None = None
    logged: bool = False
    dataset: Dataset | None = None

    def data(self, cell: Cell) -> Dataset:
        """Return the data set of ``cell``.

        Raises:
            ValueError: for one that is not here, or is not the one that the cell was planned with.
        """
        from genbench import data
        from genbench.data.dataset import check_unchanged

        dataset = self.dataset or data.load(cell.dataset, root=self.root, size=cell.size, alpha=cell.alpha)
        check_unchanged(dataset, cell.data)
        return dataset
