"""Refuses data that are not what their spec says, before any training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from genbench.interface import Batch, DataSpec

if TYPE_CHECKING:
    from genbench.data import Dataset


def check_split(spec: DataSpec, split: Batch, name: str) -> None:
    """Raises ``ValueError``, naming split and value, where ``split`` is not as ``spec`` says.

    Args:
        spec: shape, levels, classes, source.
        split: images with what belongs to them.
        name: of the split, for the message.
    """
    _check_images(split.images, spec.shape, spec.levels, f"{name} images")
    if spec.classes:
        labels = split.labels
        if labels is None or len(labels) != len(split):
            raise ValueError(f"{name} labels: {0 if labels is None else len(labels)} for {len(split)} images")
        if labels.dtype != torch.int64 or not -1 <= int(labels.min()) <= int(labels.max()) < spec.classes:
            raise ValueError(
                f"{name} labels run from {labels.min()} to {labels.max()} as {labels.dtype}: "
                f"give int64 from 0 to {spec.classes - 1}, or -1 where unknown"
            )
    if spec.source is not None:
        if split.sources is None:
            raise ValueError(f"{name} sources are missing: the model translates from images of shape {spec.source}")
        _check_images(split.sources, spec.source, 256, f"{name} sources")
        if spec.paired and len(split.sources) != len(split):
            raise ValueError(f"{name} sources: {len(split.sources)} for {len(split)} images, and they are paired")
    for key, wanted in spec.fields.items():
        values = split.fields.get(key)
        if values is None or tuple(values.shape) != (len(split), *wanted.shape):
            shape = None if values is None else tuple(values.shape)
            raise ValueError(f"{name} field {key!r} has shape {shape}: give {(len(split), *wanted.shape)}")


def check_batch(spec: DataSpec, given: tuple[str, ...], batch: Batch) -> None:
    """Raises ``ValueError``, in one line, where a model of ``spec`` cannot say anything of ``batch``.

    Args:
        spec: of the data that the model was made for: shape and levels.
        given: what is read beside the images: ``"label"``, ``"source"``, names of fields.
        batch: uint8 images with as many labels, sources and values of each field as there are of any; labels that are
            read are known.
    """
    _check_images(batch.images, spec.shape, spec.levels, "images")
    sources = {"sources": batch.sources} if spec.paired else {}
    for name, values in {"labels": batch.labels, **sources, **batch.fields}.items():
        if values is not None and len(values) != len(batch):
            raise ValueError(f"{name}: {len(values)} for {len(batch)} images")
    if "label" in given:
        if batch.labels is None:
            raise ValueError("labels: this model needs one with each image")
        check_labels(batch.labels, spec.classes)


def check_labels(labels: torch.Tensor, classes: int) -> None:
    """Raises ``ValueError`` unless all labels are int64 and known: 0 to ``classes - 1``."""
    if labels.dtype != torch.int64:
        raise ValueError(f"labels are {labels.dtype}: give int64 from 0 to {classes - 1}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}: give 0 to {classes - 1}")


def check_given(given: tuple[str, ...], split: Batch, name: str) -> None:
    """Raises ``ValueError`` where a model that is given the label meets an image whose label is unknown."""
    if "label" in given and (split.labels is None or bool((split.labels < 0).any())):
        raise ValueError(f"{name} labels: some are unknown (-1), and this recipe needs the label of every image")


def check_unchanged(dataset: Dataset, hashes: Mapping[str, str]) -> None:
    """Raises ``ValueError`` where the data are no longer those that a run was laid out for: folders may change."""
    if dict(dataset.hashes) != hashes:
        raise ValueError(f"{dataset.name}: its files have changed since the run began; run again")


def _check_images(images: torch.Tensor, shape: tuple[int, int, int], levels: int, name: str) -> None:
    if images.dtype != torch.uint8:
        raise ValueError(f"{name} are {images.dtype}: give uint8 levels from 0 to {levels - 1}")
    if len(images) == 0:
        raise ValueError(f"{name}: there are none")
    if tuple(images.shape[1:]) != shape:
        raise ValueError(f"{name} have shape {tuple(images.shape[1:])}: the model is made for {shape}")
    if int(images.max()) >= levels:
        raise ValueError(f"{name} reach level {int(images.max())}: the data set has levels 0 to {levels - 1}")
