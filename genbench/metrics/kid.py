"""Kernel distance between two sets of features (KID; Bińkowski et al., arXiv:1801.01401), by torch-fidelity."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

from genbench.metrics.sets import check_sets

LEAST = 2
SUBSETS = 100
SUBSET_SIZE = 1000


@dataclass(frozen=True)
class KID:
    """A squared maximum mean discrepancy.

    Args:
        kid: unbiased: its mean does not depend on the number of images, and may fall below 0.
        std: standard deviation over subsets. Where a subset is a whole set, subsets differ in the other set alone:
            the figure then understates what new samples would change.
        subset_size: images a subset.
    """

    kid: float
    std: float
    subset_size: int


def kid(real: Tensor, fake: Tensor, *, seed: int = 0) -> KID:
    """Squared MMD under ``k(x, y) = (x·y / D + 1)³``, averaged over 100 subsets without replacement.

    Args:
        real: float32 ``(M, D)``.
        fake: float32 ``(N, D)``.
        seed: of the choice of subsets.

    Subsets hold 1,000 images, or as many as the smaller set has: torch-fidelity itself refuses smaller sets.

    Raises:
        ValueError: for fewer than two images in a set, or features of different extractors.
    """
    check_sets("kid", real, fake, LEAST)
    size = min(SUBSET_SIZE, len(real), len(fake))
    values = kid_features_to_metric(fake, real, kid_subsets=SUBSETS, kid_subset_size=size, rng_seed=seed, verbose=False)
    return KID(float(values[KEY_METRIC_KID_MEAN]), float(values[KEY_METRIC_KID_STD]), size)
