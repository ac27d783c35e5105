"""What commands share: their arguments, the console, and lists of rows."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console


DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of MNIST, CIFAR-10 and the like; else $GENBENCH_DATA.")
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train and measure.")]
Alpha = Annotated[
    str | None,
    typer.Option(help="Behind transparent pixels of images in folders: white (default), #rrggbb …, or refuse."),
]
CellPath = Annotated[Path, typer.Argument(help="Folder of a finished cell: DIR/cells/DATASET/LABEL/seed-N.")]


def console() -> Console:
    """Return a console that prints to standard output."""
    from rich.console import Console

    # Elsewhere than on a terminal, a table's columns are not squeezed into the 80 that rich assumes.
    return Console(width=None if sys.stdout.isatty() else 200)


def listed(title: str, rows: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Print mappings, a row each, with a column for every name that one of them has."""
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=title, title_justify="left")
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        shown.add_column(name, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_said(row.get(name))) for name in names))
    console().print(shown)


def _said(value: object) -> str:
    return "" if value is None else ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
