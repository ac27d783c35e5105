"""How near the images of a set lie to each other: reckoned once of a reference, for all measures that ask it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

MOST = 5  # neighbours that a measure asks for
AT_ONCE = 2**26  # distances in memory


@dataclass(frozen=True)
class Neighbours:
    """The neighbours of each of M rows among the others.

    Args:
        radii: the distances to the nearest, the next and so on, ``(M, K)``, K up to five.
        nearest: the distance to the nearest, ``(M,)``, without the rounding of products of matrices, by which the same
            image twice is a hundredth apart.
    """

    radii: Tensor
    nearest: Tensor


def neighbours(rows: Tensor, centre: Tensor | None = None) -> Neighbours:
    """Return the neighbours of the rows of a set, ``(M, D)``, reckoned from ``centre``: see :class:`Distances`.

    Raises:
        ValueError: for fewer than two rows.
    """
    if len(rows) < 2:
        raise ValueError(f"neighbours: {len(rows)} rows: each needs another one")
    radii, nearest = [], []
    for place, apart in Distances(rows, rows, rows.mean(0) if centre is None else centre):
        own = torch.arange(place.start, place.stop)
        apart[own - place.start, own] = torch.inf
        least = apart.topk(min(MOST, len(rows) - 1), dim=1, largest=False)
        radii.append(least.values)
        nearest.append((rows[place] - rows[least.indices[:, 0]]).norm(dim=1))
    return Neighbours(torch.cat(radii), torch.cat(nearest))


class Distances:
    """The Euclidean distances of rows to all ``others``, a block of rows after the other, as many as fit memory.

    Both are moved by one ``centre``: far from 0 products of rows would lose what parts them. Distances that are held
    against each other have the same one, or of two that are equal one would come out larger. Where one block holds them
    all it is kept, and measures that share it do not reckon it again.

    Args:
        rows: the rows ``(N, D)``.
        others: the rows to which ``(M, D)``.
        centre: where 0 is moved to, ``(D,)``: a set's mean.
    """

    def __init__(self, rows: Tensor, others: Tensor, centre: Tensor) -> None:
        self._rows, self._others, self._centre = rows, others, centre
        self._whole: Tensor | None = None

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield which rows come next, and their distances ``(n, M)``, which are not to be changed."""
        if self._whole is not None:
            yield slice(0, len(self._rows)), self._whole
            return
        to = self._others - self._centre
        size = max(AT_ONCE // len(self._others), 1)
        for start in range(0, len(self._rows), size):
            place = slice(start, min(start + size, len(self._rows)))
            apart = torch.cdist(self._rows[place] - self._centre, to)
            if len(apart) == len(self._rows):
                self._whole = apart
            yield place, apart
