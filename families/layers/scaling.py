"""Scaling between integer levels and the real numbers that networks take, and how far a shape can be halved."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def to_unit(images: Tensor, levels: int) -> Tensor:
    """Scale integer levels ``0 … levels-1`` to float32 on [-1, 1]."""
    return images.float() * (2 / (levels - 1)) - 1


def to_levels(values: Tensor, levels: int) -> Tensor:
    """Scale reals on [-1, 1] to levels, float: 0 to ``levels - 1``, not rounded."""
    return (values + 1) * ((levels - 1) / 2)


def to_uint8(values: Tensor, levels: int) -> Tensor:
    """Round reals in levels to the nearest, within ``0 … levels-1``."""
    return values.round().clamp(0, levels - 1).to(torch.uint8)


def halvings(height: int, width: int, least: int = 4) -> int:
    """Count how often both sides halve evenly, down to ``least``: 28 → 14 → 7 is 2, 32 → 16 → 8 → 4 is 3."""
    count = 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) // 2 >= least:
        height //= 2
        width //= 2
        count += 1
    return count


def scales(height: int, width: int, least: int = 4) -> int:
    """Count how often the shorter side halves down to ``least``, evenly or not: 28 → 14 → 7 is 2, 13 → 6½ is 1."""
    return max((min(height, width) // least).bit_length() - 1, 0)


def halved(sides: Sequence[int], times: int) -> tuple[int, int]:
    """Return an image's sides, halved so many times, each time rounded up: of 13×17 once 7×9 and twice 4×5."""
    height, width = sides
    return -(-height >> times), -(-width >> times)
