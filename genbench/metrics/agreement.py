"""What a classifier of the data set makes of samples: are they digits, the ones asked for, and all of them?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.stats import mean, standard_error


@dataclass(frozen=True)
class Agreement:
    """Four looks at predicted classes.

    Args:
        agreement: share of samples whose likeliest class is the one asked for; None where none was asked for.
        standard_error: of that share, binomial; None without it and for a single sample.
        confidence: mean probability of the likeliest class.
        entropy: bits, mean over samples of a prediction's entropy: low where samples look like something.
        class_entropy: bits, entropy of the mean prediction: ``log2 K`` where all classes appear alike, 0 for one.
        images: samples looked at.
    """

    agreement: float | None
    standard_error: float | None
    confidence: float
    entropy: float
    class_entropy: float
    images: int


def agreement(probabilities: Tensor, labels: Tensor | None = None) -> Agreement:
    """Compare a classifier's predictions with the labels that were asked for.

    ``class_entropy - entropy`` is the mutual information of sample and class: the logarithm, to base 2, of the
    inception score under this classifier in one split.

    Args:
        probabilities: ``(N, K)``, rows sum to 1: ``Extractor.predict``.
        labels: int64 ``(N,)``, -1 where no class was asked for; None where none ever was.

    Raises:
        ValueError: for no samples, or another number of labels.
    """
    if len(probabilities) == 0:
        raise ValueError("agreement: 0 samples are too few: give at least 1")
    if labels is not None and len(labels) != len(probabilities):
        raise ValueError(f"labels: {len(labels)} for {len(probabilities)} samples")
    sure = probabilities.double().cpu()
    top, predicted = sure.max(dim=1)
    right: list[float] = []
    if labels is not None and bool((labels >= 0).any()):
        asked = labels.cpu() >= 0
        right = (predicted[asked] == labels.cpu()[asked]).double().tolist()
    return Agreement(
        agreement=mean(right) if right else None,
        standard_error=standard_error(right) if right else None,
        confidence=float(top.mean()),
        entropy=float(_bits(sure).mean()),
        class_entropy=float(_bits(sure.mean(dim=0))),
        images=len(sure),
    )


def _bits(probabilities: Tensor) -> Tensor:
    """Entropy over the last dimension in bits, with 0 log 0 = 0."""
    return -torch.special.xlogy(probabilities, probabilities).sum(dim=-1) / torch.tensor(2.0).double().log()
