"""Mean and standard error, in one place."""

from __future__ import annotations

import math
from collections.abc import Sequence


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean, summed without rounding error; infinite where a value is."""
    return math.fsum(values) / len(values)


def standard_error(values: Sequence[float]) -> float | None:
    """``s / √n`` with ``s² = Σ (x - mean)² / (n - 1)``; None for a single value or an infinite mean."""
    centre = mean(values)
    if len(values) < 2 or not math.isfinite(centre):
        return None
    variance = math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance / len(values))
