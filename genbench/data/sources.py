"""What variants that make an image's source out of the image share, and the plainest of them, ``negative:``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from genbench.data.dataset import Dataset
from genbench.spec import DataSpec, Field, to_bytes

CHUNK = 256  # images at once: all of CIFAR-10 would take gigabytes


def without_source(spec: DataSpec) -> DataSpec:
    """Return ``spec``, if it has no sources yet.

    Raises:
        ValueError: for one that has.
    """
    if spec.source is not None:
        raise ValueError("it makes sources of images, and these have some already")
    return spec


def with_fields(spec: DataSpec, **fields: Field) -> dict[str, Field]:
    """Return the fields of ``spec`` and ``fields`` beside them.

    Raises:
        ValueError: for a field that the data have already.
    """
    for name in fields:
        if name in spec.fields:
            raise ValueError(f"it makes a field {name!r}, and the data have one already")
    return {**spec.fields, **fields}


def same_shape(spec: DataSpec, _: int) -> DataSpec:
    """Return the spec with sources of the images' own shape."""
    return replace(without_source(spec), source=spec.shape)


def from_itself(source_of: Callable[[Tensor, int], Tensor], dataset: Dataset, _: int) -> Dataset:
    """Return the data set in which ``source_of(images, levels)`` is each image's own source."""
    levels = dataset.spec.levels

    def known(images: Tensor) -> Tensor:
        return torch.cat([source_of(part, levels) for part in images.split(CHUNK)])

    varied = dataset.each(lambda split, name: replace(split, sources=known(split.images)))
    return replace(varied, aligned=True, source_of=known)


def negative(images: Tensor, levels: int) -> Tensor:
    """Return ``levels - 1 - x`` of each pixel, spread over 0 … 255: uint8 ``(N, C, H, W)`` in and out."""
    return to_bytes(levels - 1 - images, levels)


def grey(images: Tensor) -> Tensor:
    """Return ``(299R + 587G + 114B + 500) // 1000``, or the one channel there is: int32 ``(N, 1, H, W)`` of uint8."""
    if images.shape[1] == 1:
        return images.int()
    red, green, blue = images.int().split(1, 1)
    return (299 * red + 587 * green + 114 * blue + 500) // 1000


def complex_normals(size: Tensor, angle: Tensor) -> Tensor:
    """Return N + iN of independent normal N, complex, from two uniform numbers on [0, 1) each, float64 (Box, Muller).

    A number depends on its own two alone, unlike one of ``torch.randn``.
    """
    return torch.polar((-2 * (1 - size).log()).sqrt(), 2 * math.pi * angle)


def mirrored(images: Tensor, margin: int) -> Tensor:
    """Return ``(N, C, H, W)`` with ``margin`` pixels more on each side: the rows and columns next to the edge's."""
    for dim in (2, 3):
        side = images.shape[dim]
        if side <= margin:
            raise ValueError(f"images have a side of {side}, and it takes {margin + 1} or more")
        before = images.narrow(dim, 1, margin).flip(dim)
        behind = images.narrow(dim, side - 1 - margin, margin).flip(dim)
        images = torch.cat([before, images, behind], dim)
    return images
