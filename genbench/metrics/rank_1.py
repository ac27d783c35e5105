"""Whether a picture shows whom it should: recognition by the nearest of one known picture of each identity."""

from __future__ import annotations

from torch import Tensor

from genbench.records.parts import Rank1
from genbench.stats import mean, standard_error


def rank_1(samples: Tensor, pictures: Tensor, identities: Tensor) -> Rank1 | None:
    """Return the share of samples whose nearest known picture, by the distance of pixels, is of the right identity.

    Known of each identity is its first picture; of a sample's own identity the second, where the first is the sample's
    own target. A sample whose identity has no other picture is not counted; None where that leaves none.

    Args:
        samples: the samples, uint8 ``(N, C, H, W)``; sample i should look like picture i.
        pictures: the pictures of a whole split, uint8 ``(M, C, H, W)``, M at least N.
        identities: the identity of each picture, integers ``(M,)``.

    Raises:
        ValueError: for more samples than pictures, or identities of another number.
    """
    if not len(samples) <= len(pictures) == len(identities):
        raise ValueError(f"rank-1: {len(samples)} samples, {len(pictures)} pictures, {len(identities)} identities")
    known, place = identities.cpu().unique(return_inverse=True)
    rows = [(place == k).nonzero()[:, 0].tolist() for k in range(len(known))]
    gallery = pictures[[mine[0] for mine in rows]]
    right: list[float] = []
    for index, distances in enumerate(_distances(samples, gallery)):
        own = int(place[index])
        mine = rows[own]
        if mine[0] == index:
            if len(mine) == 1:
                continue
            distances[own] = _distances(samples[index : index + 1], pictures[mine[1] : mine[1] + 1])[0, 0]
        right.append(float(int(distances.argmin()) == own))
    if not right:
        return None
    return Rank1(share=mean(right), standard_error=standard_error(right), images=len(right), identities=len(known))


def _distances(images: Tensor, others: Tensor) -> Tensor:
    """Return squared distances, float64 ``(N, K)``: whole numbers, exact."""
    a = images.cpu().flatten(1).double()
    b = others.cpu().flatten(1).double()
    return a.square().sum(1, keepdim=True) - 2 * a @ b.T + b.square().sum(1)
