"""What of a table people see: which columns, how much below it, and how wide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from genbench.errors import nearest
from genbench.tables.columns import ALL, COLUMNS, DEFAULT

Detail = Literal["full", "short", "none"]
Width = Literal["page", "column"]


@dataclass(frozen=True)
class View:
    """A choice of what a table shows. CSV, JSON and Parquet hold everything, whatever it is.

    Args:
        columns: ``("default",)``, the columns that most tables are read for; ``("all",)``, every one that some row is a
            reason to show; or keys, in the order in which they are shown.
        notes: the notes below the table: all; warnings, one a column and what marks mean; or none; None is what suits
            the format.
        width: the width that a table in LaTeX fits: a page's text, or a column of two.
    """

    columns: tuple[str, ...] = (DEFAULT,)
    notes: Detail | None = None
    width: Width = "page"

    @classmethod
    def of(cls, columns: str | Sequence[str] | None = None, notes: str | None = None, width: str | None = None) -> View:
        """Return the view that words ask for: ``"fid,kid"``, ``"short"``, ``"column"``; None is the default.

        Raises:
            ValueError: for a column, a detail or a width that there is not.
        """
        return cls(
            (DEFAULT,) if columns is None else checked(columns),
            None if notes is None else _one_of("notes", notes, get_args(Detail)),
            _one_of("width", width or "page", get_args(Width)),
        )

    def detail(self, fmt: str) -> Detail:
        """Return how much is said below a table of a format: in LaTeX, where notes fill the page, less by itself."""
        return self.notes or ("short" if fmt == "tex" else "full")


def checked(columns: str | Sequence[str]) -> tuple[str, ...]:
    """Return the keys that a text or a list of texts names, or ``("default",)`` or ``("all",)``.

    Raises:
        ValueError: for a key that no column has, with the nearest ones, and for nothing.
    """
    keys = tuple(columns.replace(",", " ").split() if isinstance(columns, str) else columns)
    if keys in ((DEFAULT,), (ALL,)):
        return keys
    known = [column.key for column in COLUMNS if column.header]
    for key in keys:
        if key not in known:
            raise ValueError(f"columns {key!r}: give default, all or keys of columns; {nearest(key, known)}")
    if not keys:
        raise ValueError(f"columns {columns!r}: give default, all or keys of columns: {', '.join(known)}")
    return tuple(dict.fromkeys(keys))


def _one_of(name: str, value: str, choices: Sequence[str]) -> Any:  # noqa: ANN401 - one of the choices
    if value not in choices:
        raise ValueError(f"{name}={value!r}: give {', '.join(choices[:-1])} or {choices[-1]}")
    return value
