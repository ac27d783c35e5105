"""Images made worse in a way that a model is to undo: ``lowresK:``."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import gcd

import torch
from torch import Tensor

from genbench.data.dataset import Dataset
from genbench.data.sources import from_itself, without_source
from genbench.spec import DataSpec, to_bytes


def lowres_spec(spec: DataSpec, factor: int) -> DataSpec:
    """Return the spec with sources whose sides are ``factor`` times shorter.

    Raises:
        ValueError: for sides that it does not divide, with those that would do.
    """
    channels, height, width = without_source(spec).shape
    common = gcd(height, width)
    if factor < 2 or common % factor:
        fitting = ", ".join(str(n) for n in range(2, common + 1) if common % n == 0) or "none"
        raise ValueError(f"{factor} makes no smaller images of those of {width}×{height}; what does: {fitting}")
    return replace(spec, source=(channels, height // factor, width // factor))


def lowres(dataset: Dataset, factor: int) -> Dataset:
    """Return the data set in which each image smaller by ``factor`` is its own source."""
    return from_itself(partial(reduced, factor=factor), dataset, factor)


def reduced(images: Tensor, levels: int, *, factor: int) -> Tensor:
    """Return the rounded means of blocks, ``(Σ + factor² // 2) // factor²``: uint8 ``(N, C, H/factor, W/factor)``.

    Args:
        images: the images, uint8 ``(N, C, H, W)``.
        levels: the number of their levels, which are spread over 0 … 255 before.
        factor: the sides of a block in pixels; it divides both sides.
    """
    rows = to_bytes(images, levels).unflatten(3, (-1, factor)).sum(4, dtype=torch.int32)
    blocks = rows.unflatten(2, (-1, factor)).sum(3)
    return ((blocks + factor**2 // 2) // factor**2).to(torch.uint8)
