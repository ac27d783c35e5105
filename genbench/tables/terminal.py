"""The table in a terminal: with as many columns as there is room for, or those that are named, in several parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from string import ascii_lowercase
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from genbench.tables.captions import Note, by_dataset, footnotes, letters, title
from genbench.tables.columns import ALL, DEFAULT, columns
from genbench.tables.figure import Column
from genbench.tables.texts import ABSENT, Row
from genbench.tables.view import View

RAISED = str.maketrans(ascii_lowercase, "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖqʳˢᵗᵘᵛʷˣʸᶻ")


def show(rows: Sequence[Row], console: Console, view: View) -> None:
    """Print each data set's table, with as many of the columns of ``view`` as the terminal has room for.

    Columns that are named in ``view`` are all printed: what has no room stands in a further part, behind the labels.
    """
    cut = False
    named = view.columns not in ((DEFAULT,), (ALL,))
    every: list[Column] = []
    tables = []
    for _, mine in by_dataset(rows):
        shown = columns(mine, view.columns)
        while not named and _width(mine, shown, console) > console.width and (drop := max(c.drop for c in shown)):
            shown = [column for column in shown if column.drop != drop]
            cut = True
        every += shown
        tables += [(mine, part) for part in (_parts(mine, shown, console) if named else [shown])]
    detail = view.detail("terminal")
    marks = letters(rows, every) if detail != "none" else {}
    for mine, shown in tables:
        loose, tight = (_width(mine, shown, console, marks, tight=tight) for tight in (False, True))
        console.print(_table(mine, shown, marks, tight=loose > console.width >= tight))
    for note in footnotes(rows, every, detail):
        console.print(Text(_said(note), style="yellow" if note.warning else "dim"))
    ways = ["genbench table DIR --columns all"] * (view.columns == (DEFAULT,)) + ["a wider terminal"] * cut
    if ways:
        console.print(Text(f"More columns: {', or '.join(ways)}.", style="dim"))


def _parts(rows: Sequence[Row], shown: Sequence[Column], console: Console) -> Iterator[list[Column]]:
    """Yield columns in their order, as many at a time as there is room for, each time behind the first."""
    marks = dict.fromkeys([column.key for column in shown], "a")  # room for a letter behind each
    part = list(shown[:1])
    for column in shown[1:]:
        if len(part) > 1 and _width(rows, [*part, column], console, marks) > console.width:
            yield part
            part = list(shown[:1])
        part.append(column)
    yield part


def _said(note: Note) -> str:
    return f"{note.mark.translate(RAISED)} {note.text}" if note.mark else note.text


def _width(
    rows: Sequence[Row],
    shown: Sequence[Column],
    console: Console,
    marks: Mapping[str, str] | None = None,
    *,
    tight: bool = True,
) -> int:
    """Return the width at which nothing is cut off; where not ``tight``, nor wrapped."""
    options = console.options.update(max_width=10_000)
    return console.measure(_table(rows, shown, marks or {}, tight=tight), options=options).maximum


def _table(rows: Sequence[Row], shown: Sequence[Column], marks: Mapping[str, str], *, tight: bool) -> Table:
    """Return the table; ``tight`` where headings and long texts are to wrap: rich by itself would cut short ones."""
    table = Table(
        title=Text(title(rows), style="bold"), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for column in shown:
        head = column.head + marks.get(column.key, "").translate(RAISED)
        head = head.replace("-", "-\n") if tight else head
        words = [*(column.cell(row) for row in rows), *head.split()]
        side: Literal["left", "right"] = "right" if column.right else "left"
        least = min(40, max(map(len, words)))
        width = least if tight else None
        table.add_column(Text(head), justify=side, vertical="bottom", min_width=least, width=width)
    for index, row in enumerate(rows):
        if row["status"] == "anchor" and index and rows[index - 1]["status"] != "anchor":
            table.add_section()
        style = {"anchor": "dim", "diverged": "yellow", "failed": "red"}.get(row["status"], "")
        cells = [Text(c.cell(row) or ABSENT, style="bold" if c.bold(row) else "") for c in shown]
        table.add_row(*cells, style=style)
    return table
