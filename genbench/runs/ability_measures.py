"""What is measured of the abilities that a model may have; one that fails costs its figure, not the cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from genbench.abilities import Classifies, Detects, Pairs, Reconstructs, Segments
from genbench.interface import GenerativeModel
from genbench.metrics.accuracy import accuracy as right_class
from genbench.metrics.anomaly import auroc
from genbench.metrics.joint import joint
from genbench.metrics.reconstruction import reconstruction
from genbench.metrics.shadow import mask_error
from genbench.plots import gallery
from genbench.records import parts
from genbench.runs.clock import Clock
from genbench.runs.translations import SHADOW, has_masks
from genbench.seed import generator
from genbench.spec import SOURCE_LEVELS, Batch

if TYPE_CHECKING:
    from genbench.data import Dataset

BATCH = 256  # images at once


@dataclass(frozen=True)
class AbilityMeasures:
    """The parts of a record that rest on what a model can do beside sampling; None where it cannot, or fails."""

    accuracy: parts.Accuracy | None = None
    anomaly: parts.Anomaly | None = None
    reconstruction: parts.Reconstruction | None = None
    joint: parts.Joint | None = None
    mask: parts.MaskError | None = None


def ability_measures(
    model: GenerativeModel, dataset: Dataset, said: dict[str, str], clock: Clock, *, pairs: int, seed: int
) -> AbilityMeasures:
    """Measure every ability that ``model`` has and the data set can judge.

    Args:
        model: the trained model.
        dataset: the data set whose test split it is measured on.
        said: what a record says of each ability; ``failed: …`` is written here. The picture of reconstructions has the
            key ``"reconstruct"``, their measure ``"reconstruction"``; where the picture failed, nothing is measured.
        clock: the clock that counts the seconds.
        pairs: the number of images to draw together with their sources.
        seed: the seed of what is drawn.
    """
    measures = AbilityMeasures()
    if isinstance(model, Classifies) and dataset.spec.classes:
        with clock("accuracy"):
            right = gallery.attempted(said, "classify", partial(accuracy, model, dataset.test))
            measures = replace(measures, accuracy=right)
    if isinstance(model, Detects) and dataset.anomalous is not None:
        with clock("anomaly"):
            anomaly = gallery.attempted(said, "anomaly", partial(detected, model, dataset.test, dataset.anomalous))
            measures = replace(measures, anomaly=anomaly)
    if isinstance(model, Reconstructs) and not said.get("reconstruct", "").startswith("failed"):
        with clock("reconstruction"):
            again = gallery.attempted(said, "reconstruction", partial(reconstructed, model, dataset.test))
            measures = replace(measures, reconstruction=again)
    if isinstance(model, Pairs) and dataset.source_of is not None:
        with clock("joint"):
            both = gallery.attempted(said, "pairs", partial(paired_draws, model, dataset, pairs, seed))
            measures = replace(measures, joint=both)
    if isinstance(model, Segments) and has_masks(dataset.spec):
        with clock("mask"):
            found = gallery.attempted(said, "detect", partial(masked, model, dataset.test))
            measures = replace(measures, mask=found)
    return measures


def accuracy(model: GenerativeModel, split: Batch) -> parts.Accuracy:
    """Return the share of a split's labelled images whose likeliest class under the model itself is their label.

    Raises:
        ValueError: for a split without labels, or an answer that is not a finite number a class.
    """
    if split.labels is None:
        raise ValueError("accuracy: the images have no labels")
    labelled = split.rows((split.labels >= 0).nonzero()[:, 0])
    answers = []
    for batch in _batches(labelled):
        answer = cast("Classifies", model).classify(replace(batch, labels=None).to(model.device)).cpu()
        if answer.shape != (len(batch), model.spec.classes) or not bool(torch.isfinite(answer).all()):
            raise ValueError(
                f"classify answers {tuple(answer.shape)} for {len(batch)} images: give finite (B, classes)"
            )
        answers.append(answer)
    return right_class(torch.cat(answers), cast("Tensor", labelled.labels))


def detected(model: GenerativeModel, normal: Batch, anomalous: Batch) -> parts.Anomaly:
    """Measure how well the model's own scores part ``anomalous`` images from ``normal`` ones.

    Raises:
        ValueError: for a model that is given the label, or an answer that is not a finite number an image.
    """
    if "label" in model.given:
        raise ValueError("anomaly: this model is given the label, and labels of anomalous images are unknown")
    return auroc(anomaly_scores(model, normal), anomaly_scores(model, anomalous))


def reconstructed(model: GenerativeModel, split: Batch) -> parts.Reconstruction:
    """Measure how far a split's images are from what the model makes of their codes.

    Raises:
        ValueError: for an answer that is not a uint8 image for each image.
    """
    images = [cast("Reconstructs", model).reconstruct(batch.to(model.device)).cpu() for batch in _batches(split)]
    return reconstruction(split.images, torch.cat(images), model.spec.levels)


def paired_draws(model: GenerativeModel, dataset: Dataset, n: int, seed: int) -> parts.Joint:
    """Measure whether ``n`` images and sources that the model draws together match, by the known map.

    Raises:
        ValueError: for data whose sources are no known map of their images, or an answer that is not ``n`` pairs.
    """
    if dataset.source_of is None:
        raise ValueError(f"pairs: the sources of {dataset.name} are no known map of its images")
    images, sources = cast("Pairs", model).pairs(n, generator=generator(seed, "pairs"))
    if len(images) != n or len(sources) != n:
        raise ValueError(f"pairs answers {len(images)} images and {len(sources)} sources: give {n} of each")
    return joint(sources.cpu(), dataset.source_of(images.cpu()), SOURCE_LEVELS)


def masked(model: GenerativeModel, split: Batch) -> parts.MaskError:
    """Measure how often the model errs about which pixels of a split's sources lie in shadow.

    Raises:
        ValueError: for an answer that is not a truth for each pixel of each source, or pixels all of one kind.
    """
    found: list[Tensor] = []
    for batch in _batches(split):
        unmarked = {name: values for name, values in batch.fields.items() if name != SHADOW}
        answer = cast("Segments", model).detect(replace(batch, fields=unmarked).to(model.device)).cpu()
        if answer.dtype != torch.bool or answer.shape != batch.fields[SHADOW].shape:
            shape = tuple(batch.fields[SHADOW].shape)
            raise ValueError(f"detect answers {answer.dtype} {tuple(answer.shape)}: give bool {shape}")
        found.append(answer)
    return mask_error(torch.cat(found), split.fields[SHADOW])


def anomaly_scores(model: GenerativeModel, split: Batch) -> Tensor:
    """Return the anomaly score of every image, float64 ``(N,)``."""
    scores: list[Tensor] = []
    for batch in _batches(split):
        answer = cast("Detects", model).anomaly(batch.to(model.device)).detach().double().cpu()
        if answer.shape != (len(batch),):
            raise ValueError(f"anomaly answers {tuple(answer.shape)} for {len(batch)} images: give one number an image")
        scores.append(answer)
    return torch.cat(scores)


def _batches(split: Batch) -> Iterator[Batch]:
    """Yield the images of a split with all that belongs to them, some at a time."""
    for rows in torch.arange(len(split)).split(BATCH):
        yield split.rows(rows)
