"""What unfinished cells, and finished ones that are to be trained on, have to be for a training to go on from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from genbench.errors import complaint
from genbench.files import linked
from genbench.records import layout
from genbench.records.history import read_lines
from genbench.records.record import Record
from genbench.records.stamp import EARLIER
from genbench.runs.config import ANCHORS, Cell
from genbench.runs.storage import check_there
from genbench.training.checkpoint import extends, read_training


def configuration_of(path: Path) -> dict[str, Any]:
    """Return the configuration of a cell that is not finished; ``ValueError`` where the file holds something else."""
    try:
        return TypeAdapter(dict[str, Any]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path}: {complaint(error)}; delete it, and the cell begins again") from error


def has_training(unfinished: Path) -> bool:
    """Return whether an unfinished folder can be gone on with, by the training in it or in a storage that it names."""
    return (unfinished / layout.TRAINING).is_file() or (unfinished / layout.AWAY).is_file()


def check_resumable(unfinished: Path) -> None:
    """Refuse, in one line, a training or a history that cannot be gone on with."""
    if not (unfinished / layout.TRAINING).is_file() and (unfinished / layout.AWAY).is_file():
        check_there(unfinished)
    else:
        try:
            read_training(unfinished / layout.TRAINING)
        except ValueError as error:
            raise ValueError(f"{error}; delete it, and the cell begins again") from error
    if (unfinished / layout.HISTORY).is_file():
        try:
            read_lines(unfinished / layout.HISTORY)
        except ValueError as error:
            raise ValueError(f"{error}; delete it, and it begins where the training goes on") from error


def trains_on(cell: Cell, other: Mapping[str, Any], folder: Path) -> bool:
    """Return whether a finished cell had less of the same budget, and left the state of its training."""
    if cell.recipe == ANCHORS or not (folder / layout.MODEL).is_file() or not (folder / layout.TRAINING).is_file():
        return False
    return extends(cell.configuration, EARLIER | dict(other)) and Record.read(folder).status == "done"


def check_training(folder: Path) -> None:
    """Refuse, in one line, the state of a finished training that cannot be gone on with."""
    try:
        read_training(folder / layout.TRAINING)
    except ValueError as error:
        raise ValueError(f"{error}; without it the cell cannot be trained on, and --fresh trains it again") from error


def longer(cell: Cell, unfinished: Path) -> bool:
    """Return whether an unfinished folder holds a training of a cell with more of its budget, cut off."""
    if cell.recipe == ANCHORS or not has_training(unfinished) or linked(unfinished):
        return False
    try:
        return extends(configuration_of(unfinished / layout.CONFIGURATION), EARLIER | cell.configuration)
    except (OSError, ValueError):
        return False
