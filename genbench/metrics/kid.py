"""Kernel distance between two sets of features (KID; Bińkowski et al., arXiv:1801.01401), with its uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.metrics.sets import check_sets

LEAST = 2
MOST = 5000  # images of a set: the number of pairs is its square
BLOCK = 1024  # rows of kernel values at once, of each set


@dataclass(frozen=True)
class KID:
    """A squared maximum mean discrepancy of features.

    Args:
        kid: the discrepancy, unbiased: its mean does not depend on the number of images, and it may fall below 0.
        standard_error: the jackknife's over both sets: 1.96 of them on both sides hold the distance of the two
            distributions in about 95 of 100 cases. None where a set has two images.
        images: the numbers of real and generated images that it was taken of.
    """

    kid: float
    standard_error: float | None
    images: tuple[int, int]


def kid(real: Tensor, fake: Tensor, *, seed: int = 0) -> KID:
    """Return the squared MMD under ``k(x, y) = (x·y / D + 1)³``, the mean over all pairs of different images.

        1/(M(M-1)) Σ k(x_i, x_j) + 1/(N(N-1)) Σ k(y_i, y_j) - 2/(MN) Σ k(x_i, y_j)

    Implementations that average over random subsets estimate the same with more noise and more work, and the spread
    of those subsets, which share their images, understates what new images would change.

    Args:
        real: the features of real images, float32 ``(M, D)``.
        fake: the features of samples, float32 ``(N, D)``.
        seed: the seed of the choice of 5,000 images where a set has more; KID stays unbiased.

    Raises:
        ValueError: for fewer than two images in a set, or features of different extractors.
    """
    check_sets("kid", real, fake, LEAST)
    x, y = (_chosen(rows, seed) for rows in (real, fake))
    m, n = len(x), len(y)
    within = [_within(x), _within(y)]
    across = _across(x, y)
    pairs = [float(rows.sum()) for rows in within]
    crossed = float(across[0].sum())
    means = [pairs[0] / (m * (m - 1)), pairs[1] / (n * (n - 1))]
    value = means[0] + means[1] - 2 * crossed / (m * n)
    if min(m, n) == LEAST:
        return KID(value, None, (m, n))
    variance = 0.0
    for own, other in ((0, 1), (1, 0)):
        count = (m, n)[own]
        others = (m, n)[other]
        without = (pairs[own] - 2 * within[own]) / ((count - 1) * (count - 2))
        without -= 2 * (crossed - across[own]) / ((count - 1) * others)
        variance += (count - 1) / count * float((without - without.mean()).square().sum())
    return KID(value, math.sqrt(variance), (m, n))


def _chosen(rows: Tensor, seed: int) -> Tensor:
    rows = rows.cpu()
    if len(rows) <= MOST:
        return rows
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:MOST]]


def _within(rows: Tensor) -> Tensor:
    """Return the sum of each row's kernels with all others of its set; float64 ``(N,)``."""
    sums = torch.zeros(len(rows), dtype=torch.float64)
    for start in range(0, len(rows), BLOCK):
        here = slice(start, start + BLOCK)
        sums[here] += _kernel(rows[here], rows[here]).sum(1)
        ahead = slice(start + BLOCK, None)  # k(x, y) = k(y, x): each pair once
        of_rows, of_others = _across(rows[here], rows[ahead])
        sums[here] += of_rows
        sums[ahead] += of_others
    return sums - (rows.double().square().sum(1) / rows.shape[1] + 1) ** 3


def _across(rows: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of each row's kernels with all ``others``, and of each of these with all rows; float64."""
    of_rows = torch.zeros(len(rows), dtype=torch.float64)
    of_others = torch.zeros(len(others), dtype=torch.float64)
    for start in range(0, len(others), BLOCK):
        there = slice(start, start + BLOCK)
        for begin in range(0, len(rows), BLOCK):
            here = slice(begin, begin + BLOCK)
            values = _kernel(rows[here], others[there])
            of_rows[here] += values.sum(1)
            of_others[there] += values.sum(0)
    return of_rows, of_others


def _kernel(rows: Tensor, others: Tensor) -> Tensor:
    return torch.addmm(rows.new_ones(()), rows, others.T, alpha=1 / rows.shape[1]).double().pow_(3)
