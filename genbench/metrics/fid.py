"""Fréchet distance between two sets of features (FID; Heusel et al., arXiv:1706.08500), with its uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from genbench.metrics.frechet import Moments, blocks, distance, leave_one_out
from genbench.metrics.sets import check_count, check_sets

LEAST = 2
IMAGES_PER_FEATURE = 4  # that an extrapolation asks for: with fewer the distance is not linear in 1/N


@dataclass(frozen=True)
class FID:
    """A Fréchet distance between two sets of features.

    Args:
        fid: the distance; lower is better, and it depends on the number of images, so compare equal numbers only.
        standard_error: the jackknife's over samples: how far other samples of the same model would move it. It says
            nothing of the bias. None for fewer than three samples.
        rank_deficient: whether a set has no more images than features, so that its covariance is singular: the figure
            is biased upwards by much, and still ranks sets of equal size.
    """

    fid: float
    standard_error: float | None
    rank_deficient: bool


@dataclass(frozen=True)
class Extrapolated:
    """A Fréchet distance between distributions, not sets.

    Args:
        fid: the distance as it would be with infinitely many images, real and generated; it may fall below 0.
        standard_error: the jackknife's over both sets.
    """

    fid: float
    standard_error: float


def fid(real: Tensor, fake: Tensor) -> FID:
    """Return ``|μ_r - μ_f|² + tr(Σ_r + Σ_f - 2 (Σ_r Σ_f)^½)`` of Gaussians fitted to the features.

    The jackknife leaves out each sample once: ``s² = (N-1)/N Σ (FID_i - mean)²``. A bootstrap would draw some samples
    twice, and a set with repetitions is farther away: its interval need not hold the FID itself.

    Args:
        real: the features of real images, float32 ``(M, D)``.
        fake: the features of samples, float32 ``(N, D)``.

    Raises:
        ValueError: for fewer than two images in a set, or features of different extractors.
    """
    check_sets("fid", real, fake, LEAST)
    return against(Moments.of(blocks(real)), fake)


def against(reference: Moments, fake: Tensor) -> FID:
    """Return the same from the Gaussian of the real images alone.

    Args:
        reference: the Gaussian fitted to the features of real images, of D features.
        fake: the features of samples, float32 ``(N, D)``.

    Raises:
        ValueError: for fewer than two samples, or features of different extractors.
    """
    check_sets("fid", reference.mean[None], fake, 1)
    check_count("fid", "fake", len(fake), LEAST)
    counts = [count for count in (reference.count, len(fake)) if count is not None]
    deficient = min(counts) <= fake.shape[1]
    if len(fake) == LEAST:
        return FID(distance(reference, Moments.of(blocks(fake))), None, deficient)
    value, others = leave_one_out(reference, fake)
    return FID(value, math.sqrt(_variance(others)), deficient)


def extrapolated(real: Tensor, fake: Tensor) -> Extrapolated:
    """Carry the distance to infinitely many images, along the line in ``1/N`` that it follows (arXiv:1911.07023).

    The line goes through the distance with all N samples and the mean of those with N-1, which is Quenouille's
    correction and needs no random subsets: ``FID - (N-1) (mean FID_i - FID)``; so for the real images. With D features
    the next term is of the order of D³/N², so many images a feature are asked for.

    Args:
        real: the features of real images, float32 ``(M, D)``.
        fake: the features of samples, float32 ``(N, D)``.

    Raises:
        ValueError: for fewer than four images a feature in a set, or features of different extractors.
    """
    check_sets("fid_infinity", real, fake, IMAGES_PER_FEATURE * real.shape[1])
    value, without_fake = leave_one_out(Moments.of(blocks(real)), fake)
    _, without_real = leave_one_out(Moments.of(blocks(fake)), real)
    bias = sum((len(others) - 1) * (float(others.mean()) - value) for others in (without_fake, without_real))
    return Extrapolated(value - bias, math.sqrt(_variance(without_fake) + _variance(without_real)))


def _variance(others: Tensor) -> float:
    return float((others - others.mean()).square().sum()) * (len(others) - 1) / len(others)
