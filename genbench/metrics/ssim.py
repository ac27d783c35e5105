"""Structural similarity between translated images and their targets (Wang et al., 2004), by torchmetrics."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from genbench.metrics.paired import Paired, check_pairs

SMALLEST_SIDE = 6  # where a window of 3 is half


def window(height: int, width: int) -> int:
    """Side of the Gaussian window: the paper's 11, or the largest odd number within half the shorter side.

    28 and 32 px keep 11, 16 px take 7, 8 px take 3: an 11-pixel window on an 8×8 image would see its mirror images
    rather than its structure.

    Raises:
        ValueError: for a side below 6, where no window of 3 fits half of it.
    """
    half = min(height, width) // 2
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(f"images are {height}×{width}: ssim needs sides of at least {SMALLEST_SIDE}")
    return min(11, half - 1 + half % 2)


def ssim(fake: Tensor, real: Tensor, levels: int) -> Paired:
    """SSIM with K₁ = 0.01, K₂ = 0.03 over the image with mirrored edges, an image at a time, then the mean.

    The window's standard deviation shrinks with it from the paper's 1.5, so that it is cut at the same density.

    Args:
        fake: uint8 ``(N, C, H, W)``.
        real: the target of each.
        levels: the range is ``levels - 1``.

    Raises:
        ValueError: for what are not pairs of uint8 images, or sides below 6.
    """
    check_pairs(fake, real)
    sigma = 1.5 * window(*fake.shape[2:]) / 11
    # In batches: torchmetrics holds five float64 maps an image at once.
    return Paired.of(
        torch.cat([_ssim(f, r, sigma, levels) for f, r in zip(fake.split(256), real.split(256), strict=True)])
    )


def _ssim(fake: Tensor, real: Tensor, sigma: float, levels: int) -> Tensor:
    values = structural_similarity_index_measure(
        fake.double(), real.double(), sigma=sigma, data_range=float(levels - 1), reduction="none"
    )
    if isinstance(values, tuple):  # with the maps, which were not asked for
        values = values[0]
    return values.reshape(-1)
