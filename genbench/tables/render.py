"""One table, five forms: Markdown, CSV, LaTeX, JSON, HTML; and the terminal's."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tabulate import tabulate

from genbench.tables.captions import footnotes, protocol, title
from genbench.tables.columns import columns
from genbench.tables.figure import Column
from genbench.tables.texts import ABSENT, Row
from genbench.tables.tooltips import measured_on


def by_dataset(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the rows of each data set, in their order."""
    for name in dict.fromkeys(row["dataset"] for row in rows):
        yield name, [row for row in rows if row["dataset"] == name]


def header(rows: Sequence[Row]) -> str:
    """Return the protocol in one line."""
    return "; ".join(f"{name}: {text}" for name, text in protocol(rows))


def markdown(rows: Sequence[Row]) -> str:
    """Return a section for each data set, with title, protocol and table; then the footnotes of all."""
    parts = []
    for _, mine in by_dataset(rows):
        shown = columns(mine)
        table = tabulate(
            [[_md_cell(column, row) for column in shown] for row in mine],
            [escape_md(column.head) for column in shown],
            tablefmt="pipe",
            disable_numparse=True,
            colalign=["right" if column.right else "left" for column in shown],
        )
        parts += [f"## {escape_md(title(mine))}", escape_md(header(mine)), table]
    parts.append("\n".join(f"- {escape_md(note)}" for note in footnotes(rows)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _md_cell(column: Column, row: Row) -> str:
    text = escape_md(column.cell(row)) or ABSENT
    if column.key == "label" and row["status"] == "anchor":
        return f"*{text}*"
    return f"**{text}**" if column.bold(row) else text


def escape_md(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))


def latex(rows: Sequence[Row]) -> str:
    r"""Return a ``table`` for each data set; needs ``booktabs`` and ``graphicx`` (for ``\resizebox``)."""
    parts = ["% needs \\usepackage{booktabs,graphicx}"]
    for name, mine in by_dataset(rows):
        shown = columns(mine)
        body: list[str] = []
        for index, row in enumerate(mine):
            if row["status"] == "anchor" and index and mine[index - 1]["status"] != "anchor":
                body.append(r"\midrule")
            body.append(" & ".join(_tex_cell(column, row) for column in shown) + r" \\")
        parts += [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape_tex(title(mine))}.}}",
            rf"\label{{tab:{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}}}",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in shown)}}}",
            r"\toprule",
            " & ".join(escape_tex(column.head) for column in shown) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\par\smallskip\footnotesize\raggedright",
            *(f"{escape_tex(note)}\\par" for note in [f"Protocol: {header(mine)}.", *footnotes(mine)]),
            r"\end{table}",
        ]
    return "\n".join(parts) + "\n"


TEX = {
    "\\": r"\textbackslash{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "~": r"$\sim$",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "≤": r"$\le$",
    "=": "$=$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "∞": r"$\infty$",
    "−": "$-$",
    "–": "--",
    "…": r"\ldots{}",
    "²": "$^2$",
    "³": "$^3$",
    "₂": "$_2$",
    "→": r"$\to$",
    "Σ": r"$\Sigma$",
    "σ": r"$\sigma$",
    "β": r"$\beta$",
    "κ": r"$\kappa$",
    "⁻": "$^-$",
}


def escape_tex(text: str) -> str:
    """Return a text that LaTeX prints as it is, in one line."""
    return "".join(TEX.get(char, char) for char in " ".join(text.split()))


def _tex_cell(column: Column, row: Row) -> str:
    text = escape_tex(column.cell(row) or ABSENT)
    if column.bold(row):
        return rf"\textbf{{\boldmath {text}}}"
    return rf"\textit{{{text}}}" if column.key == "label" and row["status"] == "anchor" else text


def comma(rows: Sequence[Row]) -> str:
    """Return all keys of all rows as CSV; lists with spaces between, mappings as JSON, absent empty."""
    from pandas import DataFrame  # only where a table is written: it takes a while to import

    names = list(rows[0]) if rows else []
    cells = [[_csv_cell(row[name]) for name in names] for row in rows]
    # As texts: a column of whole numbers in which one is absent would be written with decimals.
    return str(DataFrame(cells, columns=names, dtype=object).to_csv(index=False, lineterminator="\n"))


def _csv_cell(value: Any) -> str:  # noqa: ANN401 - anything that a row holds
    if isinstance(value, Mapping):
        return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True)
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def to_json(rows: Sequence[Row]) -> str:
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


def sections(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return what the templates read of each data set."""
    return [
        {
            "dataset": name,
            "title": title(mine),
            "protocol": protocol(mine),
            "columns": columns(mine),
            "rows": mine,
            "footnotes": footnotes(mine),
            "absent": ABSENT,
            "measured_on": measured_on,
        }
        for name, mine in by_dataset(rows)
    ]


def html(rows: Sequence[Row]) -> str:
    """Return an HTML fragment: heading, protocol, table and footnotes of each data set."""
    return environment().get_template("table.html").render(sections=sections(rows))


FORMATS: dict[str, Callable[[Sequence[Row]], str]] = {
    "md": markdown,
    "csv": comma,
    "tex": latex,
    "json": to_json,
    "html": html,
}


def show(rows: Sequence[Row], console: Console) -> None:
    """Print each data set's table, with as many columns as the terminal has room for."""
    cut = False
    for _, mine in by_dataset(rows):
        shown = columns(mine)
        while _width(mine, shown, console) > console.width and (drop := max(column.drop for column in shown)):
            shown = [column for column in shown if column.drop != drop]
            cut = True
        loose, tight = (_width(mine, shown, console, tight=tight) for tight in (False, True))
        console.print(_terminal(mine, shown, tight=loose > console.width >= tight))
    for note in footnotes(rows):
        console.print(Text(note, style="dim"))
    if cut:
        console.print(Text("More columns: in table.md and the report, or in a wider terminal.", style="dim"))


def _width(rows: Sequence[Row], shown: Sequence[Column], console: Console, *, tight: bool = True) -> int:
    """Return the width at which nothing is cut off; where not ``tight``, nor wrapped."""
    options = console.options.update(max_width=10_000)
    return console.measure(_terminal(rows, shown, tight=tight), options=options).maximum


def _terminal(rows: Sequence[Row], shown: Sequence[Column], *, tight: bool) -> Table:
    """Return the table; ``tight`` where headings and long texts are to wrap: rich by itself would cut short ones."""
    table = Table(
        title=Text(title(rows), style="bold"), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for column in shown:
        words = [*(column.cell(row) for row in rows), *column.head.split()]
        side: Literal["left", "right"] = "right" if column.right else "left"
        least = min(40, max(map(len, words)))
        width = least if tight else None
        table.add_column(Text(column.head), justify=side, vertical="bottom", min_width=least, width=width)
    for index, row in enumerate(rows):
        if row["status"] == "anchor" and index and rows[index - 1]["status"] != "anchor":
            table.add_section()
        style = {"anchor": "dim", "diverged": "yellow", "failed": "red"}.get(row["status"], "")
        cells = [Text(c.cell(row) or ABSENT, style="bold" if c.bold(row) else "") for c in shown]
        table.add_row(*cells, style=style)
    return table
