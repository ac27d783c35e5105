"""What a figure rests on, part by part of its stamp, and the refusal, by name, to rank figures whose parts differ.

A part of the stamp decides a figure where another value of it could move the figure: another extractor its FID, more
threads its latency. Versions and the git revision decide nothing by themselves, or no two runs could be put together;
of what computes the figure itself the version counts, and :data:`genbench.records.stamp.MEASURES` counts for our own
part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from genbench.records.record import Record
from genbench.records.stamp import annealed, legs, of_training
from genbench.tables.columns import RANKED
from genbench.tables.doubts import doubt
from genbench.tables.figure import at, blind
from genbench.tables.groups import LIKELIHOOD, MACHINE, QUALITY, SPEED, FigureGroup

Rows = Sequence[Sequence[Record]]
Sides = tuple[tuple[int, ...], ...]
Cause = tuple[str, tuple[tuple[str, tuple[int, ...]], ...]]  # a part, and for each of its values the rows

GROUPS = tuple(dict.fromkeys((LIKELIHOOD, QUALITY, SPEED, *(figure.group for figure in RANKED if figure.group))))
HEADS: Mapping[FigureGroup, str] = {
    group: ", ".join(dict.fromkeys(figure.name for figure in RANKED if figure.group == group and figure.header))
    for group in GROUPS
}
ALWAYS = {"timing.dtype": "float32", "parallel": "one device"}  # before stamps said so
SAID = ("revision", "versions")
COMPANY = "company.jobs"  # of a training: how many cells its machine had room for at once
ALONE = {"company jobs": "1"}  # what a stamp that says nothing means
ABSENT = "absent"
MOST_ROWS = 3
MOST_PARTS = 4


def parts(record: Record, group: FigureGroup, *, timed: bool | None = None, counted: bool = True) -> dict[str, str]:
    """Return what must be equal for two cells' figures of this group to be ranked together: name → value, as JSON.

    A budget of seconds buys more on a faster machine, so where training was ``timed``, by its stamp if nothing else is
    said, the machine is among it. What the figures were ``counted`` on, test images and the like, is among it where the
    record has them, unless this is not asked for. What a reader sees beside the figure, its kind and what it is given,
    is :func:`shown_beside`.
    """
    stamp = record.stamp
    wanted = group.rests_on
    by_clock = group.trained and (by_seconds(record) if timed is None else timed)
    if by_clock:
        wanted += (*MACHINE, COMPANY)
    whole = ALWAYS | dict(leaves(of_training(stamp) if group.trained else stamp))
    below: dict[str, list[str]] = {}
    for name in whole:
        below.setdefault(name.partition(".")[0], []).append(name)
    decisive = {
        name: whole[name]
        for part in wanted
        for name in below.get(part.partition(".")[0], ())
        if name == part or name.startswith(f"{part}.")
    }
    if by_clock and (elsewhere := _legs_elsewhere(stamp)):
        decisive["trained on from elsewhere"] = elsewhere
    decisive["measures"] = (stamp.get("measures") or {}).get(group.name, 1)
    if counted and getattr(record, group.part) is not None:
        decisive |= {name: at(record, f"{group.part}.{field}") for name, field in group.counts}
    if group == LIKELIHOOD and (test := record.test) is not None and test.kind == "estimate":
        # As good as its estimator; a code length is one however it was found.
        decisive |= {"draws": test.draws, "method": test.method, "effort": test.effort}
        if annealed(record):
            decisive["estimates"] = (stamp.get("measures") or {}).get("estimates", 1)
    return {name.replace(".", " "): json.dumps(value, default=str) for name, value in decisive.items()}


def _legs_elsewhere(stamp: Mapping[str, Any]) -> list[Any]:
    """Return where the first parts of a training by the clock were done, if that was elsewhere than the last."""
    return [leg["trained"] for leg in legs(stamp) if "trained" in leg]


def by_seconds(record: Record) -> bool:
    """Return whether the clock decided how long the record's model was trained."""
    return "seconds" in (record.stamp.get("budget") or {})


def shown_beside(record: Record, group: FigureGroup) -> Hashable:
    """Return what else must be equal: it stands in the table beside the figure, and needs no footnote.

    Of likelihoods an exact value and a bound are equal in kind: code lengths that the model can be held to.
    """
    same: tuple[Hashable, ...] = (record.dataset, record.labelled, record.given)
    if group == LIKELIHOOD and (test := record.test) is not None:
        same += (test.kind == "estimate", test.given, test.observation)
    return (*same, record.extractor) if group.per_extractor else same


def alike(record: Record, groups: Sequence[FigureGroup] = (LIKELIHOOD, QUALITY, SPEED)) -> str:
    """Return eight hexadecimal digits that are equal for cells of which all figures of these groups may be compared."""
    same = [(sorted(parts(record, group).items()), shown_beside(record, group)) for group in groups]
    return hashlib.sha256(json.dumps(same, default=str).encode()).hexdigest()[:8]


def measured(record: Record, group: FigureGroup) -> bool:
    """Return whether the record has figures of this group that stamps may keep apart, of a model that is believed."""
    if doubt(record):
        return False
    if group == LIKELIHOOD:
        return record.test is not None and record.test.converged is not False
    return getattr(record, group.part) is not None and not blind(record, group)


def refusals(rows: Rows, labels: Sequence[str]) -> list[list[str]]:
    """Return for each row what it is not ranked with and why: group, rows on each side, and parts that differ.

    It names only rows that would be ranked together but for their stamps. Rows of one note share its text.

    Args:
        rows: the rows of a table; the cells of each agree in all their parts.
        labels: the label of each row.
    """
    notes: list[list[str]] = [[] for _ in rows]
    for dataset in dict.fromkeys(cells[0].dataset for cells in rows):
        mine = [i for i, cells in enumerate(rows) if cells[0].dataset == dataset]
        causes: dict[Cause, list[FigureGroup]] = {}
        for group in GROUPS:
            for cause in _causes([i for i in mine if _eligible(rows[i][0], group)], rows, group):
                causes.setdefault(cause, []).append(group)
        # One sentence for all parts that part the same figures and rows in the same way.
        sentences: dict[tuple[tuple[FigureGroup, ...], Sides], list[str]] = {}
        for (part, values), groups in causes.items():
            said = f"{part} differs ({' / '.join(short(value) for value, _ in values)})"
            sentences.setdefault((tuple(groups), tuple(members for _, members in values)), []).append(said)
        for (groups_of, sides), why in sentences.items():
            text = _sentence(groups_of, [_listed([labels[i] for i in side]) for side in sides], why)
            for index in (i for side in sides for i in side):
                notes[index].append(text)
    return notes


def _sentence(groups: Sequence[FigureGroup], sides: Sequence[str], why: Sequence[str]) -> str:
    heads = ", ".join(HEADS[group] for group in groups)
    verb = "are" if "," in heads or heads == HEADS[LIKELIHOOD] else "is"
    more = f"; and {len(why) - MOST_PARTS} more parts" if len(why) > MOST_PARTS else ""
    others = "; nor with ".join(sides[1:])
    start = f"{heads[0].upper()}{heads[1:]} of {sides[0]} {verb} not ranked with {others}"
    return f"{start}: {'; '.join(why[:MOST_PARTS])}{more}."


def _eligible(record: Record, group: FigureGroup) -> bool:
    return record.status in ("done", "evaluated") and measured(record, group)


def _causes(members: Sequence[int], rows: Rows, group: FigureGroup) -> Iterator[Cause]:
    """Yield each part with several values in rows that look alike (:func:`shown_beside`): the rows of each value."""
    together: dict[Hashable, list[int]] = {}
    for index in members:
        together.setdefault(shown_beside(rows[index][0], group), []).append(index)
    sides: dict[str, dict[str, list[int]]] = {}
    for some in together.values():
        timed = any(by_seconds(rows[index][0]) for index in some)
        of = {index: parts(rows[index][0], group, timed=timed) for index in some}
        for name in dict.fromkeys(name for mine in of.values() for name in mine):
            values: dict[str, list[int]] = {}
            for index, mine in of.items():
                # Nobody knows what an evaluated row was trained with: the table says so once, of all its figures.
                if name in mine or rows[index][0].status != "evaluated":
                    values.setdefault(mine.get(name, ALONE.get(name, ABSENT)), []).append(index)
            if len(values) > 1:
                for value, indices in values.items():
                    sides.setdefault(name, {}).setdefault(value, []).extend(indices)
    for name, values in sides.items():
        yield name, tuple((value, tuple(sorted(indices))) for value, indices in values.items())


def remarks(rows: Rows) -> list[list[str]]:
    """Return for each row what differs within its data set and keeps no figures apart: revision and versions."""
    notes: list[list[str]] = [[] for _ in rows]
    for dataset in dict.fromkeys(cells[0].dataset for cells in rows):
        here = {i: cells[0] for i, cells in enumerate(rows) if cells[0].dataset == dataset}
        mine = {i: record for i, record in here.items() if record.status == "done"}
        again = any("trained" in record.stamp for record in mine.values())
        stamps = [said_of(record.stamp, SAID, again=again) for record in mine.values()]
        said = []
        for name in dict.fromkeys(name for stamp in stamps for name in stamp):
            values = dict.fromkeys(json.dumps(stamp.get(name)) for stamp in stamps)
            if len(values) > 1:
                said.append(f"{name.replace('.', ' ')} {' / '.join(map(short, values))}")
        if said:
            for index in mine:
                notes[index].append(f"Rows of {dataset} differ in {'; '.join(said)}, which keeps none apart by itself.")
    return notes


def said_of(stamp: Mapping[str, Any], names: Sequence[str], *, again: bool) -> dict[str, Any]:
    """Return parts of a stamp by dotted name; where any cell was measured ``again``, those of the training too."""
    chosen = {name: stamp.get(name) for name in names}
    trained = of_training(stamp)
    return dict(leaves(chosen | ({"trained": {name: trained.get(name) for name in names}} if again else {})))


def leaves(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a stamp's values by dotted name: ``extractor.hash``."""
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from leaves(item, f"{path}{name}.")
        else:
            yield f"{path}{name}", item


def short(value: str) -> str:
    """Return a part's value as a note says it: hashes cut to eight digits."""
    if value == ABSENT:
        return value
    text = json.loads(value)
    text = "none" if text is None else text if isinstance(text, str) else json.dumps(text)
    return text[:8] if len(text) >= 32 and all(c in "0123456789abcdef-dirty" for c in text) else text


def _listed(labels: Sequence[str]) -> str:
    labels = list(dict.fromkeys(labels))
    more = len(labels) - MOST_ROWS
    return ", ".join(labels[:MOST_ROWS]) + (f" and {more} more" if more > 0 else "")
