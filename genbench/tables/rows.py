"""Rows, made of records: one a data set and label, its seeds in one, its ranks among what may be compared.

Numbers are made here, texts in :mod:`genbench.tables.columns` and :mod:`genbench.tables.render`.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbench.errors import nearest
from genbench.files import written_whole
from genbench.records import layout
from genbench.records.parts import Likelihood
from genbench.records.record import Record, Records
from genbench.records.stamp import annealed
from genbench.tables import render as texts
from genbench.tables import terminal
from genbench.tables.columns import ALL, DEFAULT, FIGURES, RANKED
from genbench.tables.comparable import GROUPS, HEADS, alike, parts, refusals, remarks
from genbench.tables.doubts import copies, doubt, of_copies, of_likelihood, of_training, unranked
from genbench.tables.figure import blind
from genbench.tables.keys import BETTER_HIGH, FACTS, KEYS, UNSORTABLE
from genbench.tables.labels import disambiguated
from genbench.tables.ranks import ranks
from genbench.tables.texts import Row
from genbench.tables.view import View

if TYPE_CHECKING:
    from rich.console import Console

FIRM = {"exact": 0, "bound": 0, "estimate": 1, None: 2}  # what is guaranteed comes before what is not
OF_EXTRACTOR = {figure.key for figure in RANKED if figure.group is not None and figure.group.per_extractor}
JUDGE = "classifier"  # the kind of network that says which class a sample is of
WHOLE = ("csv", "json", "parquet")  # formats that hold every key of every row
STATUSES = {"done": 0, "evaluated": 0, "diverged": 1, "failed": 2}


def rows(records: Iterable[Record], sort: str | None = None) -> list[Row]:
    """Return the table: a row for each data set, label and status, in order. Data sets with most rows are first.

    Cells that differ in seed alone share a row: means, with sample standard deviations in ``…_std``. Seeds that
    diverged or failed have a row of their own, so that no mean hides them, and ``seeds_run`` counts all. Seeds are
    never pooled across protocols. ``refused`` says what a row is not ranked with, and which part of the stamp differs
    (:mod:`genbench.tables.comparable`); it stands among the ``notes``. Where rows of a data set have one label,
    ``label`` also says what differs between them, and ``plain_label`` is as it was. What was left out as the records
    were read stands among the ``notes`` of every row. Absent is None; the keys are
    :data:`genbench.tables.keys.KEYS`.

    Args:
        records: the records of one run or several.
        sort: a key to sort by within each data set, best first; by default bits/dim, exact values and bounds before
            estimates, then FID. Anchors come last.

    Raises:
        ValueError: for a key that rows do not have, with the nearest names.
    """
    sortable = [key for key in KEYS if key not in UNSORTABLE]
    if sort is not None and sort not in sortable:
        raise ValueError(f"sort={sort!r}: no such column; {nearest(sort, sortable)}")
    left_out = records.notes if isinstance(records, Records) else []
    groups = _groups(records)
    labels = disambiguated(groups)
    table = [_row(cells, label) for cells, label in zip(groups, labels, strict=True)]
    for row, refused, said in zip(table, refusals(groups, labels), remarks(groups), strict=True):
        row["refused"] = refused or None
        row["notes"] = [*(row["notes"] or ()), *refused, *said, *left_out] or None
    tried: dict[Hashable, set[int]] = {}
    lost: Counter[Hashable] = Counter()
    for cells in groups:
        tried.setdefault(_cell(cells[0]), set()).update(record.seed for record in cells)
        if cells[0].status in ("diverged", "failed"):
            lost[_cell(cells[0])] += len(cells)
    for row, cells in zip(table, groups, strict=True):
        row["seeds_run"] = len(tried[_cell(cells[0])])
    for figure in RANKED:
        name = figure.stem
        for row, cells, rank in zip(table, groups, ranks(groups, figure), strict=True):
            if rank is not None:
                best = rank.best and not lost[_cell(cells[0])]
                row |= {f"{name}_rank": rank.place, f"{name}_ranked": rank.among, f"{name}_best": best}
    for row, cells in zip(table, groups, strict=True):
        count = lost[_cell(cells[0])]
        if count and any(row[f"{figure.stem}_rank"] for figure in RANKED):
            text = f"{row['label']}: its ranks count the seeds that ended well, {count} did not; it is nowhere bold."
            row["notes"] = [*(row["notes"] or ()), text]
    models = Counter(row["dataset"] for row in table if row["status"] != "anchor")
    datasets = dict.fromkeys(row["dataset"] for row in table)
    place = {name: index for index, name in enumerate(sorted(datasets, key=lambda name: -models[name]))}
    return sorted(table, key=lambda row: (place[row["dataset"]], row["status"] == "anchor", *_order(row, sort)))


def _cell(record: Record) -> Hashable:
    """Return what the seeds of one recipe have in common, however they ended."""
    budget = json.dumps(record.stamp.get("budget"), sort_keys=True, default=str)
    options = json.dumps(record.options, sort_keys=True)
    return record.dataset, record.label, record.recipe, options, record.labelled, budget


def _groups(records: Iterable[Record]) -> list[list[Record]]:
    """Return the cells of each row. A seed that comes twice under one protocol opens another row: no second draw."""
    groups: dict[Hashable, list[Record]] = {}
    for record in records:
        how: tuple[Hashable, ...] = (_cell(record), record.status, record.given, record.extractor)
        how += (record.stamp.get("pixels"),)
        how += tuple(tuple(parts(record, group, counted=not group.of_ability).items()) for group in GROUPS)
        for half in (record.test, record.train):
            how += (None,) if half is None else (_how(half),)
        copy = 0
        while any(other.seed == record.seed for other in groups.get((how, copy), [])):
            copy += 1
        groups.setdefault((how, copy), []).append(record)
    return list(groups.values())


def _how(half: Likelihood) -> Hashable:
    return half.kind, half.given, half.method, half.observation, half.draws, half.effort


def _row(cells: Sequence[Record], label: str) -> Row:
    first = cells[0]
    reasons = {r.seed: r.reason for r in cells if r.reason}
    converged = [r.test.converged for r in cells if r.test and r.test.converged is not None]
    moved = [r.test.moved for r in cells if r.test and r.test.moved is not None]
    row: Row = dict.fromkeys(KEYS)
    row |= {name: fact.of(first) for name, fact in FACTS.items()}
    row |= {
        "label": label,
        "seeds": [record.seed for record in cells],
        "reason": "; ".join(f"seed {s}: {why}" if len(cells) > 1 else why for s, why in reasons.items()) or None,
        "notes": list(dict.fromkeys(note for r in cells for note in _notes(r, label))) or None,
        "checked": not any(map(doubt, cells)) if first.status == "done" else None,
        "copied": sum(count for record in cells for count in copies(record).values()),
        "alike": alike(first),
        "pixels": first.stamp.get("pixels"),
        "stamp": _merged([record.stamp for record in cells]),
        "nll_work": max((r.test.work for r in cells if r.test and annealed(r)), default=None),
        "nll_moved": max(moved, key=abs) if moved else None,
        "nll_converged": all(converged) if converged else None,
    }
    for figure in FIGURES:
        values = [value for record in cells if (value := figure.of(record)) is not None]
        row[figure.key] = _mean(values)
        if figure.better and 0 < len(values) < len(cells):  # a mean of the others would hide it
            without = ", ".join(str(record.seed) for record in cells if figure.of(record) is None)
            row[figure.key] = None
            row["notes"] = [*(row["notes"] or ()), f"{label}: no {figure.key} of seed {without}, so no mean of it."]
            continue
        if figure.better and len(values) > 1 and all(map(math.isfinite, values)):
            row[f"{figure.key}_std"] = statistics.stdev(values)
        if figure.error and len(cells) == 1:
            row[f"{figure.stem}_se"] = figure.error_of(first)
    return row


def _notes(record: Record, label: str) -> Iterator[str]:
    """Yield what a reader of the figures has to know."""
    yield from unranked(record, label)
    if record.quality is not None:
        yield from record.quality.notes
    for group in GROUPS:
        if blind(record, group) and getattr(record, group.part) is not None:
            yield (
                f"{label}: trained on {record.trained_on}, so {HEADS[group]} under it say nothing of its samples; they "
                "are neither shown nor ranked."
            )
    if record.trained_on == JUDGE and record.agreement is not None and record.agreement.agreement is not None:
        yield (
            f"{label}: trained on the features of a {JUDGE} of the same data; the judge of its agreement is another "
            "network of that kind, so what pleases one may please the other."
        )
    yield from of_likelihood(record, label)
    yield from of_copies(record, label)
    yield from of_training(record, label)
    if record.collapse is not None and record.collapse.missing and record.status != "anchor":
        yield f"{label}: hardly a sample of {', '.join(record.collapse.missing)}."
    if record.status == "evaluated":
        yield f"{label}: samples from elsewhere. What their model was trained with is not known, so nothing ranks them."
    for ability, said in record.abilities.items():
        if said.startswith("failed"):
            yield f"{label}, seed {record.seed}: {ability} {said}"


def _mean(values: Sequence[float]) -> float | None:
    """Return the mean; a value that all share is kept as it is, whole numbers whole."""
    if not values:
        return None
    return values[0] if len(set(values)) == 1 else math.fsum(values) / len(values)


def _merged(stamps: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one stamp for several seeds: a key on which they differ holds the list of their values."""
    keys = dict.fromkeys(key for stamp in stamps for key in stamp)
    merged = {}
    for key in keys:
        values = [stamp.get(key) for stamp in stamps]
        merged[key] = values[0] if all(value == values[0] for value in values) else values
    return merged


def _order(row: Row, sort: str | None) -> tuple[Any, ...]:
    """Return what rows of one data set are sorted by; absent last."""
    if sort is None:
        bits = math.inf if row["nll_bpd"] is None else row["nll_bpd"]
        fid = math.inf if row["fid"] is None else row["fid"]
        if row["status"] == "anchor":
            return fid, bits
        firm = FIRM[row["nll_kind"] if row["checked"] is not False else None]
        told = row["nll_converged"] is False, bits, fid
        return firm, *told, row["family"], row["plain_label"], STATUSES[row["status"]]
    value = row[sort]
    if value is None or value == []:
        return (1,)
    # Figures of two extractors have no order.
    return 0, (row["extractor"] or "") if sort in OF_EXTRACTOR else "", -value if sort in BETTER_HIGH else value


def render(records: Iterable[Record], fmt: str, sort: str | None = None, view: View | None = None) -> str:
    """Return the table as ``md``, ``csv``, ``tex``, ``json`` or ``html`` text; ``view`` says what of it people see.

    Raises:
        ValueError: for another format, a column that there is not, or a choice of columns in a format that keeps all.
    """
    if fmt not in texts.FORMATS:
        raise ValueError(f"format={fmt!r}: {nearest(fmt, [*texts.FORMATS, 'parquet'])}")
    _complete(fmt, view)
    return texts.FORMATS[fmt](rows(records, sort), view or View())


def _complete(fmt: str, view: View | None) -> None:
    if view is not None and fmt in WHOLE and view.columns not in ((DEFAULT,), (ALL,)):
        raise ValueError(f"columns {', '.join(view.columns)}: {fmt} keeps all; choose them in what reads it")


def save(
    path: Path, records: Iterable[Record], fmt: str | None = None, sort: str | None = None, view: View | None = None
) -> None:
    """Write the table into one file, whole or not at all; the format is that of the file's name unless given.

    Raises:
        ValueError: for what :func:`render` refuses, or Parquet without pyarrow.
    """
    fmt = fmt or path.suffix.lstrip(".").lower()
    if fmt == "parquet":
        from genbench.tables.parquet import write as write_parquet

        _complete(fmt, view)
        write_parquet(path, rows(records, sort))
        return
    text = render(records, fmt, sort, view)
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write(folder: Path, records: Iterable[Record], view: View | None = None) -> None:
    """Write ``table.csv``, ``table.md``, ``table.tex`` and ``table.json`` into ``folder``, each whole or not at all."""
    table = rows(records)
    for fmt in layout.TABLES:
        with written_whole(folder / f"table.{fmt}") as part:
            part.write_text(texts.FORMATS[fmt](table, view or View()), encoding="utf-8")


def show(records: Iterable[Record], console: Console, sort: str | None = None, view: View | None = None) -> None:
    """Print the table to a terminal; columns that do not fit are left to the files."""
    terminal.show(rows(records, sort), console, view or View())
