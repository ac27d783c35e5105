"""``profile:``: pictures as if painted on a cylinder, which is turned aside."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from genbench.data.dataset import Dataset
from genbench.data.sources import CHUNK, without_source
from genbench.seed import generator, uniform
from genbench.spec import DataSpec, Field, Split, to_bytes

LEAST, MOST = math.radians(15), math.radians(75)  # of a turn, to either side
SHIFTS = 16  # the part of the height that a picture is shifted by at most
GRID = 256  # of a pixel: where columns may lie, whatever a machine's sine is
LANDMARKS = "landmarks"


def profile_spec(spec: DataSpec, _: int) -> DataSpec:
    """Return the spec with turned images as sources; landmarks of the image become those of its source.

    Raises:
        ValueError: for data with sources, or landmarks that are no (x, y) in pixels.
    """
    fields = dict(without_source(spec).fields)
    if marks := fields.get(LANDMARKS):
        if marks.shape[1:] != (2,) or marks.levels > max(spec.shape[1:]):
            raise ValueError(f"field {LANDMARKS!r} has shape {marks.shape}: give K times (x, y) in pixels, (K, 2)")
        fields[LANDMARKS] = Field(marks.shape, max(spec.shape[1:]), "source")
    return replace(spec, source=spec.shape, fields=fields)


def profile(dataset: Dataset, _: int) -> Dataset:
    """Return the data set in which each image, turned aside and shifted, is its own source."""
    _, height, width = dataset.spec.shape

    def change(split: Split, name: str) -> Split:
        yaw, shift = drawn_turns(uniform((len(split), 3), generator(0, "profile", name)), height)
        images = to_bytes(split.images, dataset.spec.levels)
        parts = zip(images.split(CHUNK), yaw.split(CHUNK), shift.split(CHUNK), strict=True)
        sources = torch.cat([turned(part, angle, moved) for part, angle, moved in parts])
        fields = dict(split.fields)
        if LANDMARKS in fields:
            fields[LANDMARKS] = turned_points(fields[LANDMARKS], yaw, shift, height, width)
        return replace(split, sources=sources, fields=fields)

    return replace(dataset.each(change), aligned=True)


def drawn_turns(drawn: Tensor, height: int) -> tuple[Tensor, Tensor]:
    """Return yaw in radians, float64 ``(N,)``, and shifts (right, down) in pixels, ``(N, 2)``, of ``(N, 3)`` numbers.

    A yaw is uniform on ±[15°, 75°], a shift on the pixels from -H/16 to H/16.
    """
    side = 2 * drawn[:, 0].double() - 1
    yaw = torch.where(side < 0, -1, 1) * (LEAST + (MOST - LEAST) * side.abs())
    most = height // SHIFTS
    return yaw, (drawn[:, 1:] * (2 * most + 1)).long() - most


def turned(images: Tensor, yaw: Tensor, shift: Tensor) -> Tensor:
    """Return cylinders with ``images`` on their front half, turned and shifted: uint8 ``(N, C, H, W)`` in and out.

    Column j shows the angle φ = asin((2j + 1)/W - 1) + yaw: beyond ±π/2 black, else the image's column at
    ((sin φ + 1)W - 1)/2, rounded to 1/256 pixel, between two columns.

    Args:
        images: the images.
        yaw: the turn of each in radians, float64 ``(N,)``.
        shift: the pixels that each moves to the right and down, int64 ``(N, 2)``.
    """
    height, width = images.shape[2:]
    edge = (2 * torch.arange(width, dtype=torch.float64) + 1) / width - 1
    angle = edge.asin() + yaw[:, None]
    place = (((angle.sin() + 1) * width - 1) / 2 * GRID).round().long().clamp(0, (width - 1) * GRID)
    left, part = place // GRID, place % GRID
    right = (left + 1).clamp(max=width - 1)
    here, beside = (
        images.gather(3, column[:, None, None].expand(-1, *images.shape[1:3], -1)).long() for column in (left, right)
    )
    between = (here * (GRID - part[:, None, None]) + beside * part[:, None, None] + GRID // 2) // GRID
    shown = (between * (angle.abs() <= math.pi / 2)[:, None, None]).to(torch.uint8)
    # A pixel that is shifted in from beyond the image is black.
    x, y = torch.arange(width) - shift[:, :1], torch.arange(height) - shift[:, 1:]
    inside = ((x >= 0) & (x < width))[:, None] & ((y >= 0) & (y < height))[:, :, None]
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    moved = shown[torch.arange(len(shown))[:, None, None], :, y[:, :, None], x[:, None]]
    return moved.permute(0, 3, 1, 2) * inside[:, None]


def turned_points(points: Tensor, yaw: Tensor, shift: Tensor, height: int, width: int) -> Tensor:
    """Return where points (x, y) in pixels, int64 ``(N, K, 2)``, come to: x to sin(asin x - yaw) on [-1, 1].

    A point that is turned out of sight stays at the rim, and one that is shifted out of the image at its edge.
    """
    across = (2 * points[..., 0].double() + 1) / width - 1
    angle = (across.asin() - yaw[:, None]).clamp(-math.pi / 2, math.pi / 2)
    x = (((angle.sin() + 1) * width - 1) / 2).round().long() + shift[:, :1]
    y = points[..., 1] + shift[:, 1:]
    return torch.stack([x.clamp(0, width - 1), y.clamp(0, height - 1)], 2)
