"""What a run's folder has beside its records: the pictures and histories of each row, found for the report page."""

from __future__ import annotations

import base64
import io
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from genbench.image_file import opened
from genbench.plots.curves import HistoryColumns, read_history
from genbench.records import layout
from genbench.records.pictures import PICTURES
from genbench.records.record import StoredCell
from genbench.tables.texts import Row, bits, number, status


def pictures(table: Sequence[Row], there: Sequence[StoredCell], file: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a picture for each row that has one, real images first, of its first seed; and why others have none.

    Each has its ``row`` and the row's ``index``, ``cell``, ``path``, ``source`` for a page, and ``ratio``: its width
    over the commonest, by which every image comes out as large in one grid as in another.
    """
    grids: list[dict[str, Any]] = []
    broken: list[str] = []
    for index, row in enumerate(table):
        cell = _cell(row, there)
        if cell is not None and (path := cell.folder / file).is_file():
            try:
                source, wide = embedded(path)
            except ValueError as error:
                broken.append(f"{row['label']} has no picture: {error}.")
            else:
                grids.append({"index": index, "row": row, "cell": cell, "path": path, "source": source, "wide": wide})
    for grid in grids:
        grid["ratio"] = grid["wide"] / statistics.mode(other["wide"] for other in grids)
    return sorted(grids, key=lambda grid: grid["row"]["recipe"] != "real (test)"), broken


def embedded(path: Path) -> tuple[str, int]:
    """Return a PNG as a data URI, lossless WebP where that is shorter, and its width in pixels.

    Raises:
        ValueError: for a file that is no such picture.
    """
    with opened(path, ("PNG",)) as picture:
        shorter = io.BytesIO()
        picture.save(shorter, format="WEBP", lossless=True, exact=True, method=2)
        wide = picture.width
    kind, data = min(("png", path.read_bytes()), ("webp", shorter.getvalue()), key=lambda form: len(form[1]))
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}", wide


def samples(table: Sequence[Row], there: Sequence[StoredCell]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the samples of each row that has some, with what was measured as ``facts``, and why others have none."""
    grids, broken = pictures(table, there, layout.GRID)
    for grid in grids:
        row = grid["row"]
        cell = grid["cell"]
        facts = [f"{bits(row)} bits/dim"] if row["nll_bpd"] is not None else []
        facts += [f"FID {number(row['fid'])}"] if row["fid"] is not None else []
        facts += [status(row)] if status(row) else []
        facts += [f"{number(100 * row['agreement'])} % of the class asked for"] if row["agreement"] is not None else []
        facts += [f"entropy {number(row['entropy'])} bits"] if row["entropy"] is not None else []
        facts += [f"class entropy {number(row['class_entropy'])} bits"] if row["class_entropy"] is not None else []
        facts += ["pixel medians"] if row["pixels"] == "median" else []
        facts += [f"seed {cell.record.seed}, one of {row['seeds_run']}"] if row["seeds_run"] > 1 else []
        grid["facts"] = facts
    return grids, broken


def galleries(table: Sequence[Row], there: Sequence[StoredCell]) -> Iterator[dict[str, Any]]:
    """Yield a section for each picture that some row has, laid out alike for all; why others have none."""
    for picture in PICTURES:
        grids, broken = pictures(table, there, picture.file)
        for grid in grids:
            grid["facts"] = []
        said = [
            (row["label"], cell.record.abilities.get(picture.ability or "", ""))
            for row in table
            if (cell := _cell(row, there))
        ]
        failed = [f"{label} {text}" for label, text in said if text.startswith("failed")] + broken
        if grids or failed:
            name = picture.file.partition(".")[0]
            yield {"title": picture.title, "hint": picture.hint, "name": name, "grids": grids, "failed": failed}


def histories(
    table: Sequence[Row], there: Sequence[StoredCell]
) -> tuple[dict[int, tuple[str, HistoryColumns]], list[str]]:
    """Return the training curves of each row that has some, by its place, with their label; and why others have none.

    A training that diverged before its first line has no curve, and nothing is to be said of it.
    """
    curves: dict[int, tuple[str, HistoryColumns]] = {}
    broken: list[str] = []
    for index, row in enumerate(table):
        cell = _cell(row, there)
        if cell is not None and (cell.folder / layout.HISTORY).is_file():
            named = {label for label, _ in curves.values()}
            label = row["label"] if row["label"] not in named else f"{row['label']}, {row['status']}"
            try:
                if columns := read_history(cell.folder / layout.HISTORY):
                    curves[index] = (label, columns)
            except ValueError as error:
                broken.append(f"{label} has no curve: {error}.")
    return curves, broken


def _cell(row: Row, there: Sequence[StoredCell]) -> StoredCell | None:
    """Return the first of a row's cells."""
    for cell in there:
        r = cell.record
        same = (r.label, r.status, r.options) == (row["plain_label"], row["status"], row["options"])
        if same and r.seed in row["seeds"]:
            return cell
    return None
