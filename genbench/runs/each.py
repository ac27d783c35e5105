"""What a trained cell makes of each image: a line of a CSV with its likelihood, its strangeness, its nearest image."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from torch import Tensor

from genbench.abilities import Detects
from genbench.files import written_whole
from genbench.interface import GenerativeModel
from genbench.metrics.collapse import nearest
from genbench.runs.ability_measures import anomaly_scores
from genbench.spec import Batch

COLUMNS = ("image", "nats", "bits_per_dim", "anomaly", "nearest", "distance")


def check(output: Path) -> None:
    """Refuse an output that is no CSV.

    Raises:
        ValueError: naming what would do.
    """
    if output.suffix.lower() != ".csv":
        raise ValueError(f"--each {output}: give a name such as scores.csv")


def write(
    output: Path, model: GenerativeModel, split: Batch, rows: Tensor, bits: tuple[float, ...], train: Tensor
) -> None:
    """Write a line for each image that was scored.

    ================  ==============================================================================================
    ``image``         its place in the test split, or in the folder in order, from 0
    ``nats``          its log-likelihood, or the bound or estimate of it
    ``bits_per_dim``  the same, ``-nats / (dimensions · ln 2)``
    ``anomaly``       how strange it is to a model that says so, the larger the stranger; else empty
    ``nearest``       the place in the training split of the image that is nearest in pixels, from 0
    ``distance``      the Euclidean distance to it, pixels on [0, 1]: 0 for an image that was trained on
    ================  ==============================================================================================

    Args:
        output: the path.
        model: the trained model.
        split: the images, with what the model is given.
        rows: the places of those that were scored, int64 ``(N,)``.
        bits: the bits per dimension of each of these.
        train: the training images, uint8 ``(M, C, H, W)``.
    """
    some = split.rows(rows)
    top = model.spec.levels - 1
    near = nearest(some.images.flatten(1).float() / top, train.flatten(1).float() / top)
    # A model that is told the label is not asked: the labels of strange images are unknown.
    asked = isinstance(model, Detects) and "label" not in model.given
    strange = anomaly_scores(model, some).tolist() if asked else [""] * len(some)
    nats = [-bpd * model.spec.dimensions * math.log(2) for bpd in bits]
    lines = zip(rows.tolist(), nats, bits, strange, near.index.tolist(), near.distance.tolist(), strict=True)
    with written_whole(output) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(lines)
