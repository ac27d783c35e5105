"""Peak signal-to-noise ratio between translated images and their targets, by torchmetrics."""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from genbench.metrics.paired import Paired, check_pairs


def psnr(fake: Tensor, real: Tensor, levels: int) -> Paired:
    """``10 log10((levels - 1)² / MSE)`` in decibels, an image at a time, then the mean.

    A pair without any difference has an infinite ratio, and so has the mean.

    Args:
        fake: uint8 ``(N, C, H, W)``.
        real: the target of each.
        levels: the range is ``levels - 1``.

    Raises:
        ValueError: for what are not pairs of uint8 images.
    """
    check_pairs(fake, real)
    return Paired.of(
        peak_signal_noise_ratio(
            fake.double(), real.double(), data_range=float(levels - 1), dim=(1, 2, 3), reduction="none"
        )
    )
