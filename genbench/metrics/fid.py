"""Fréchet distance between two sets of features (FID; Heusel et al., arXiv:1706.08500), by torch-fidelity."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

# Not at torch-fidelity's top level: pyproject.toml pins 0.4.
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from genbench.metrics.sets import check_sets

LEAST = 2


@dataclass(frozen=True)
class FID:
    """A Fréchet distance.

    Args:
        fid: lower is better; it depends on the number of images, so compare equal numbers only.
        rank_deficient: a set has no more images than features, so its covariance is singular: the figure is biased
            upwards by much, and still ranks sets of equal size.
    """

    fid: float
    rank_deficient: bool


def fid(real: Tensor, fake: Tensor) -> FID:
    """``|μ_r - μ_f|² + tr(Σ_r + Σ_f - 2 (Σ_r Σ_f)^½)`` of Gaussians fitted to the features.

    Args:
        real: float32 ``(M, D)``.
        fake: float32 ``(N, D)``.

    Raises:
        ValueError: for fewer than two images in a set, or features of different extractors.
    """
    check_sets("fid", real, fake, LEAST)
    value = fid_statistics_to_metric(
        fid_features_to_statistics(fake.cpu()), fid_features_to_statistics(real.cpu()), verbose=False
    )
    return FID(float(value[KEY_METRIC_FID]), min(len(real), len(fake)) <= real.shape[1])
