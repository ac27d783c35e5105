"""Quarter turns of images, and batches in which every turn occurs as often."""

from __future__ import annotations

import torch
from torch import Tensor

TURNS = 4


def turned(images: Tensor, quarters: int) -> Tensor:
    """Return square images ``(B, C, H, H)`` turned by so many quarters, against the clock."""
    return torch.rot90(images, quarters, (2, 3))


def all_turns(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return a quarter of the images, one at least, in all four turns, and how far each is turned, int64 ``(4 n,)``."""
    some = images[: max(len(images) // TURNS, 1)]
    quarters = torch.arange(TURNS, device=images.device).repeat_interleave(len(some))
    return torch.cat([turned(some, quarter) for quarter in range(TURNS)]), quarters


def check_square(shape: tuple[int, int, int], name: str) -> None:
    """Refuse (``ValueError``) a shape whose images a quarter turn would not leave as they are in size."""
    if shape[1] != shape[2]:
        raise ValueError(f"shape={shape}: {name} turns images by a quarter, so that they must be square")
