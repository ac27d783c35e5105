"""One table, five forms: Markdown, CSV, JSON, HTML, and LaTeX, which has a module of its own, as the terminal has."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from tabulate import tabulate

from genbench.tables.captions import Note, by_dataset, footnotes, header, letters, protocol, title
from genbench.tables.columns import columns
from genbench.tables.figure import Column
from genbench.tables.latex import latex
from genbench.tables.texts import ABSENT, Row
from genbench.tables.tooltips import measured_on
from genbench.tables.view import View


def markdown(rows: Sequence[Row], view: View) -> str:
    """Return a section for each data set, with title, protocol and table; then the footnotes of all."""
    parts = []
    tables = [(mine, columns(mine, view.columns)) for _, mine in by_dataset(rows)]
    every = [column for _, shown in tables for column in shown]
    notes = footnotes(rows, every, view.detail("md"))
    marks = letters(rows, every) if notes else {}
    for mine, shown in tables:
        table = tabulate(
            [[_md_cell(column, row) for column in shown] for row in mine],
            [
                escape_md(column.head) + (f"<sup>{mark}</sup>" if (mark := marks.get(column.key)) else "")
                for column in shown
            ],
            tablefmt="pipe",
            disable_numparse=True,
            colalign=["right" if column.right else "left" for column in shown],
        )
        parts += [f"## {escape_md(title(mine))}", escape_md(header(mine)), table]
    parts.append("\n".join(f"- {_md_note(note)}" for note in notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def _md_head(column: Column, mark: str) -> str:
    return escape_md(column.head) + (f"<sup>{mark}</sup>" if mark else "")


def _md_note(note: Note) -> str:
    mark = f"<sup>{note.mark}</sup> " if note.mark else "⚠ " if note.warning else ""
    return mark + escape_md(note.text)


def _md_cell(column: Column, row: Row) -> str:
    text = escape_md(column.cell(row)) or ABSENT
    if column.key == "label" and row["status"] == "anchor":
        return f"*{text}*"
    return f"**{text}**" if column.bold(row) else text


def escape_md(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))


def comma(rows: Sequence[Row], view: View) -> str:
    """Return all keys of all rows as CSV; lists with spaces between, mappings as JSON, absent empty."""
    from pandas import DataFrame  # only where a table is written: it takes a while to import

    names = list(rows[0]) if rows else []
    cells = [[_csv_cell(row[name]) for name in names] for row in rows]
    # As texts: a column of whole numbers in which one is absent would be written with decimals.
    return str(DataFrame(cells, columns=names, dtype=object).to_csv(index=False, lineterminator="\n"))


FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a text that spreadsheets run begins, blanks aside; ' stops them


def _csv_cell(value: Any) -> str:  # noqa: ANN401 - anything that a row holds
    if isinstance(value, Mapping):
        return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True)
    if isinstance(value, list):
        return " ".join(map(_csv_cell, value))
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" ").startswith(FORMULA) else value
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def to_json(rows: Sequence[Row], view: View) -> str:
    """Return the rows as a JSON list; absent is null, and a number that is not finite a text: ``"Infinity"``."""
    return json.dumps(_plain(rows), indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _plain(value: Any) -> Any:  # noqa: ANN401 - anything that JSON has
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


@cache
def environment() -> Environment:
    """Return the environment of the templates, in which everything is escaped."""
    return Environment(
        loader=PackageLoader("genbench.tables"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def sections(rows: Sequence[Row], view: View) -> list[dict[str, Any]]:
    """Return what the templates read of each data set."""
    return [
        {
            "dataset": name,
            "title": title(mine),
            "protocol": protocol(mine),
            "columns": (shown := columns(mine, view.columns)),
            "rows": mine,
            "marks": letters(mine, shown) if view.detail("html") != "none" else {},
            "footnotes": footnotes(mine, shown, view.detail("html")),
            "absent": ABSENT,
            "measured_on": measured_on,
        }
        for name, mine in by_dataset(rows)
    ]


def html(rows: Sequence[Row], view: View) -> str:
    """Return an HTML fragment: heading, protocol, table and footnotes of each data set."""
    return environment().get_template("table.html").render(sections=sections(rows, view))


FORMATS: dict[str, Callable[[Sequence[Row], View], str]] = {
    "md": markdown,
    "csv": comma,
    "tex": latex,
    "json": to_json,
    "html": html,
}
