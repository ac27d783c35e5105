"""Variants that choose among rows: ``unpaired:`` and ``without-K:``."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from genbench.data.dataset import Dataset
from genbench.seed import generator
from genbench.spec import DataSpec, Split


def unpaired_spec(spec: DataSpec, _: int) -> DataSpec:
    """Return the spec with sources that are of other rows than the images.

    Raises:
        ValueError: for data without sources, or unpaired already.
    """
    if spec.source is None:
        raise ValueError("there are no sources that pairs could be taken from; say unpaired:edges:NAME")
    if not spec.paired:
        raise ValueError("sources and images are unpaired already")
    return replace(spec, paired=False)


def unpaired(dataset: Dataset, _: int) -> Dataset:
    """Take training images of half the rows and training sources of the others: no pair is left, not even apart.

    Until here sources are pairs, which is why the same rows may be taken of images, sources and fields. From here on
    nothing but the spec says that they are none, where both halves are as long.
    """
    train = dataset.train
    if len(train) < 2:
        raise ValueError(f"{len(train)} training pair cannot be cut into halves")
    order = torch.randperm(len(train), generator=generator(0, "unpaired", "train"))
    half = (len(train) + 1) // 2
    images = train.rows(order[:half])
    theirs = train.rows(order[half:])
    of_sources = {name for name, field in dataset.spec.fields.items() if field.of == "source"}
    fields = {name: (theirs if name in of_sources else images).fields[name] for name in train.fields}
    return replace(dataset, train=Split(images.images, images.labels, theirs.sources, fields))


def without_spec(spec: DataSpec, number: int) -> DataSpec:
    """Return the spec with a class less.

    Raises:
        ValueError: for data that have no such class, or too few, or sources without a class.
    """
    if spec.classes < 2:
        raise ValueError(f"a class can be left out where there are 2 or more, and there are {spec.classes}")
    if number >= spec.classes:
        raise ValueError(f"there is no class {number}: give 0 to {spec.classes - 1}")
    if not spec.paired:
        raise ValueError(f"sources that have no image have no class; say without-{number}: right in front of NAME")
    return replace(spec, classes=spec.classes - 1)


def without(dataset: Dataset, number: int) -> Dataset:
    """Take a class out of all splits; the other labels close up. The test split's images of it become anomalous."""

    def rest(split: Split, _: str) -> Split:
        labels = _labels(split)
        kept = labels != number
        return _rows(split, kept, labels[kept] - (labels[kept] > number).long())

    strange = _labels(dataset.test) == number
    unknown = torch.full((int(strange.sum()),), -1)  # its class has no number among those that are left
    anomalous = _rows(dataset.test, strange, unknown)
    names = tuple(name for i, name in enumerate(dataset.class_names) if i != number)
    return replace(dataset.each(rest), anomalous=anomalous, class_names=names)


def _labels(split: Split) -> Tensor:
    if split.labels is None:
        raise ValueError("its images have no labels")
    return split.labels


def _rows(split: Split, mask: Tensor, labels: Tensor) -> Split:
    """Return the rows where ``mask`` holds, under other labels."""
    kept = split.rows(mask.nonzero()[:, 0])
    return Split(kept.images, labels, kept.sources, kept.fields)
