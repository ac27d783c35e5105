"""Distances between batches of images or of maps, and what some of them compare: plain functions.

Images are ``(B, C, H, W)`` on [-1, 1]; every distance is a mean over batch, channels and places, a scalar.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as are the factors of U and V
BLUE, RED = 0.492, 0.877


def l1(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean absolute difference."""
    return F.l1_loss(one, other)


def l2(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean squared difference."""
    return F.mse_loss(one, other)


def huber(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean of ``½ d²`` where the difference d is within ±1, and of ``|d| - ½`` beyond."""
    return F.huber_loss(one, other)


def gram(maps: Tensor) -> Tensor:
    """Return the Gram matrix of each image's maps, ``F Fᵀ / (C·h·w)`` with F ``(C, h·w)``.

    It is ``(B, C, C)``, and of float32 at least, whatever the maps are.
    """
    with torch.autocast(maps.device.type, enabled=False):
        flat = maps.flatten(2).to(torch.promote_types(maps.dtype, torch.float32))
        return flat @ flat.transpose(1, 2) / flat[0].numel()


def grey(images: Tensor) -> Tensor:
    """Return the grey images ``(B, 1, H, W)`` of colour ones, on their scale; grey ones as they are.

    Raises:
        ValueError: for another number of channels than 1 or 3.
    """
    if images.shape[1] == 1:
        return images
    return _rgb(images, "grey").mul(torch.tensor(LUMA).to(images).view(1, 3, 1, 1)).sum(1, keepdim=True)


def yuv(images: Tensor) -> Tensor:
    """Return Y, U and V ``(B, 3, H, W)`` of colour images: Y is on [0, 1], and what is grey has U = V = 0.

    Raises:
        ValueError: for another number of channels than 3.
    """
    rgb = (_rgb(images, "yuv") + 1) / 2
    luma = grey(rgb)
    return torch.cat([luma, BLUE * (rgb[:, 2:] - luma), RED * (rgb[:, :1] - luma)], 1)


def _rgb(images: Tensor, name: str) -> Tensor:
    if images.shape[1] != 3:
        raise ValueError(f"images have {images.shape[1]} channels: {name} takes colour images, of 3")
    return images


def total_variation(images: Tensor) -> Tensor:
    """Return the mean over pixels of ``|Δx| + |Δy|``, the differences to the right and the lower neighbour."""
    right, down = images.diff(dim=3).abs().sum(), images.diff(dim=2).abs().sum()
    return (right + down) / images.numel()


def symmetry(images: Tensor) -> Tensor:
    """Return the mean absolute difference from the mirror image, left and right exchanged."""
    return l1(images, images.flip(3))


def pyramid(images: Tensor, scales: int) -> Sequence[Tensor]:
    """Return the images and their 2×2 means, each of half the sides before, ``scales`` in all; odd edges are dropped.

    Raises:
        ValueError: for images that do not halve so often.
    """
    if scales < 1 or min(images.shape[2:]) >> (scales - 1) < 1:
        raise ValueError(f"scales={scales}: give 1 or more, as often as sides of {tuple(images.shape[2:])} halve")
    levels = [images]
    while len(levels) < scales:
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels
