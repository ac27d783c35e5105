"""One page that holds a run: tables, sample grids, curves, scatter and stamps, in a file that needs no network."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from genbench import plots
from genbench.captions import phrase
from genbench.columns import Row, bits, number, status
from genbench.exhibits import PICTURES
from genbench.folders import written_whole
from genbench.record import FILE, Record, records
from genbench.render import environment, sections
from genbench.table import rows

REPORT = "report.html"


@dataclass(frozen=True)
class Cell:
    """A record with the folder that it was read from."""

    record: Record
    folder: Path


def cells(folder: Path) -> list[Cell]:
    """Every cell below a run's folder, by path; ``ValueError`` where there is none or one cannot be read."""
    found = records(folder)  # refuses a folder without records
    paths = (path.parent for path in sorted((folder / "cells").glob(f"*/*/seed-*/{FILE}")))
    return [Cell(*pair) for pair in zip(found, (path for path in paths if path.suffix != ".part"), strict=True)]


def write(folder: Path) -> Path:
    """Write ``report.html`` of a run into its folder, whole or not at all, and return its path.

    Raises:
        ValueError: for a folder without records, or with one that cannot be read.
    """
    there = cells(folder)
    table = rows(cell.record for cell in there)
    pages = []
    for index, section in enumerate(sections(table)):
        mine = [cell for cell in there if cell.record.dataset == section["dataset"]]
        pages.append(
            section
            | {
                "grids": _grids(section["rows"], mine),
                "galleries": list(_galleries(section["rows"], mine)),
                "scatters": list(_scatters(section["rows"], f"s{index}")),
                "curves": _curves(section["rows"], mine, f"c{index}"),
                "stamps": [_stamp(row) for row in section["rows"]],
            }
        )
    titles = dict.fromkeys(str(cell.record.stamp["title"]) for cell in there if cell.record.stamp.get("title"))
    text = environment().get_template("report.html").render(title=" / ".join(titles) or folder.name, pages=pages)
    with written_whole(folder / REPORT) as part:
        part.write_text(text, encoding="utf-8")
    return folder / REPORT


def _cell(row: Row, there: Sequence[Cell]) -> Cell | None:
    """The first of a row's cells."""
    for cell in there:
        r = cell.record
        same = (r.label, r.status, r.options) == (row["plain_label"], row["status"], row["options"])
        if same and r.seed in row["seeds"]:
            return cell
    return None


def _grids(table: Iterable[Row], there: Sequence[Cell]) -> list[dict[str, Any]]:
    """The samples of each row that has some, with what was measured of them."""
    found = _pictures(table, there, "samples.png")
    for grid in found:
        row, cell = grid["row"], grid["cell"]
        facts = [f"{bits(row)} bits/dim"] if row["nll_bpd"] is not None else []
        facts += [f"FID {number(row['fid'])}"] if row["fid"] is not None else []
        facts += [status(row)] if status(row) else []
        facts += [f"{number(100 * row['agreement'])} % of the class asked for"] if row["agreement"] is not None else []
        facts += [f"entropy {number(row['entropy'])} bits"] if row["entropy"] is not None else []
        facts += [f"class entropy {number(row['class_entropy'])} bits"] if row["class_entropy"] is not None else []
        facts += [f"seed {cell.record.seed}, one of {row['seeds_run']}"] if row["seeds_run"] > 1 else []
        grid["facts"] = facts
    return found


def _galleries(table: Sequence[Row], there: Sequence[Cell]) -> Iterator[dict[str, Any]]:
    """A section for each picture that some row has, laid out alike for all; of abilities, why they failed."""
    for picture in PICTURES:
        grids = _pictures(table, there, picture.file)
        for grid in grids:
            grid["facts"] = []
        said = [
            (row["label"], cell.record.abilities.get(picture.ability or "", ""))
            for row in table
            if (cell := _cell(row, there))
        ]
        failed = [f"{label} {text}" for label, text in said if text.startswith("failed")]
        if grids or failed:
            yield {"title": picture.title, "hint": picture.hint, "grids": grids, "failed": failed}


def _pictures(table: Iterable[Row], there: Sequence[Cell], file: str) -> list[dict[str, Any]]:
    """A picture for each row that has one, real images first, of its first seed; how wide it is beside the others."""
    found: list[dict[str, Any]] = []
    for row in table:
        cell = _cell(row, there)
        if cell is not None and (cell.folder / file).is_file():
            picture = (cell.folder / file).read_bytes()
            source = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
            found.append({"row": row, "cell": cell, "source": source, "wide": int.from_bytes(picture[16:20])})
    # Every image is as large in one grid as in another, however many columns a grid has.
    for grid in found:
        grid["percent"] = 100 * grid["wide"] / max(other["wide"] for other in found)
    return sorted(found, key=lambda grid: grid["row"]["recipe"] != "real (test)")


def _scatters(table: Sequence[Row], name: str) -> Iterable[dict[str, Any]]:
    """One drawing an extractor: FIDs under two do not compare."""
    for index, extractor in enumerate(dict.fromkeys(row["extractor"] for row in table if row["fid"] is not None)):
        mine = [row for row in table if row["extractor"] == extractor]
        if any(plots.drawable(row) for row in mine):
            recipes = [row for row in table if row["status"] != "anchor" and row["extractor"] in (extractor, None)]
            left = [row["label"] for row in recipes if not plots.drawable(row)]
            yield {"svg": Markup(plots.inline(plots.scatter, mine, f"{name}-{index}")), "left_out": left}


def _curves(table: Iterable[Row], there: Sequence[Cell], name: str) -> Markup | None:
    histories: dict[str, plots.History] = {}
    for row in table:
        cell = _cell(row, there)
        if cell is not None and (cell.folder / "history.csv").is_file():
            label = row["label"] if row["label"] not in histories else f"{row['label']}, {row['status']}"
            try:
                histories[label] = plots.history(cell.folder / "history.csv")
            except ValueError:  # a run that diverged before its first line has no curve, and that is no fault
                continue
    return Markup(plots.inline(plots.curves, histories, name)) if histories else None


def _stamp(row: Row) -> dict[str, Any]:
    """What a row's details say: the reason first, then options, then the stamp line by line."""
    entries = {name: row[name] for name in ("status", "reason", "seeds", "options")}
    entries |= {"likelihood on": f"{row['nll_images']:,} test images" if row["nll_images"] else None}
    entries |= {"moved when temperatures doubled": _signed(row["nll_moved"])} | row["stamp"]
    lines = [(name.replace("_", " "), _value(value)) for name, value in entries.items()]
    return {"label": row["label"], "status": row["status"], "lines": [(n, t) for n, t in lines if t]}


def _value(value: Any) -> str:  # noqa: ANN401 - anything that JSON has
    if isinstance(value, dict | list):
        text = phrase(value)
        return text if len(text) < 200 else json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)


def _signed(value: float | None) -> str | None:
    return None if value is None or not math.isfinite(value) else f"{value:+.3f} bits/dim"
