"""``shadow:``: images on which something out of sight throws a shadow."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from genbench.data.dataset import Dataset
from genbench.data.sources import CHUNK, mirrored, with_fields, without_source
from genbench.seed import generator, uniform
from genbench.spec import DataSpec, Field, Split, to_bytes

SIDES = 5  # of a shadow: half-planes that meet in it
TRIES = 8  # shadows that an image draws, of which it has one
COVERED = (10, 50)  # per cent of the image, of a shadow that is taken
DARKEST, BRIGHTEST = 90, 166  # of 256: what a shadow leaves of a level
BLUER = (0, 6, 16)  # what it leaves more of red, green and blue
GRID = 256  # of a pixel and of a normal's length: what is reckoned in whole numbers, whatever a machine's sine is
EACH = 3 + 2 * SIDES  # numbers that one shadow draws


def shadow_spec(spec: DataSpec, _: int) -> DataSpec:
    """Return the spec with shadowed images as sources, and the field ``shadow``.

    Raises:
        ValueError: for data that have sources or such a field.
    """
    mask = Field((1, *spec.shape[1:]), 2, "source")
    return replace(without_source(spec), source=spec.shape, fields=with_fields(spec, shadow=mask))


def shadowed(dataset: Dataset, _: int) -> Dataset:
    """Return the data set in which each image under a shadow of its own is its source, which the field shows."""

    def change(split: Split, name: str) -> Split:
        source = generator(0, "shadow", name)
        sources, masks = [], []
        for part in split.images.split(CHUNK):
            drawn = uniform((len(part), TRIES * EACH + 1), source)
            strength = penumbra(chosen(drawn[:, :-1], *part.shape[2:]))
            left = DARKEST + (drawn[:, -1] * (BRIGHTEST + 1 - DARKEST)).int()
            sources.append(darkened(to_bytes(part, dataset.spec.levels), strength, left))
            masks.append((strength >= 128).to(torch.uint8))
        return replace(split, sources=torch.cat(sources), fields={**split.fields, "shadow": torch.cat(masks)})

    return replace(dataset.each(change), aligned=True)


def darkened(images: Tensor, strength: Tensor, left: Tensor) -> Tensor:
    """Return ``(y·(65536 - s(256 - a)) + 32768) >> 16``: uint8 as ``images``, ``(N, C, H, W)``.

    Args:
        images: the images y, uint8 ``(N, C, H, W)``.
        strength: the strength s of the shadow from 0 to 256, ``(N, 1, H, W)``.
        left: the part of 256 that a full shadow leaves of grey or red, a of each image, ``(N,)``.
    """
    more = torch.tensor(BLUER if images.shape[1] == 3 else (0,), dtype=torch.int64)
    lost = 256 - (left[:, None].long() + more)[:, :, None, None]
    return ((images * (65536 - strength * lost) + 32768) >> 16).to(torch.uint8)


def penumbra(masks: Tensor) -> Tensor:
    """Return 256 times masks of 0 and 1, int64 ``(N, 1, H, W)``, after two rounded 3×3 means, edges mirrored."""
    strength = 256 * masks.long()
    for _ in range(2):
        around = mirrored(strength, 1).unfold(2, 3, 1).unfold(3, 3, 1)
        strength = (around.sum((4, 5)) + 4) // 9
    return strength


def chosen(drawn: Tensor, height: int, width: int) -> Tensor:
    """Return of each image's shadows the first that covers 10 to 50 %, else the last: bool ``(N, 1, H, W)``.

    Args:
        drawn: the numbers on [0, 1), ``(N, 104)``: those of the first shadow, of the second, and so on.
        height: the height in pixels.
        width: the width in pixels.
    """
    every = polygons(drawn.reshape(-1, EACH), height, width).view(-1, TRIES, 1, height, width)
    percent = every.flatten(2).sum(2) * 100
    low, high = (share * height * width for share in COVERED)
    fits = (percent >= low) & (percent <= high)
    fits[:, -1] = True
    return every[torch.arange(len(every)), fits.int().argmax(1)]


def polygons(drawn: Tensor, height: int, width: int) -> Tensor:
    """Return where ``(p - c)·n(θ + 2πk/5 ± ¼ rad) ≤ d`` for each of five sides k: bool ``(N, H, W)``.

    Args:
        drawn: the numbers on [0, 1), ``(N, 13)``: centre c in the image, turn θ, then the deviations of the normals n
            and the distances d, .15 to .5 of the shorter side.
        height: the height in pixels.
        width: the width in pixels.
    """
    drawn = drawn.double()
    centre = (drawn[:, :2] * torch.tensor([width, height]) * GRID).round().long()
    angle = 2 * math.pi * (drawn[:, 2:3] + torch.arange(SIDES) / SIDES) + 0.5 * (drawn[:, 3 : 3 + SIDES] - 0.5)
    normals = (torch.stack([angle.cos(), angle.sin()]) * GRID).round().long()
    distance = ((0.15 + 0.35 * drawn[:, 3 + SIDES :]) * min(height, width) * GRID**2).round().long()
    across = torch.arange(width) * GRID + GRID // 2 - centre[:, :1]
    down = torch.arange(height) * GRID + GRID // 2 - centre[:, 1:]
    inside = torch.ones(len(drawn), height, width, dtype=torch.bool)
    for k in range(SIDES):
        x, y = (normal[:, k, None, None] for normal in normals)
        inside &= across[:, None, :] * x + down[:, :, None] * y <= distance[:, k, None, None]
    return inside
