"""Between integer levels and the real numbers that networks take, and how far a shape can be halved."""

from __future__ import annotations

import torch
from torch import Tensor


def to_unit(images: Tensor, levels: int) -> Tensor:
    """Integer levels ``0 … levels-1`` as float32 on [-1, 1]."""
    return images.float() * (2 / (levels - 1)) - 1


def to_levels(values: Tensor, levels: int) -> Tensor:
    """Reals on [-1, 1] in levels, float: 0 to ``levels - 1``, not rounded."""
    return (values + 1) * ((levels - 1) / 2)


def to_uint8(values: Tensor, levels: int) -> Tensor:
    """Reals in levels, rounded to the nearest and kept within ``0 … levels-1``."""
    return values.round().clamp(0, levels - 1).to(torch.uint8)


def halvings(height: int, width: int, least: int = 4) -> int:
    """How often both sides halve evenly without falling below ``least``: 28 → 14 → 7 is 2, 32 → 16 → 8 → 4 is 3."""
    count = 0
    while height % 2 == 0 and width % 2 == 0 and min(height, width) // 2 >= least:
        height, width, count = height // 2, width // 2, count + 1
    return count
