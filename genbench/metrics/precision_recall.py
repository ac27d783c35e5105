"""Precision and recall of generated sets (Kynkäänniemi et al., arXiv:1904.06991), as torch-fidelity has them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.metrics.neighbours import Distances, Neighbours, neighbours
from genbench.metrics.sets import check_sets

NEIGHBOURS = 3
LEAST = NEIGHBOURS + 1


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall of a set of samples, each a share from 0 to 1.

    Args:
        precision: the share of samples that lie where real images are: fidelity.
        recall: the share of real images that lie where samples are: diversity.
    """

    precision: float
    recall: float


def precision_recall(
    real: Tensor, fake: Tensor, near: Neighbours | None = None, between: Distances | None = None
) -> PrecisionRecall:
    """Return shares of each set in the other's region: the union of balls that reach to a point's third neighbour.

    torch-fidelity's function gives the same, and reckons the neighbours of the real images anew for every set.

    Args:
        real: the features of real images, float32 ``(M, D)``.
        fake: the features of samples, float32 ``(N, D)``.
        near: the neighbours of the real images, where they are known.
        between: the distances of real images to samples, where another measure asks for them too.

    Raises:
        ValueError: for fewer than four images in a set, or features of different extractors.
    """
    check_sets("precision_recall", real, fake, LEAST)
    centre = real.mean(0)
    both = near or neighbours(real, centre), neighbours(fake, centre)
    theirs, ours = (known.radii[:, NEIGHBOURS - 1] for known in both)
    precise = torch.zeros(len(fake), dtype=torch.bool)
    recalled = 0
    for place, apart in between or Distances(real, fake, centre):
        precise |= (apart <= theirs[place, None]).any(0)
        recalled += int((apart <= ours).any(1).sum())
    return PrecisionRecall(int(precise.sum()) / len(fake), recalled / len(real))
