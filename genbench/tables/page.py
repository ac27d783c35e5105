"""One page that holds a run: tables, sample grids, curves, scatter and stamps, in a file that needs no network."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from genbench.files import held, written_whole
from genbench.plots.curves import draw_curves
from genbench.plots.drawing import files, inline
from genbench.plots.pareto import pareto_front
from genbench.plots.scatter import draw_scatter, drawable
from genbench.plots.sheet import draw_sheet
from genbench.records import layout
from genbench.records.record import StoredCell, records
from genbench.tables.captions import footnotes, letters
from genbench.tables.columns import ALL, columns
from genbench.tables.panels import galleries, histories, samples
from genbench.tables.render import environment, sections
from genbench.tables.rows import rows
from genbench.tables.texts import Row, phrase
from genbench.tables.view import View

FIGURES = "figures"
WATCH_SECONDS = 5.0


def write(folder: Path, view: View | None = None, again: float | None = None) -> Path:
    """Write ``report.html`` of a run into its folder, whole or not at all, and return its path.

    The page holds every column; those of ``view`` are shown at first. Anchors that data sets share stand once in the
    tables; pictures and scatter have them for each. It loads itself anew every ``again`` seconds.

    Raises:
        ValueError: for a folder without records, or with one that cannot be read.
    """
    found = records(folder)
    pages = []
    view = view or View()
    every = rows(found)
    for index, section in enumerate(sections(every, replace(view, columns=(ALL,)))):
        table = section["rows"]
        whole = _of(section["dataset"], every)
        first = {column.key for column in columns(table, view.columns)}
        mine = [cell for cell in found.cells if cell.record.dataset == section["dataset"]]
        curves, curveless = histories(whole, mine)
        grids, gridless = samples(whole, mine)
        pages.append(
            section
            | _explained(section, first, view)
            | {
                "hidden": {column.key for column in section["columns"]} - first,
                "families": list(dict.fromkeys(row["family"] for row in table if row["status"] != "anchor")),
                "grids": grids,
                "gridless": gridless,
                "translates": any("source" in row["given"] for row in table),
                "galleries": list(galleries(whole, mine)),
                "scatters": [
                    scatter | {"svg": Markup(inline(draw_scatter, scatter["rows"], f"s{index}-{number}"))}
                    for number, scatter in enumerate(_scatters(whole))
                ],
                "curves": [
                    {"index": place, "label": label, "svg": Markup(inline(draw_curves, {label: history}, name))}
                    for place, (label, history) in curves.items()
                    for name in [f"c{index}-{place}"]
                ],
                "curveless": curveless,
                "stamps": [_stamp(row) for row in table],
            }
        )
    titles = dict.fromkeys(str(cell.record.stamp["title"]) for cell in found.cells if cell.record.stamp.get("title"))
    text = (
        environment()
        .get_template("report.html")
        .render(title=" / ".join(titles) or folder.name, pages=pages, again=again)
    )
    with written_whole(folder / layout.REPORT) as part:
        part.write_text(text, encoding="utf-8")
    return folder / layout.REPORT


def watched(folder: Path, view: View | None = None) -> Iterator[Path]:
    """Write the page each time that cells have ended, for as long as a run is at work in ``folder``; yield its path.

    While it is at work the page reloads itself.

    Raises:
        ValueError: where :func:`write` raises it, but for a run none of whose cells has ended yet.
    """
    seen: list[Path] = []
    while held(folder):
        there = layout.record_files(folder)
        if there and there != seen:
            with suppress(ValueError, OSError):  # a folder may be given its name just now: the next look sees it whole
                yield write(folder, view, again=WATCH_SECONDS)
                seen = there
        time.sleep(WATCH_SECONDS)
    yield write(folder, view)


def figures(folder: Path) -> list[Path]:
    """Write the page's figures into ``figures/`` of a run's folder, each as PDF, SVG and PNG, and return the paths.

    ``DATASET-scatter``, ``DATASET-curves``, ``DATASET-samples`` and one for each further kind of picture.

    Raises:
        ValueError: where :func:`write` raises it.
    """
    found = records(folder)
    written: list[Path] = []
    every = rows(found)
    for section in sections(every, View()):
        name = layout.slug(section["dataset"])
        mine = [cell for cell in found.cells if cell.record.dataset == section["dataset"]]
        for what, draw, data in _drawn(_of(section["dataset"], every), mine):
            written += files(draw, data, folder / FIGURES / f"{name}-{what}")
    return written


def _of(dataset: str, every: Sequence[Row]) -> list[Row]:
    """Return all rows of a data set. Recipes, which come first, have the places that they have in its table."""
    return [row for row in every if row["dataset"] == dataset]


def _explained(section: Mapping[str, Any], first: Collection[str], view: View) -> dict[str, Any]:
    """Return the letters and notes of a section, those of the columns that are shown at first before the others."""
    shown = sorted(section["columns"], key=lambda column: column.key not in first)
    detail = view.detail("html")
    return {
        "marks": letters(section["rows"], shown) if detail != "none" else {},
        "footnotes": footnotes(section["rows"], shown, detail),
    }


def _drawn(table: Sequence[Row], there: Sequence[StoredCell]) -> Iterator[tuple[str, Callable[..., None], Any]]:
    """Yield each figure of a data set: its name, what draws it, and of what."""
    scatters = list(_scatters(table))
    for scatter in scatters:
        yield "scatter" if len(scatters) == 1 else f"scatter-{scatter['extractor']}", draw_scatter, scatter["rows"]
    if curves := dict(histories(table, there)[0].values()):
        yield "curves", draw_curves, curves
    for what, grids in [
        ("samples", samples(table, there)[0]),
        *((g["name"], g["grids"]) for g in galleries(table, there)),
    ]:
        if grids:
            yield what, draw_sheet, [(grid["row"]["label"], grid["path"]) for grid in grids]


def _scatters(table: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Yield the data of one drawing an extractor: FIDs under two do not compare."""
    for extractor in dict.fromkeys(row["extractor"] for row in table if row["fid"] is not None):
        mine = [row for row in table if row["extractor"] == extractor]
        if any(drawable(row) for row in mine):
            recipes = [row for row in table if row["status"] != "anchor" and row["extractor"] in (extractor, None)]
            yield {
                "extractor": extractor,
                "rows": mine,
                "front": [mine[index]["label"] for index in pareto_front(mine)],
                "left_out": [row["label"] for row in recipes if not drawable(row)],
            }


def _stamp(row: Row) -> dict[str, Any]:
    """Return what a row's details say: the reason first, then options, then the stamp line by line."""
    entries = {name: row[name] for name in ("status", "reason", "seeds", "options")}
    entries |= {"likelihood on": f"{row['nll_images']:,} test images" if row["nll_images"] else None}
    entries |= {"moved when the work doubled": _signed(row["nll_moved"])} | row["stamp"]
    lines = [(name.replace("_", " "), _value(value)) for name, value in entries.items()]
    return {"label": row["label"], "status": row["status"], "lines": [(n, t) for n, t in lines if t]}


def _value(value: Any) -> str:  # noqa: ANN401 - anything that JSON has
    if isinstance(value, Mapping | list):
        text = phrase(value)
        return text if len(text) < 200 else json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)


def _signed(value: float | None) -> str | None:
    return None if value is None or not math.isfinite(value) else f"{value:+.3f} bits/dim"
