"""Density and coverage of generated sets (Naeem et al., arXiv:2002.09797): a single real outlier does not move them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from genbench.metrics.neighbours import Distances, Neighbours, neighbours
from genbench.metrics.sets import check_sets

NEIGHBOURS = 5
LEAST = NEIGHBOURS + 1


@dataclass(frozen=True)
class DensityCoverage:
    """Density and coverage of a set of samples.

    Args:
        density: the mean number of real images' balls that a sample lies in, over k: near 1 where samples are real
            images, 0 far from all of them, above 1 where samples crowd in among the densest.
        coverage: the share of real images whose ball has a sample in it, from 0 to 1. It grows with the number of
            samples: what real images have is the scale.
    """

    density: float
    coverage: float


def density_coverage(
    real: Tensor, fake: Tensor, near: Neighbours | None = None, between: Distances | None = None
) -> DensityCoverage:
    """Return both for balls round real images that reach to their fifth neighbour, with M real images and N samples.

        density = 1/(k N) Σ_j Σ_i 1[y_j in B(x_i)],    coverage = 1/M Σ_i 1[some y_j in B(x_i)]

    Args:
        real: the features of real images, float32 ``(M, D)``.
        fake: the features of samples, float32 ``(N, D)``.
        near: the neighbours of the real images, where they are known.
        between: the distances of real images to samples, where another measure asks for them too.

    Raises:
        ValueError: for fewer than six images in a set, or features of different extractors.
    """
    check_sets("density_coverage", real, fake, LEAST)
    radii = (near or neighbours(real)).radii[:, NEIGHBOURS - 1]
    inside, covered = 0, 0
    for place, apart in between or Distances(real, fake, real.mean(0)):
        within = apart <= radii[place, None]
        inside += int(within.count_nonzero())
        covered += int(within.any(1).sum())
    return DensityCoverage(inside / (NEIGHBOURS * len(fake)), covered / len(real))
