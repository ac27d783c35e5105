"""Differentiable augmentation of what a critic sees (DiffAugment, 2006.10738)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Generator, Tensor

from genbench.seed import uniform

SHIFT = 1 / 8  # of a side, either way
CUT = 1 / 2  # of a side

Augment = Callable[[Tensor, Generator], Tensor]


def color(images: Tensor, generator: Generator) -> Tensor:
    """Return images of other colours: each is moved and scaled by numbers of its own.

    Brightness moves by up to ½, saturation is scaled by 0 to 2 and contrast by ½ to 3/2. Saturation is the distance
    from grey, the mean over channels: a single channel has none.
    """
    numbers = _numbers(images, generator, 3).to(images.dtype)
    brightness, saturation, contrast = rearrange(numbers, "number image -> number image 1 1 1")
    images = images + brightness - 0.5
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * 2 * saturation
    level = images.mean((1, 2, 3), keepdim=True)
    return level + (images - level) * (0.5 + contrast)


def translation(images: Tensor, generator: Generator) -> Tensor:
    """Return images moved by up to an eighth of each side, whole pixels; what comes in is 0, the middle of [-1, 1]."""
    moves = [int(SHIFT * side + 0.5) for side in images.shape[2:]]
    padded = F.pad(images, (moves[1], moves[1], moves[0], moves[0]))
    padded = rearrange(padded, "image channel row column -> image row column channel")
    rows, columns = (
        (share * (2 * move + 1)).long()[:, None] + torch.arange(side, device=images.device)
        for share, side, move in zip(_numbers(images, generator, 2), images.shape[2:], moves, strict=True)
    )
    each = torch.arange(len(images), device=images.device)[:, None, None]
    moved = padded[each, rows[:, :, None], columns[:, None, :]]
    return rearrange(moved, "image row column channel -> image channel row column")


def cutout(images: Tensor, generator: Generator) -> Tensor:
    """Return images in which a square of half of each side is set to 0, its middle anywhere."""
    inside = []
    for share, side in zip(_numbers(images, generator, 2), images.shape[2:], strict=True):
        size = int(CUT * side + 0.5)
        first = (share * (side + 1 - size % 2)).long() - size // 2
        at = torch.arange(side, device=images.device)
        inside.append((at >= first[:, None]) & (at < first[:, None] + size))
    return images * ~(inside[0][:, None, :, None] & inside[1][:, None, None, :])


AUGMENTATIONS: dict[str, Augment] = {"color": color, "translation": translation, "cutout": cutout}


@dataclass(frozen=True)
class Augmentation:
    """An augmentation made of some of :data:`AUGMENTATIONS`, one behind the other.

    Args:
        names: the names of the changes.
    """

    names: tuple[str, ...]

    @property
    def setting(self) -> str:
        """What is done to the images, in words, for a column of the table."""
        return f"augmented by {' and '.join(self.names)}"

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Return images ``(B, C, H, W)`` on [-1, 1], changed."""
        for name in self.names:
            images = AUGMENTATIONS[name](images, generator)
        return images


def augmentation(names: str) -> Augment | None:
    """Return all of ``names``, one behind the other, as one augmentation; None for an empty string.

    Raises:
        ValueError: for a name that there is not, or anything but a string.
    """
    if not isinstance(names, str):
        raise ValueError(f"augment={names!r}: give {', '.join(AUGMENTATIONS)} in one string, with commas between")
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    for name in chosen:
        if name not in AUGMENTATIONS:
            raise ValueError(f"augment={names!r}: there is no {name!r}: give {', '.join(AUGMENTATIONS)}")

    return Augmentation(tuple(chosen)) if chosen else None


def _numbers(images: Tensor, generator: Generator, count: int) -> Tensor:
    """Return ``(count, B)`` numbers on [0, 1), in float32.

    In bfloat16 they could round to 1, and a place drawn so to one too many.
    """
    return uniform((count, len(images)), generator, images.device)
