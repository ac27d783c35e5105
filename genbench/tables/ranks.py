"""Which figures may be compared, and which differences are more than chance.

Two figures are compared only if they were measured in the same way, as :mod:`genbench.tables.comparable` has it.
The difference of two rows is then a mean of paired differences ``d``, and counts where its 95 % t-interval,
``mean(d) ± t(0.975, n-1) · s(d) / √n``, leaves out zero. A row's rank is one more than the number of rows that are
better by more than chance, so that ties share a rank and the order of rows is nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import stdtrit

from genbench.records.record import Record
from genbench.tables import comparable
from genbench.tables.figure import Figure
from genbench.tables.groups import LIKELIHOOD


@dataclass(frozen=True)
class Rank:
    """A rank: one more than the rows better by more than chance, among ``among``; ``best`` beats all the others."""

    place: int
    among: int
    best: bool


def comparison_key(record: Record, figure: Figure) -> Hashable | None:
    """Return what must be equal for two cells' figures to be ranked together; None where this one has no rank."""
    value = figure.of(record)
    group = figure.group
    if record.status != "done" or group is None or value is None or not math.isfinite(value):
        return None
    if not comparable.measured(record, group):
        return None
    return (comparable.shown_beside(record, group), *comparable.parts(record, group).items())


def interval(differences: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % t-interval of the mean of paired differences; None for fewer than two, or any not finite."""
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    half = float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / math.sqrt(len(values)))
    return float(values.mean()) - half, float(values.mean()) + half


def differ(a: Sequence[Record], b: Sequence[Record], figure: Figure) -> int | None:
    """Return -1 where ``a`` is lower by more than chance, 1 where higher, 0 where nobody can tell; None without pairs.

    The pairs are over the seeds that both have, if there are two at least; a likelihood's of one seed over its images.
    """
    ours, theirs = ({record.seed: record for record in cells} for cells in (a, b))
    shared = sorted(ours.keys() & theirs.keys())
    pairs: list[tuple[float, float]] = []
    if len(shared) > 1:
        pairs = [(figure.of(ours[seed]) or 0.0, figure.of(theirs[seed]) or 0.0) for seed in shared]
    elif shared and len(ours) == len(theirs) == 1 and figure.group == LIKELIHOOD:
        left, right = (cells[shared[0]].test for cells in (ours, theirs))
        if left is not None and right is not None and len(left.per_image) == len(right.per_image):
            pairs = list(zip(left.per_image, right.per_image, strict=True))
    limits = interval([x - y for x, y in pairs])
    if limits is None:
        return None
    low, high = limits
    return -1 if high < 0 else 1 if low > 0 else 0


def ranks(rows: Sequence[Sequence[Record]], figure: Figure) -> list[Rank | None]:
    """Return the rank of each row, a row being its cells; None where a row has nothing that it may be compared with."""
    groups: dict[Hashable, list[int]] = {}
    for index, cells in enumerate(rows):
        keys = {comparison_key(record, figure) for record in cells}
        if len(keys) == 1 and (key := keys.pop()) is not None:
            groups.setdefault(key, []).append(index)
    places: list[Rank | None] = [None] * len(rows)
    for members in groups.values():
        for index, rank in _ranked(members, lambda i, j: differ(rows[i], rows[j], figure), figure).items():
            places[index] = rank
    return places


def _ranked(members: Sequence[int], differ: Callable[[int, int], int | None], figure: Figure) -> dict[int, Rank]:
    sign = 1 if figure.better == "high" else -1
    wins: dict[tuple[int, int], bool | None] = {}
    for i, j in combinations(members, 2):
        difference = differ(i, j)
        wins[i, j] = None if difference is None else difference == sign
        wins[j, i] = None if difference is None else difference == -sign
    kept = list(members)
    # A row without pairs to some other row cannot be placed: the rows that lack most go, until all can be.
    while lacks := {i: n for i in kept if (n := sum(wins[i, j] is None for j in kept if j != i))}:
        kept = [i for i in kept if lacks.get(i, 0) < max(lacks.values())]
    if len(kept) < 2:
        return {}
    return {
        i: Rank(
            1 + sum(bool(wins[j, i]) for j in kept if j != i),
            len(kept),
            all(wins[i, j] for j in kept if j != i),
        )
        for i in kept
    }
