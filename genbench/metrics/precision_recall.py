"""Precision and recall of generated sets (Kynkäänniemi et al., arXiv:1904.06991), by torch-fidelity."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

from genbench.metrics.sets import check_sets

NEIGHBOURS = 3
LEAST = NEIGHBOURS + 1


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall of a set of samples, each a share from 0 to 1.

    Args:
        precision: the share of samples that lie where real images are: fidelity.
        recall: the share of real images that lie where samples are: diversity.
    """

    precision: float
    recall: float


def precision_recall(real: Tensor, fake: Tensor) -> PrecisionRecall:
    """Return shares of each set in the other's region: the union of balls that reach to a point's third neighbour.

    Args:
        real: the features of real images, float32 ``(M, D)``.
        fake: the features of samples, float32 ``(N, D)``.

    Raises:
        ValueError: for fewer than four images in a set, or features of different extractors.
    """
    check_sets("precision_recall", real, fake, LEAST)
    # torch-fidelity takes the generated set first. In blocks of 2,000 rows, 50,000 images stay below half a gigabyte.
    values = prc_features_to_metric(
        fake, real, prc_neighborhood=NEIGHBOURS, prc_batch_size=2000, save_cpu_ram=True, verbose=False
    )
    return PrecisionRecall(float(values[KEY_METRIC_PRECISION]), float(values[KEY_METRIC_RECALL]))
