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
    """How samples fall into the classes.

    Args:
        covered: classes that get at least a tenth of their share of the data.
        divergence: ``KL(samples ‖ data)`` of the class histograms, in bits: 0 where samples follow the data, ``log2 K``
            where all are of one of K equal classes.
    """

    covered: int
    divergence: float


@dataclass(frozen=True)
class Nearest:
    """For each row of one set the nearest row of another.

    Args:
        distance: ``(N,)``.
        index: of the neighbour, int64 ``(N,)``.
    """

    distance: Tensor
    index: Tensor


def classes(predicted: Tensor, labels: Tensor, count: int) -> Classes:
    """Between classes: the histogram of predicted classes against the data's.

    Args:
        predicted: class of each sample, int64 ``(N,)``.
        labels: of real images, int64 ``(M,)``; -1, unknown, is left out.
        count: number of classes.

    Raises:
        ValueError: for no samples or no labels.
    """
    known = labels[labels >= 0]
    if len(predicted) == 0 or len(known) == 0:
        raise ValueError(f"classes: {len(predicted)} samples, {len(known)} labelled images: give at least 1 of each")
    ours, theirs = (torch.bincount(x.cpu(), minlength=count).double() / len(x) for x in (predicted, known))
    covered = int(((ours >= COVERED * theirs) & (theirs > 0)).sum())
    there = ours > 0
    return Classes(covered, float((ours[there] * (ours[there] / theirs[there]).log2()).sum()))


def diversity(features: Tensor, classes: Tensor, real: Tensor, labels: Tensor) -> float:
    """Within classes: mean distance of two samples of a class over that of two real images of it.

    1 where classes are as wide as the data's, 0 where each is one image; the mean over classes with at least two
    samples and two real images, NaN where there is none.

    Args:
        features: of samples, ``(N, D)``.
        classes: of samples, int64 ``(N,)``.
        real: features of real images, ``(M, D)``.
        labels: of real images, int64 ``(M,)``.
    """
    check_sets("diversity", real, features, 1)
    ratios = []
    for k in labels[labels >= 0].unique().tolist():
        own, theirs = features[classes == k], real[labels == k]
        if len(own) > 1 and len(theirs) > 1 and (width := _spread(theirs)) > 0:
            ratios.append(_spread(own) / width)
    return sum(ratios) / len(ratios) if ratios else float("nan")


def nearest(rows: Tensor, others: Tensor | None = None) -> Nearest:
    """The nearest of ``others`` to each row by Euclidean distance; of the rest of ``rows`` where there are none.

    Args:
        rows: ``(N, D)``.
        others: ``(M, D)``.

    Raises:
        ValueError: where a row has no other to be near to.
    """
    if len(rows) == 0 or len(rows if others is None else others) < (2 if others is None else 1):
        raise ValueError("nearest: too few rows: each needs another one")
    them = rows if others is None else others
    distances, indices = [], []
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        found = torch.cdist(part, them)
        if others is None:
            found[torch.arange(len(part)), torch.arange(start, start + len(part))] = torch.inf
        index = found.argmin(1)
        indices.append(index)
        # Once more without matrix products, by which the same image twice is a hundredth apart.
        distances.append((part - them[index]).norm(dim=1))
    return Nearest(torch.cat(distances), torch.cat(indices))


def relative(distances: Tensor, index: Tensor, apart: Tensor) -> Tensor:
    """Distances in units of how far apart real images are there: thin and thick digits lie at different ones.

    Args:
        distances: of each row to whatever it is near to, ``(N,)``.
        index: of the real image that is nearest to each row, int64 ``(N,)``.
        apart: distance of each real image to the next one, ``(M,)``.
    """
    return distances / apart[index].clamp(min=torch.finfo(apart.dtype).tiny)


def closer(distances: Tensor, real: Tensor) -> float:
    """Share of distances that are as small as only a hundredth of the real ones: about 0.01 where nothing is wrong."""
    limit = torch.quantile(real.double(), RARE)
    return float((distances.double() <= limit).double().mean())


def _spread(rows: Tensor) -> float:
    """Mean distance of two different rows."""
    return float(torch.pdist(rows.double()).mean())
