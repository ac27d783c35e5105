"""What a classifier of the data set makes of samples: are they digits, the ones asked for, and all of them?"""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.records.parts import Agreement
from genbench.stats import mean, standard_error


def agreement(probabilities: Tensor, labels: Tensor | None = None, *, accuracy: float) -> Agreement:
    """Compare a classifier's predictions with the labels that were asked for.

    ``class_entropy - entropy`` is the mutual information of sample and class: the logarithm, to base 2, of the
    inception score under this classifier in one split.

    Args:
        probabilities: the classifier's, ``(N, K)``, whose rows sum to 1, from ``Extractor.predict``.
        labels: the classes asked for, int64 ``(N,)``, -1 where there was none; None where there never was one.
        accuracy: the share of real test images that the classifier itself puts in their class, kept beside the rest.

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
        accuracy=accuracy,
    )


def _bits(probabilities: Tensor) -> Tensor:
    """Return the entropy over the last dimension in bits, with 0 log 0 = 0."""
    return -torch.special.xlogy(probabilities, probabilities).sum(dim=-1) / torch.tensor(2.0).double().log()
