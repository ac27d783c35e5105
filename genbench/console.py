"""What commands share: their arguments, the console, and lists of rows."""

from __future__ import annotations

import codecs
import errno
import json
import os
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO, cast

import typer

if TYPE_CHECKING:
    from rich.console import Console


DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of MNIST, CIFAR-10 and the like; else $GENBENCH_DATA.")
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    typer.Option(help="Where to train and measure; with mps, Apple's, the processor measures."),
]
READABLE = "genbench.readable"
PLAIN = {
    **{"×": "x", "·": ".", "−": "-", "–": "-", "…": "...", "±": "+-", "≤": "<=", "≥": ">=", "≈": "~", "∞": "inf"},
    **{"→": "->", "←": "<-", "↓": "v", "↑": "^", "σ": "sigma", "Σ": "sum", "β": "beta", "κ": "kappa", "√": "sqrt"},
    **{"‘": "'", "’": "'", "“": '"', "”": '"', "━": "-", "╸": "-", "╺": "-", "─": "-", "•": "*", "⚠": "!"},
}
GONE = (errno.EPIPE, errno.EIO)  # the reader of a pipe, a terminal
Alpha = Annotated[
    str | None,
    typer.Option(
        help="Behind transparent pixels of images in folders: #rrggbb …, refuse, or white; by default a cell's own."
    ),
]
CellPath = Annotated[Path, typer.Argument(help="Folder of a finished cell: DIR/cells/DATASET/LABEL/seed-N.")]


class Lasting:
    """A text stream that outlives its reader: once nobody reads on, the rest goes nowhere, and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a stream has
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text, or lose it."""
        try:
            return self.stream.write(text)
        except OSError as error:
            return self._lost(error, len(text))

    def flush(self) -> None:
        """Hand on what was written, or lose it."""
        try:
            self.stream.flush()
        except OSError as error:
            self._lost(error, 0)

    def _lost(self, error: OSError, count: int) -> int:
        if error.errno not in GONE:
            raise error
        silence(self.stream)
        return count


def silence(stream: TextIO) -> None:
    """Lead what is still written to a stream nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def readable(*streams: TextIO) -> None:
    """Let streams replace the characters that their encoding lacks: × by x, − by -."""
    for stream in streams:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=READABLE)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(map(_plain, letters)), error.end


def _plain(letter: str) -> str:
    """Return an ASCII text for a character: é is e, ² is 2; a question mark where none says it."""
    plain = PLAIN.get(letter) or unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return plain or "?"


codecs.register_error(READABLE, _replaced)


def console() -> Console:
    """Return a console that prints to standard output, in any encoding, and for as long as the work takes."""
    from rich.console import Console

    readable(sys.stdout)
    # Elsewhere than on a terminal, a table's columns are not squeezed into the 80 that rich assumes.
    return Console(file=cast("TextIO", Lasting(sys.stdout)), width=None if sys.stdout.isatty() else 200)


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
