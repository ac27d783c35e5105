"""Inception score (Salimans et al., arXiv:1606.03498) over an extractor's own logits, by torch-fidelity."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD, isc_features_to_metric

from genbench.metrics.sets import check_count

SPLITS = 10
LEAST = SPLITS


@dataclass(frozen=True)
class InceptionScore:
    """A score between 1 and the number of classes, higher is better.

    Args:
        score: the mean over ten splits.
        std: the standard deviation over the splits.
    """

    score: float
    std: float


def inception_score(logits: Tensor, *, seed: int = 0, splits: int = SPLITS) -> InceptionScore:
    """Return ``exp E_x KL(p(y|x) ‖ p(y))``, in ten splits, of which each takes its own ``p(y)``.

    It never sees a real image, and a split of few images cannot reach a high score: compare equal numbers only.

    Args:
        logits: the samples' logits, float32 ``(N, K)``.
        seed: the seed of the order in which images fall into splits.
        splits: the number of splits; the papers take ten.

    Raises:
        ValueError: for fewer images than splits, where an empty split would be not a number.
    """
    check_count("inception_score", "fake", len(logits), splits)
    # Below e^-745 a probability is 0 in float64, and torch-fidelity's 0 · (log 0 - log 0) is not a number.
    above = logits.double() - logits.double().amax(dim=1, keepdim=True)
    values = isc_features_to_metric(above.clamp(min=-700), splits=splits, shuffle=True, rng_seed=seed)
    return InceptionScore(float(values[KEY_METRIC_ISC_MEAN]), float(values[KEY_METRIC_ISC_STD]))
