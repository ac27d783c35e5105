"""Fréchet distance within each class: samples asked for a class against its images (intra-FID, arXiv:1802.05637)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from genbench.metrics.fid import LEAST, fid


@dataclass(frozen=True)
class ClassFID:
    """Fréchet distances of classes.

    Args:
        classes: the distance of each class that has two real images and two samples, by its number.
        mean: their mean, each class counting alike; None unless every class of the real images has a distance.
        standard_error: the mean's, from the jackknife's of each class over its samples; None where one has none.
    """

    classes: dict[int, float]
    mean: float | None
    standard_error: float | None


def class_fid(real: Tensor, labels: Tensor, fake: Tensor, asked: Tensor) -> ClassFID:
    """Return the distance ``FID(real of class k, samples asked for k)`` of each class k, and their mean.

    Classes have few images each, so that the distances are biased upwards, and compare at equal numbers only.

    Args:
        real: the features of real images, float32 ``(M, D)``.
        labels: their classes, int64 ``(M,)``, -1 where unknown.
        fake: the features of samples, float32 ``(N, D)``.
        asked: the classes that these were asked for, int64 ``(N,)``, -1 where unknown.
    """
    known = labels[labels >= 0].unique().tolist()
    found = {}
    for label in known:
        theirs, ours = real[labels == label], fake[asked == label]
        if min(len(theirs), len(ours)) >= LEAST:
            found[label] = fid(theirs, ours)
    classes = {label: distance.fid for label, distance in found.items()}
    if not known or len(found) < len(known):
        return ClassFID(classes, None, None)
    errors = [distance.standard_error for distance in found.values() if distance.standard_error is not None]
    whole = math.sqrt(sum(error**2 for error in errors)) / len(known) if len(errors) == len(known) else None
    return ClassFID(classes, sum(classes.values()) / len(known), whole)
