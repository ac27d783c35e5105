"""The table in LaTeX: as wide as a page's text or a column of two, in the largest of small sizes that fits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from genbench.tables.captions import Note, by_dataset, footnotes, header, letters, title
from genbench.tables.columns import ALL, DEFAULT, columns
from genbench.tables.figure import Column, Figure
from genbench.tables.texts import ABSENT, UNCONVERGED, Row
from genbench.tables.view import View

WIDTHS = {"page": 345.0, "column": 234.0}  # points: article's text at 10 pt, and the narrowest of common columns
# By name, the points that a width of 1 in the table below is: small letters are broad for their size.
SIZES = (("small", 9.25), ("footnotesize", 8.5), ("scriptsize", 7.97))
GAP = 2.0  # points on either side between two columns
BOLD = 1.15  # how much wider than upright letters bold ones are
# Widths of the letters of 10 points in hundredths of that size.
LETTERS = {
    28: "il.,:;'|", 33: " -", 39: "jfrts()[]", 44: "cezak?", 50: "0123456789aogsyx/*", 53: "kpbdhnuvq", 56: "S",
    68: "EFLPTRBC", 75: "ADGHKNOQUVXYZw", 83: "mM%", 90: "W", 78: "=≤~±×−+", 55: "↓↑",
}  # fmt: skip
WIDE = {letter: share / 100 for share, some in LETTERS.items() for letter in some}

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
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
}


def latex(rows: Sequence[Row], view: View) -> str:
    r"""Return a ``table`` for each data set, which needs ``booktabs``; the protocol stands outside it.

    Columns that are not asked for by name, and their errors before, leave a table that is too wide for ``view.width``
    even in the smallest size; a comment says which.
    """
    parts = ["% needs \\usepackage{booktabs}"]
    detail = view.detail("tex")
    for name, mine in by_dataset(rows):
        size, shown, gone = fitted(mine, view)
        marks = letters(mine, shown) if detail != "none" else {}
        body: list[str] = []
        for index, row in enumerate(mine):
            if row["status"] == "anchor" and index and mine[index - 1]["status"] != "anchor":
                body.append(r"\midrule")
            body.append(" & ".join(_cell(column, row) for column in shown) + r" \\")
        protocol = f"Protocol: {header(mine)}."
        notes = footnotes(mine, shown, detail)
        parts += [
            *([f"% left out to fit: {', '.join(gone).replace('±', 'errors')}"] if gone else []),
            *([] if detail == "full" else [f"% {' '.join(protocol.split())}"]),
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(_caption(shown, mine))}}}",
            rf"\label{{tab:{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}}}",
            rf"\{size}\setlength{{\tabcolsep}}{{{GAP:g}pt}}%",
            rf"\begin{{tabular}}{{@{{}}{''.join('r' if column.right else 'l' for column in shown)}@{{}}}}",
            r"\toprule",
            *_extractors(shown, mine),
            " & ".join(_head(column, mine, marks.get(column.key, "")) for column in shown) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *([r"\par\smallskip\scriptsize\raggedright", *map(_note, notes)] if notes else []),
            r"\end{table}",
            *([rf"{{\noindent\footnotesize\raggedright {escape(protocol)}\par}}"] if detail == "full" else []),
        ]
    return "\n".join(parts) + "\n"


def fitted(rows: Sequence[Row], view: View) -> tuple[str, list[Column], list[str]]:
    """Return the size of letters in which the table fits, its columns, and what had to go, in words."""
    shown: list[Column] = []
    gone: list[str] = []
    for shown, gone in _attempts(rows, view):
        for name, size in SIZES:
            if points(rows, shown, size) <= WIDTHS[view.width]:
                return name, shown, gone
    return SIZES[-1][0], shown, gone


def _attempts(rows: Sequence[Row], view: View) -> Iterator[tuple[list[Column], list[str]]]:
    """Yield narrower and narrower columns, and what is gone from them; those asked for by name as they are.

    Errors of columns that a narrow table can do without go first, then these columns, those of least weight before.
    """
    shown = columns(rows, view.columns)
    yield shown, []
    if view.columns not in ((DEFAULT,), (ALL,)):
        return
    bare = [_without_errors(column) if column.drop else column for column in shown]
    gone = [f"± of {old.key}" for old, new in zip(shown, bare, strict=True) if _wide(old, rows) > _wide(new, rows)]
    yield bare, gone
    while least := max(column.drop for column in bare):
        gone = [*gone, *(column.key for column in bare if column.drop == least)]
        bare = [column for column in bare if column.drop != least]
        yield bare, gone


def _without_errors(column: Column) -> Column:
    """Return a column that shows its numbers alone."""
    if isinstance(column, Figure):
        return replace(column, format=lambda row: column.cell(row).partition(" ±")[0])
    return column


def points(rows: Sequence[Row], shown: Sequence[Column], size: float) -> float:
    """Return how wide a table is in points, ``size`` being that of a letter of width 1."""
    return sum(_wide(column, rows) for column in shown) * size + 2 * GAP * (len(shown) - 1)


def _wide(column: Column, rows: Sequence[Row]) -> float:
    """Return the width of a column in units of the letters' size."""
    texts = [_em(_text(column, row)) * (BOLD if column.bold(row) else 1.0) for row in rows]
    return max([*texts, *map(_em, _lines(column, rows))])


def _text(column: Column, row: Row) -> str:
    """Return what stands in a cell, closer; a star is short for a word that a note explains."""
    return column.cell(row).replace(f" {UNCONVERGED}", "*").replace(" ± ", "±") or ABSENT


def _em(text: str) -> float:
    return sum(WIDE.get(letter, 0.56 if letter.islower() else 0.75) for letter in text)


def _lines(column: Column, rows: Sequence[Row]) -> list[str]:
    """Return the heading in lines no longer than they have to be: as the longest cell, or its own longest piece."""
    pieces = re.findall(r"[^\s-]+-?\s?", column.brief)
    room = max([*(_em(_text(column, row)) for row in rows), *(_em(piece.strip()) for piece in pieces)])
    lines = [""]
    for piece in pieces:
        if _em((lines[-1] + piece).strip()) <= room or not lines[-1]:
            lines[-1] += piece
        else:
            lines.append(piece)
    return [line.strip() for line in lines]


def escape(text: str) -> str:
    """Return a text that LaTeX prints as it is, in one line."""
    return "".join(TEX.get(char, char) for char in " ".join(text.split()))


def _spans(shown: Sequence[Column], rows: Sequence[Row]) -> list[tuple[str, int, int, bool]]:
    """Return the first and last place of each extractor's columns, and whether its name fits above them."""
    spans, first = [], 1
    for extractor, some in groupby(shown, lambda column: getattr(column, "extractor", None)):
        members = list(some)
        last = first + len(members) - 1
        if extractor is not None:
            room = sum(_wide(column, rows) for column in members) + (last - first) * 2 * GAP / SIZES[0][1]
            spans.append((extractor, first, last, _em(extractor) <= room))
        first = last + 1
    return spans


def _extractors(shown: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    """Return a line above the headings that names each extractor over its columns, and the rules below the names."""
    over = {first: (name, last) for name, first, last, fits in _spans(shown, rows) if fits}
    if not over:
        return []
    names, place = [], 1
    while place <= len(shown):
        name, last = over.get(place, ("", place))
        names.append(rf"\multicolumn{{{last - place + 1}}}{{c}}{{{escape(name)}}}" if name else "")
        place = last + 1
    rules = "".join(rf"\cmidrule(lr){{{first}-{last}}}" for first, (_, last) in over.items())
    return [" & ".join(names) + r" \\", rules]


def _caption(shown: Sequence[Column], rows: Sequence[Row]) -> str:
    """Return the table's title, and the extractors whose names do not fit above their columns."""
    below = [name for name, _, _, fits in _spans(shown, rows) if not fits]
    return f"{title(rows)}." + (f" FID and its kin by {', '.join(below)}." if below else "")


def _head(column: Column, rows: Sequence[Row], mark: str) -> str:
    lines = [escape(line) for line in _lines(column, rows)]
    lines[-1] += rf"\textsuperscript{{{mark}}}" if mark else ""
    if len(lines) == 1:
        return lines[0]
    stacked = r"\\".join(lines)
    return rf"\shortstack[{'r' if column.right else 'l'}]{{{stacked}}}"


def _cell(column: Column, row: Row) -> str:
    text = escape(_text(column, row))
    if column.bold(row):
        return rf"\textbf{{\boldmath {text}}}"
    return rf"\textit{{{text}}}" if column.key == "label" and row["status"] == "anchor" else text


def _note(note: Note) -> str:
    mark = rf"\textsuperscript{{{note.mark}}}" if note.mark else ""
    return rf"{mark}{escape(note.text)}\par"
