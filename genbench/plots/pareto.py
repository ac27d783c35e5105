"""The Pareto front of likelihood, FID and speed, among rows that compare."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

AXES = (("nll_bpd", 1), ("fid", 1), ("images_per_second", -1))  # key, and the sign under which less is better


def pareto_front(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the places of rows that no row comparable in all three figures equals or beats in all and beats in one.

    Rows that nothing ranks, since their recipes did not pass their checks, are neither on a front nor push others off.
    Figures are taken as they stand, without regard to chance, among rows of the same seeds. A row that compares with no
    other is on no front, and neither is one whose likelihood did not converge: nobody knows where it is. It may push
    others off, since where it really is can be expected to be no worse than what it shows.

    Args:
        rows: the rows, as :func:`genbench.tables.rows.rows` makes them.
    """
    groups: dict[Hashable, dict[int, tuple[float, ...]]] = {}
    for index, row in enumerate(rows):
        point = tuple(sign * math.nan if row[key] is None else sign * row[key] for key, sign in AXES)
        if row["status"] == "done" and row.get("checked") is not False and all(map(math.isfinite, point)):
            groups.setdefault((row["alike"], *row["seeds"]), {})[index] = point
    return sorted(
        index
        for points in groups.values()
        for index, point in points.items()
        if len(points) > 1 and rows[index]["nll_converged"] is not False
        if not any(_beats(other, point) for other in points.values())
    )


def _beats(a: Sequence[float], b: Sequence[float]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))
