"""The share of images that a classifier puts in their class."""

from __future__ import annotations

from torch import Tensor

from genbench.records.parts import Accuracy
from genbench.stats import mean, standard_error


def accuracy(probabilities: Tensor, labels: Tensor) -> Accuracy:
    """Return the share of images whose likeliest class is their label.

    Args:
        probabilities: the classifier's, ``(N, K)``.
        labels: the labels, integers ``(N,)``.

    Raises:
        ValueError: for no images, or another number of labels.
    """
    if len(probabilities) == 0 or len(labels) != len(probabilities):
        raise ValueError(f"accuracy: {len(probabilities)} images, {len(labels)} labels; give as many, at least 1")
    right = probabilities.argmax(1).cpu().eq(labels.cpu()).double().tolist()
    return Accuracy(accuracy=mean(right), standard_error=standard_error(right), images=len(right))
