"""The command that makes a cell again: what its stamp ends with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbench.catalog import recipe
from genbench.runs.config import ANCHORS
from genbench.runs.overrides import Overrides, moved, option_name, picked
from genbench.runs.suite import Suite
from genbench.training.precision import AUTO

if TYPE_CHECKING:
    from genbench.runs.config import Cell


def verbatim(line: str, cell: Cell, spent: Mapping[str, Any]) -> str:
    """Return ``line``, a line for the shell that is known word for word, whatever the cell."""
    return line


@dataclass(frozen=True)
class Replay:
    """The way in which a run was asked for, and so how to ask for each of its cells alone.

    Args:
        name: the name of the suite, or its path.
        suite: the suite as it was read.
        overrides: the command line's changes to it.
        root: the folder of data sets, if one was given.
    """

    name: str
    suite: Suite
    overrides: Overrides = field(default_factory=Overrides)
    root: Path | None = None

    def command(self, cell: Cell, spent: Mapping[str, Any]) -> str:
        """Return a line for the shell that makes ``cell``, and trains for what it ``spent``: ``{"steps": 1200}``.

        It asks for nothing that the cell's recipe would refuse: an option that other rows have, a precision that
        anchors do without.
        """
        asked = self.overrides
        given: dict[str, Any] = {"dataset": asked.dataset, "size": asked.size, "alpha": asked.alpha}
        given |= {"data-dir": self.root}
        given |= {"recipe": self._name(cell), "seed": cell.seed}
        options: list[str] = []
        if cell.recipe != ANCHORS:
            auto = (asked.precision or self.suite.precision) == AUTO  # which elsewhere may come to another
            given["precision"] = cell.precision if auto else asked.precision
            given |= {"devices-per-cell": asked.devices, "labelled": asked.labelled, "effort": asked.effort, **spent}
            given |= {"checkpoint": asked.checkpoint}
            known = recipe(cell.recipe).options()
            options = [word for item in asked.options if option_name(item) in known for word in ("--set", item)]
        given |= {"measures": ",".join(cell.measures) if cell.left_out else None}
        given |= {"device": cell.device, "out": "again"}
        words = [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]
        return shlex.join(["genbench", "run", self.name, *options, *words])

    def _name(self, cell: Cell) -> str:
        """Return the shortest name by which ``--recipe`` picks this cell's row, and no other's."""
        suite = moved(self.suite, self.overrides.dataset)
        alone = [(row.label, row.dataset) for row in picked(suite, [cell.label])] == [(cell.label, cell.dataset)]
        return cell.label if alone else f"{cell.label} on {cell.dataset}"
