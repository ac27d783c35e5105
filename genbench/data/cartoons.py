"""``cartoon:``: what a draughtsman might make of a photograph: flat tones and dark lines."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from genbench.data.dataset import Dataset
from genbench.data.edges import edge_map
from genbench.data.sources import CHUNK, grey, mirrored, same_shape
from genbench.spec import DataSpec, Split, to_bytes

WINDOW = 5  # pixels of a median
TONE = 51  # levels from a tone to the next: six of them


def cartoon_spec(spec: DataSpec, _: int) -> DataSpec:
    """Return the spec with images in 256 levels, and as sources what they are drawn after."""
    return replace(same_shape(spec, 0), levels=256)


def drawn(dataset: Dataset, _: int) -> Dataset:
    """Return the data set in which each image is the source of its cartoon."""

    def change(split: Split, _: str) -> Split:
        sources = to_bytes(split.images, dataset.spec.levels)
        images = torch.cat([cartoon(part) for part in sources.split(CHUNK)])
        return Split(images, split.labels, sources, split.fields)

    return replace(dataset.each(change), aligned=True)


def cartoon(images: Tensor) -> Tensor:
    """Return cartoons: uint8 ``(N, C, H, W)`` in and out.

    Of m, twice the median of 5×5 pixels, the grey L moves to the nearest of six tones ``51·((10L + 255) // 510)``, and
    the colours move as far. Where m has an edge, a quarter of the level is left.
    """
    smooth = median(median(images))
    light = grey(smooth)
    flat = (smooth + TONE * ((10 * light + 255) // 510) - light).clamp(0, 255)
    return torch.where(edge_map(smooth, 256) > 0, flat // 4, flat).to(torch.uint8)


def median(images: Tensor) -> Tensor:
    """Return the median of each pixel's 5×5 neighbours in its channel, edges mirrored: uint8 as ``images``."""
    around = mirrored(images, WINDOW // 2).unfold(2, WINDOW, 1).unfold(3, WINDOW, 1)
    neighbours = [around[..., y, x].contiguous() for y in range(WINDOW) for x in range(WINDOW)]
    middle = torch.zeros_like(images)  # the greatest level that more than half of them reach, bit by bit
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        level = middle | bit
        reached = torch.zeros_like(images)
        for values in neighbours:
            reached += values >= level
        middle = torch.where(reached > WINDOW**2 // 2, level, middle)
    return middle
