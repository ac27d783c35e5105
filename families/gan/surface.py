"""Surfaces of images: the grey level seen as height, its normals, and nine classes of where they lean."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from families.layers.growing import down

STEEPNESS = 4.0  # k: how high the grey level stands, in pixels
FLAT = math.cos(math.radians(15))  # of a normal's third number, from which on it counts as upright
SECTORS = 8
CLASSES = 1 + SECTORS
SLIGHT = 0.1  # of a made normal's first two numbers, up to which they count as none
LUMINANCE = (0.299, 0.587, 0.114)
EPSILON = 1e-8


def halves(shape: tuple[int, int, int]) -> bool:
    """Return whether surfaces are of half the sides: where both are even, and large enough to be halved."""
    return all(side % 2 == 0 and side >= 4 for side in shape[1:])


def surface(images: Tensor) -> Tensor:
    """Return the normals of images on [-1, 1], ``(B, 3, H', W')`` of length 1, of half the sides where they are even.

    ``n = (-k gx, -k gy, 1) / ‖·‖`` with central differences of the luminance in [0, 1], its border repeated, k = 4.
    """
    grey = (images + 1) / 2
    if grey.shape[1] == 3:
        weights = torch.tensor(LUMINANCE, dtype=grey.dtype, device=grey.device)
        grey = (grey * weights[:, None, None]).sum(1, keepdim=True)
    else:
        grey = grey.mean(1, keepdim=True)
    if halves((1, *images.shape[2:])):
        grey = down(grey)
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    across = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    along = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    return of_unit_length(torch.cat([-STEEPNESS * across, -STEEPNESS * along, torch.ones_like(grey)], 1))


def of_unit_length(maps: Tensor) -> Tensor:
    """Return maps ``(B, 3, H, W)`` whose three numbers are of length 1 at each place."""
    return maps / (maps.square().sum(1, keepdim=True) + EPSILON).sqrt()


def settled(normals: Tensor) -> Tensor:
    """Return normals ``(B, 3, H, W)`` that stand upright where they hardly lean, as the real ones of plain ground do.

    What the first two numbers have beyond 0.1 is left of them, and the length is 1 again. The background of digits is
    exactly upright, and a network's numbers are exactly 0 nowhere: a critic can tell the two by that alone.
    """
    return of_unit_length(torch.cat([F.softshrink(normals[:, :2], SLIGHT), normals[:, 2:]], 1))


def leanings(normals: Tensor) -> Tensor:
    """Return the class of each normal, int64 ``(B, H, W)``: 0 within 15° of upright, else 1 … 8 by sectors of 45°.

    The first sector is centred on leaning to the right, the next ones follow towards the bottom.
    """
    angle = torch.atan2(normals[:, 1], normals[:, 0])
    sector = (angle / (2 * math.pi / SECTORS)).round().long() % SECTORS
    return torch.where(normals[:, 2] >= FLAT, 0, 1 + sector)
