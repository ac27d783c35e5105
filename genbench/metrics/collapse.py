"""Measures of mode collapse: between classes, within classes, among samples, and onto the training images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.metrics.sets import check_sets

COVERED = 0.1  # of a class's share of the data: with less it counts as missing
RARE = 0.01  # share of real images that are as near to another as what counts as a near-duplicate or a copy
BLOCK = 1024  # rows of distances at once


@dataclass(frozen=True)
class Classes:
    """The way in which samples fall into the classes.

    Args:
        covered: the number of classes that get at least a tenth of their share of the data.
        missing: the classes that get less.
        divergence: the ``KL(samples ‖ data)`` of the class histograms, in bits: 0 where samples follow the data,
            ``log2 K`` where all are of one of K equal classes.
    """

    covered: int
    missing: tuple[int, ...]
    divergence: float


@dataclass(frozen=True)
class Nearest:
    """The nearest row of another set, for each row of one.

    Args:
        distance: the distance to that row, ``(N,)``.
        index: the index of that row, int64 ``(N,)``.
    """

    distance: Tensor
    index: Tensor


def classes(predicted: Tensor, labels: Tensor, count: int) -> Classes:
    """Measure collapse between classes: the histogram of predicted classes against the data's.

    Args:
        predicted: the class of each sample, int64 ``(N,)``.
        labels: the labels of real images, int64 ``(M,)``; -1, unknown, is left out.
        count: the number of classes.

    Raises:
        ValueError: for no samples or no labels.
    """
    known = labels[labels >= 0]
    if len(predicted) == 0 or len(known) == 0:
        raise ValueError(f"classes: {len(predicted)} samples, {len(known)} labelled images: give at least 1 of each")
    ours, theirs = (torch.bincount(x.cpu(), minlength=count).double() / len(x) for x in (predicted, known))
    missing = ours < COVERED * theirs
    covered = int((~missing & (theirs > 0)).sum())
    there = ours > 0
    lacking = tuple(missing.nonzero()[:, 0].tolist())
    return Classes(covered, lacking, float((ours[there] * (ours[there] / theirs[there]).log2()).sum()))


def diversity(features: Tensor, classes: Tensor, real: Tensor, labels: Tensor) -> float:
    """Measure collapse within classes: mean distance of two samples of a class over that of two real images of it.

    It is 1 where classes are as wide as the data's, 0 where each is one image; the mean over classes with at least two
    samples and two real images, NaN where there is none.

    Args:
        features: the features of samples, ``(N, D)``.
        classes: the classes of samples, int64 ``(N,)``.
        real: the features of real images, ``(M, D)``.
        labels: the labels of real images, int64 ``(M,)``.
    """
    check_sets("diversity", real, features, 1)
    ratios = []
    for k in labels[labels >= 0].unique().tolist():
        own = features[classes == k]
        theirs = real[labels == k]
        if len(own) > 1 and len(theirs) > 1 and (width := _spread(theirs)) > 0:
            ratios.append(_spread(own) / width)
    return sum(ratios) / len(ratios) if ratios else float("nan")


def nearest(rows: Tensor, others: Tensor | None = None) -> Nearest:
    """Find the nearest of ``others`` to each row by Euclidean distance; of the rest of ``rows`` where there are none.

    Args:
        rows: the rows to find a neighbour for, ``(N, D)``.
        others: the rows to find it among, ``(M, D)``; None takes the rest of ``rows``.

    Raises:
        ValueError: where a row has no other to be near to.
    """
    if len(rows) == 0 or len(rows if others is None else others) < (2 if others is None else 1):
        raise ValueError("nearest: too few rows: each needs another one")
    them = rows if others is None else others
    distances = []
    indices = []
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        apart = torch.cdist(part, them)
        if others is None:
            apart[torch.arange(len(part)), torch.arange(start, start + len(part))] = torch.inf
        index = apart.argmin(1)
        indices.append(index)
        # Once more without matrix products, by which the same image twice is a hundredth apart.
        distances.append((part - them[index]).norm(dim=1))
    return Nearest(torch.cat(distances), torch.cat(indices))


def relative(distances: Tensor, index: Tensor, apart: Tensor) -> Tensor:
    """Return distances in units of how far apart real images are there, which differs for thin and thick digits.

    Args:
        distances: the distance of each row to whatever it is near to, ``(N,)``.
        index: the index of the real image that is nearest to each row, int64 ``(N,)``.
        apart: the distance of each real image to the next one, ``(M,)``.
    """
    return distances / apart[index].clamp(min=torch.finfo(apart.dtype).tiny)


def closer(distances: Tensor, real: Tensor) -> float:
    """Return the share of distances that are as small as only a hundredth of real ones: 0.01 where all is well."""
    limit = torch.quantile(real.double(), RARE)
    return float((distances.double() <= limit).double().mean())


def _spread(rows: Tensor) -> float:
    """Return the mean distance of two different rows."""
    return float(torch.pdist(rows.double()).mean())
