"""Measures between an output and its own target: PSNR, SSIM, L1, and means over pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.stats import mean, standard_error

BLOCK = 256  # pairs that are compared at once, at most
NUMBERS = 2**24  # float64 values that a comparison of several pairs holds, at most
COPIES = 4  # of both images that a difference of pixels holds


@dataclass(frozen=True)
class PairMean:
    """A mean over pairs of images, with its standard error.

    Args:
        mean: the mean over pairs.
        standard_error: the standard error of the mean; None for one pair or an infinite mean.
        images: the number of pairs.
    """

    mean: float
    standard_error: float | None
    images: int

    @classmethod
    def of(cls, values: Tensor) -> PairMean:
        """Return the mean of one value a pair."""
        numbers = values.double().tolist()
        return cls(mean(numbers), standard_error(numbers), len(numbers))


def check_pairs(fake: Tensor, real: Tensor) -> None:
    """Refuse, by ``ValueError``, what are not pairs of uint8 images ``(N, C, H, W)``."""
    if fake.shape != real.shape or fake.dim() != 4 or len(fake) == 0:
        raise ValueError(f"pairs of shape {tuple(fake.shape)} and {tuple(real.shape)}: give (N, C, H, W) twice")
    for name, images in (("fake", fake), ("real", real)):
        if images.dtype != torch.uint8:
            raise ValueError(f"{name} images are {images.dtype}: give uint8 levels, as files hold them")


def psnr(fake: Tensor, real: Tensor, levels: int) -> PairMean:
    """Return ``10 log10((levels - 1)² / MSE)`` in decibels, an image at a time, then the mean.

    A pair without any difference has an infinite ratio, and so has the mean.

    Args:
        fake: the images to be judged, uint8 ``(N, C, H, W)``.
        real: the target of each, uint8 ``(N, C, H, W)``.
        levels: the number of levels; the range is ``levels - 1``.

    Raises:
        ValueError: for what are not pairs of uint8 images.
    """
    check_pairs(fake, real)
    from torchmetrics.functional.image import peak_signal_noise_ratio  # only where there are pairs: it takes a while

    parts = [
        peak_signal_noise_ratio(f, r, data_range=float(levels - 1), dim=(1, 2, 3), reduction="none")
        for f, r in _blocks(fake, real, COPIES * fake[0].numel())
    ]
    return PairMean.of(torch.cat(parts))


def l1(fake: Tensor, real: Tensor) -> PairMean:
    """Return the mean absolute difference of an image from its target, in levels, then the mean over pairs.

    Args:
        fake: the images to be judged, uint8 ``(N, C, H, W)``.
        real: the target of each, uint8 ``(N, C, H, W)``.

    Raises:
        ValueError: for what are not pairs of uint8 images.
    """
    check_pairs(fake, real)
    pairs = _blocks(fake, real, COPIES * fake[0].numel())
    return PairMean.of(torch.cat([(f - r).abs().flatten(1).mean(1) for f, r in pairs]))


def _blocks(fake: Tensor, real: Tensor, numbers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield some pairs at a time in float64, as few as ``numbers`` for each pair, which their comparison holds, ask."""
    size = max(1, min(BLOCK, NUMBERS // numbers))
    for f, r in zip(fake.split(size), real.split(size), strict=True):
        yield f.double(), r.double()


SMALLEST_SIDE = 6  # where a window of 3 is half


def window(height: int, width: int) -> int:
    """Return the side of the Gaussian window: the paper's 11, or the largest odd number within half the shorter side.

    28 and 32 px keep 11, 16 px take 7, 8 px take 3: an 11-pixel window on an 8×8 image would see its mirror images
    rather than its structure.

    Raises:
        ValueError: for a side below 6, where no window of 3 fits half of it.
    """
    half = min(height, width) // 2
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(f"images are {height}×{width}: ssim needs sides of at least {SMALLEST_SIDE}")
    return min(11, half - 1 + half % 2)


def ssim(fake: Tensor, real: Tensor, levels: int) -> PairMean:
    """Return SSIM with K₁ = 0.01, K₂ = 0.03 over the image with mirrored edges, an image at a time, then the mean.

    The window's standard deviation shrinks with it from the paper's 1.5, so that it is cut at the same density.

    Args:
        fake: the images to be judged, uint8 ``(N, C, H, W)``.
        real: the target of each, uint8 ``(N, C, H, W)``.
        levels: the number of levels; the range is ``levels - 1``.

    Raises:
        ValueError: for what are not pairs of uint8 images, or sides below 6.
    """
    check_pairs(fake, real)
    from torchmetrics.functional.image import structural_similarity_index_measure  # as above

    height, width = fake.shape[2:]
    side = window(height, width)
    parts = []
    # torchmetrics holds the windows of five maps of a channel.
    for f, r in _blocks(fake, real, 5 * side**2 * height * width):
        values = structural_similarity_index_measure(
            f, r, sigma=1.5 * side / 11, data_range=float(levels - 1), reduction="none"
        )
        parts.append((values[0] if isinstance(values, tuple) else values).reshape(-1))  # the maps were not asked for
    return PairMean.of(torch.cat(parts))
