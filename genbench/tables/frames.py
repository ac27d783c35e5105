"""A table as a frame of pandas, and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from genbench.tables.captions import footnotes
from genbench.tables.columns import columns
from genbench.tables.keys import KEYS, TYPES

if TYPE_CHECKING:
    from pandas import DataFrame


def to_frame(rows: list[dict[str, Any]]) -> DataFrame:
    """Return rows as a frame, whose ``attrs`` hold the stamps by ``LABEL on DATASET`` and the notes."""
    import pandas

    frame = pandas.DataFrame(rows, columns=list(KEYS))
    names = [f"{row['label']} on {row['dataset']}" for row in rows]
    # A row's lost seeds have a row of their own under its name.
    lost = [f", {row['status']}" if row["status"] in ("diverged", "failed") else "" for row in rows]
    frame.attrs["stamps"] = {name + end: row["stamp"] for name, end, row in zip(names, lost, rows, strict=True)}
    frame.attrs["notes"] = [note.text for note in footnotes(rows, columns(rows))]
    return frame


def from_frame(frame: DataFrame) -> list[dict[str, Any]]:
    """Return the rows that a frame was made of, or some of them: what is absent in it is NaN where numbers are."""
    if lacks := [key for key in KEYS if key not in frame]:
        raise ValueError(
            f"table without {', '.join(lacks[:3])}: give what run() or table() returned, every column of it"
        )
    return [
        {key: _as_it_was(value, TYPES[key]) for key, value in row.items()}
        for row in frame[list(KEYS)].to_dict("records")
    ]


def _as_it_was(value: Any, kind: type) -> Any:  # noqa: ANN401 - anything that a row holds
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else kind(value) if kind in (int, bool) else value
