"""How near translations come to their own targets, by every measure that any pair of images has."""

from __future__ import annotations

from torch import Tensor

from genbench.metrics.gradients import gradient_histogram
from genbench.metrics.paired import l1, psnr, ssim
from genbench.records.parts import Paired


def paired(fake: Tensor, real: Tensor, levels: int) -> Paired:
    """Return PSNR, SSIM, L1 and the distance of gradient histograms of ``fake`` against the target of each.

    Args:
        fake: the images to be judged, uint8 ``(N, C, H, W)``.
        real: the target of each, uint8 ``(N, C, H, W)``.
        levels: the number of levels; the range is ``levels - 1``.

    Raises:
        ValueError: for what are not pairs of uint8 images, or sides below 6.
    """
    ratio = psnr(fake, real, levels)
    similarity = ssim(fake, real, levels)
    distance = l1(fake, real)
    steep = gradient_histogram(fake, real, levels)
    return Paired(
        psnr=ratio.mean,
        psnr_standard_error=ratio.standard_error,
        ssim=similarity.mean,
        ssim_standard_error=similarity.standard_error,
        l1=distance.mean,
        l1_standard_error=distance.standard_error,
        gradients=steep.value,
        gradients_standard_error=steep.standard_error,
        images=ratio.images,
    )
