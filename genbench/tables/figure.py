"""What a column is, and a figure: a column of numbers that records have, with all that the table says of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from genbench.records.record import Record
from genbench.tables.groups import FigureGroup
from genbench.tables.texts import Row, number, places

Notes = Callable[[Sequence[Row]], Iterable[str]]  # rows → footnotes
Lines = Callable[[Row], Iterable[str | None]]  # row → what its figure was measured on


class OfMark(str):
    """A footnote that says what a mark in the table means, or that figures beside each other are not of one thing."""


def no_text(row: Row) -> str:
    """Return an empty text, in any row."""
    return ""


@dataclass(frozen=True)
class Number:
    """The way in which a figure's number is printed, beside its error.

    Args:
        decimals: the number of decimals; None for three significant digits.
        scale: the factor that the number is multiplied by.
        unit: the unit of the error in a tooltip, with a space before it.
    """

    decimals: int | None = None
    scale: float = 1.0
    unit: str = ""

    def text(self, value: float | None, error: float | None) -> str:
        """Return a text such as ``1.22 ± 0.03``: the error has the decimals of its number."""
        if value is None:
            return ""
        decimals = places(value * self.scale) if self.decimals is None else self.decimals
        shown = number(value * self.scale, decimals)
        return shown if error is None else f"{shown} ± {number(error * self.scale, decimals)}"


@dataclass(frozen=True)
class Column:
    """One column of the table.

    Args:
        key: the row's key that the column sorts by.
        header: the heading without unit and arrow; empty for a figure that has a key and no column.
        write: a function that gives a row's text; empty where there is nothing to say.
        right: whether texts are aligned to the right, as numbers are.
        drop: the order of leaving a narrow terminal: columns with greater numbers go first; 0 stays.
        short: the heading in few letters, without unit and arrow.
        usual: whether the column is among those that are shown where nothing is asked for.
        occasion: whether a row is a reason to show the column; by default any row in which it has a text is one.
        caption: a footnote that explains the column wherever it is shown, or a function of rows that gives several.
        tooltip: what the figure was measured on, in one line, or a function of a row that gives several.
    """

    key: str
    header: str = ""
    write: Callable[[Row], str] = no_text
    right: bool = field(default=True, kw_only=True)
    drop: int = field(default=0, kw_only=True)
    short: str = field(default="", kw_only=True)
    usual: bool = field(default=False, kw_only=True)
    occasion: Callable[[Row], bool] | None = field(default=None, kw_only=True)
    caption: str | Notes | None = field(default=None, kw_only=True)
    tooltip: str | Lines | None = field(default=None, kw_only=True)

    @property
    def head(self) -> str:
        """The heading as people see it."""
        return self.header

    @property
    def brief(self) -> str:
        """The heading in few letters, for where room is short."""
        return self.short or self.header

    @property
    def stem(self) -> str:
        """The beginning of the keys of its standard error and its rank: ``nll`` for ``nll_bpd``."""
        return self.key.removesuffix("_bpd")

    def cell(self, row: Row) -> str:
        """Return the text that stands in the row."""
        return self.write(row)

    def bold(self, row: Row) -> bool:
        """Return whether the row is best, and by more than chance."""
        return bool(row.get(f"{self.stem}_best") and self.cell(row))

    def wanted(self, row: Row) -> bool:
        """Return whether the row is a reason to show the column."""
        return bool(self.cell(row)) if self.occasion is None else self.occasion(row)

    def notes(self, rows: Sequence[Row]) -> list[str]:
        """Return the footnotes of the column below these rows."""
        if self.caption is None:
            return []
        if isinstance(self.caption, str):
            return [self.caption] if any(self.wanted(row) for row in rows) else []
        return list(self.caption(rows))

    def lines(self, row: Row) -> list[str]:
        """Return what the row's figure was measured on, a line each."""
        said = self.tooltip(row) if callable(self.tooltip) else [self.tooltip]
        return [line for line in said if line]


@dataclass(frozen=True)
class Figure(Column):
    """A number of a record: its key in rows, its column, and all that tables, files and rankings say of it.

    Args:
        path: the place of the figure in a record: ``"quality.fid"``.
        unit: the unit behind the header: ``"dB"``; one that begins with × stands without a comma.
        better: the direction in which it improves; such figures have a deviation over seeds, and sort best first.
        arrow: whether the heading shows that direction.
        format: the way its number is printed, or a function of a row that prints it.
        error: the place of its standard error in a record; rows have it under ``…_se``.
        group: the group that it is ranked in; None where nothing is ranked by it.
        names_extractor: whether the heading names the extractor even where there is only one.
        extractor: the only one whose figures the column shows; None shows all.
        several: whether the table has columns of other extractors too.
    """

    path: str = field(kw_only=True)
    unit: str = field(default="", kw_only=True)
    better: Literal["low", "high"] | None = field(default=None, kw_only=True)
    arrow: bool = field(default=True, kw_only=True)
    format: Number | Callable[[Row], str] = field(default=Number(), kw_only=True)
    error: str | None = field(default=None, kw_only=True)
    group: FigureGroup | None = field(default=None, kw_only=True)
    names_extractor: bool = field(default=False, kw_only=True)
    extractor: str | None = field(default=None, kw_only=True)
    several: bool = field(default=False, kw_only=True)

    @property
    def head(self) -> str:
        """The heading: ``KID ×10³ (classifier) ↓``."""
        return self.headed(self.header, f" ({self.extractor})" if self.several or self.names_extractor else "")

    @property
    def brief(self) -> str:
        """The heading in few letters, without the extractor: ``Prec. ↑``."""
        return self.headed(self.short or self.header)

    def headed(self, name: str, extractor: str = "") -> str:
        """Return a heading that calls the figure ``name``, with unit and arrow."""
        unit = self.unit and (f" {self.unit}" if self.unit.startswith("×") else f", {self.unit}")
        arrow = {"low": " ↓", "high": " ↑"}[self.better] if self.better and self.arrow else ""
        return f"{name}{unit}{extractor if self.extractor else ''}{arrow}"

    @property
    def name(self) -> str:
        """The figure's name in a sentence: ``FID``, ``precision``, ``bits/dim``."""
        name = self.header.partition(",")[0].partition(" (")[0]
        return name[:1].lower() + name[1:] if name[1:2].islower() else name

    def of(self, record: Record) -> float | None:
        """Return the figure of one cell; None where it was not measured, is not a number, or is not to be shown."""
        if self.group is not None and blind(record, self.group):
            return None
        value = at(record, self.path)
        return None if value is None or math.isnan(value) else value

    def error_of(self, record: Record) -> float | None:
        """Return the figure's standard error in one cell; None where there is none, or it is not finite."""
        if self.error is None or (self.group is not None and blind(record, self.group)):
            return None
        value = at(record, self.error)
        return value if value is not None and math.isfinite(value) else None

    def cell(self, row: Row) -> str:
        """Return the number as people read it, ± its deviation over seeds, or else its standard error if it has one."""
        if self.extractor is not None and row["extractor"] != self.extractor:
            return ""
        if not isinstance(self.format, Number):
            return self.format(row)
        return self.format.text(row[self.key], self.spread(row))

    def spread(self, row: Row) -> float | None:
        """Return what stands behind ±: the deviation over seeds, or else a standard error that is not 0."""
        deviation: float | None = row.get(f"{self.key}_std")
        return (row.get(f"{self.stem}_se") or None) if deviation is None else deviation

    def under(self, extractor: str, *, several: bool) -> Figure:
        """Return the column of one extractor; ``several`` where the table has those of others too."""
        return replace(self, extractor=extractor, several=several)


def at(record: Record, path: str) -> Any:  # noqa: ANN401 - anything that a record holds
    """Return what a record has at a dotted path; None where a part of it is missing."""
    value: Any = record
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


def blind(record: Record, group: FigureGroup) -> bool:
    """Return whether figures of this group say nothing, since the model was trained on the features that judge it."""
    return group.per_extractor and record.trained_on is not None and record.trained_on == record.extractor
