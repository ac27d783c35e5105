"""Means, their standard errors, and rows spread evenly over a split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean, summed without rounding error; infinite where a value is."""
    return math.fsum(values) / len(values)


def standard_error(values: Sequence[float]) -> float | None:
    """Return ``s / √n`` with ``s² = Σ (x - mean)² / (n - 1)``; None for a single value or an infinite mean."""
    centre = mean(values)
    if len(values) < 2 or not math.isfinite(centre):
        return None
    variance = math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance / len(values))


def spread(count: int, limit: int | None) -> Tensor:
    """Return ``min(count, limit)`` rows, evenly spread, so that a split sorted by class gives every class.

    Raises:
        ValueError: for no images, or a limit below 1.
    """
    import torch

    if count < 1:
        raise ValueError("split: there are no images, and a likelihood needs at least one")
    if limit is not None and limit < 1:
        raise ValueError(f"limit={limit}: give at least 1 image, or None for all")
    wanted = count if limit is None else min(count, limit)
    return torch.arange(wanted) * count // wanted
