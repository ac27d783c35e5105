"""Refuses data that are not what their spec says, in one line that names the argument, its value and what would do."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from genbench.spec import RESERVED, SOURCE_LEVELS, Batch, DataSpec, Field

ARGUMENTS = {"label": "labels", "source": "sources"}  # what a condition is called as an argument; a field by its name


def check_split(spec: DataSpec, split: Batch, name: str) -> None:
    """Refuse, naming split and value, a split that is not as ``spec`` says.

    Args:
        spec: the spec: shape, levels, classes, source, fields.
        split: the images with what belongs to them.
        name: the split's name, for the message.

    Raises:
        ValueError: for whatever does not fit, in one line.
    """
    _check_images(split.images, spec.shape, spec.levels, f"{name} images")
    if spec.classes:
        labels = split.labels
        if labels is None or _count(labels, f"{name} labels") != len(split):
            raise ValueError(f"{name} labels: {0 if labels is None else len(labels)} for {len(split)} images")
        if labels.dim() != 1:
            raise ValueError(f"{name} labels have shape {tuple(labels.shape)}: give {(len(split),)}")
        if labels.dtype != torch.int64 or not -1 <= int(labels.min()) <= int(labels.max()) < spec.classes:
            raise ValueError(
                f"{name} labels run from {labels.min()} to {labels.max()} as {labels.dtype}: "
                f"give int64 from 0 to {spec.classes - 1}, or -1 where unknown"
            )
    if spec.source is not None:
        if split.sources is None:
            raise ValueError(f"{name} sources are missing: the model translates from images of shape {spec.source}")
        _check_images(split.sources, spec.source, SOURCE_LEVELS, f"{name} sources")
        if spec.paired and len(split.sources) != len(split):
            raise ValueError(f"{name} sources: {len(split.sources)} for {len(split)} images, and they are paired")
    for key, wanted in spec.fields.items():
        rows = len(split) if wanted.of == "image" or split.sources is None else len(split.sources)
        _check_field(wanted, split.fields.get(key), rows, f"{name} field {key!r}")


def check_batch(spec: DataSpec, given: tuple[str, ...], batch: Batch) -> None:
    """Refuse, in one line, a batch of which a model of ``spec`` cannot say anything.

    Args:
        spec: the spec of the data that the model was made for.
        given: what is read beside the images: ``"label"``, ``"source"``, names of fields.
        batch: the uint8 images with as many labels, sources and values of each field as there are of any; what is
            read is there, and labels that are read are known.

    Raises:
        ValueError: for whatever does not fit.
    """
    _check_images(batch.images, spec.shape, spec.levels, "images")
    of_sources = {"sources", *(name for name, one in spec.fields.items() if one.of == "source")}
    loose = set() if spec.paired or spec.translates(given) else of_sources  # what is read goes with images row by row
    for name, values in [("labels", batch.labels), ("sources", batch.sources), *batch.fields.items()]:
        if values is not None and _count(values, name) != len(batch) and name not in loose:
            raise ValueError(f"{name}: {len(values)} for {len(batch)} images")
    for name in given:
        if name == "label":
            if batch.labels is None:
                raise ValueError("labels: this model needs one with each image")
            check_labels(batch.labels, spec.classes)
        elif name == "source" and spec.source is not None:
            if batch.sources is None:
                raise ValueError("sources: this model needs one with each image")
            _check_images(batch.sources, spec.source, SOURCE_LEVELS, "sources")
        elif name in spec.fields:
            _check_field(spec.fields[name], batch.fields.get(name), len(batch), name)


def check_conditions(
    spec: DataSpec,
    given: tuple[str, ...],
    n: int,
    *,
    labels: Tensor | None,
    sources: Tensor | None,
    fields: Mapping[str, Tensor],
) -> None:
    """Refuse, in one line, conditions that ``n`` samples of a model cannot be drawn under.

    Args:
        spec: the spec of the data that the model was made for.
        given: what its samples are conditioned on. Labels may be left out: they are drawn then.
        n: the number of samples.
        labels: the labels that are offered, if any.
        sources: the sources that are offered, if any.
        fields: the fields that are offered, by name.

    Raises:
        ValueError: naming the condition that is missing, that the model does not take, or that is not as its spec says.
    """
    if n < 0:
        raise ValueError(f"n={n}: give 0 samples or more")
    for name in fields:
        if name in RESERVED:
            raise ValueError(f"fields: {name!r} is no field; {_argument_of(name)}")
    offered = {"label": labels, "source": sources, **fields}
    for name, values in (dict.fromkeys(given) | offered).items():
        called = ARGUMENTS.get(name, name)
        if values is None:
            if name in given and name != "label":
                raise ValueError(f"{called}: this model needs one for each of the {n} samples")
            continue
        if name not in given:
            raise ValueError(f"{called}: this model takes {' and '.join(given) or 'no condition'}")
        if _count(values, called) != n:
            raise ValueError(f"{called}: {len(values)} for {n} samples")
        if name == "label":
            check_labels(values, spec.classes)
        elif name == "source" and spec.source is not None and n:
            _check_images(values, spec.source, SOURCE_LEVELS, "sources")
        elif name in spec.fields:
            _check_field(spec.fields[name], values, n, name)


def check_labels(labels: Tensor, classes: int) -> None:
    """Refuse labels that are not int64 ``(n,)``, or not known: 0 to ``classes - 1``."""
    if labels.dim() != 1:
        raise ValueError(f"labels have shape {tuple(labels.shape)}: give {tuple(labels.shape[:1]) or '(n,)'}")
    if labels.dtype != torch.int64:
        raise ValueError(f"labels are {labels.dtype}: give int64 from 0 to {classes - 1}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}: give 0 to {classes - 1}")


def check_given(given: tuple[str, ...], split: Batch, name: str) -> None:
    """Refuse a split with an unknown label, for a model that is given the label."""
    if "label" in given and (split.labels is None or bool((split.labels < 0).any())):
        raise ValueError(f"{name} labels: some are unknown (-1), and this recipe needs the label of every image")


def _count(values: Tensor, name: str) -> int:
    """Return the number of rows of ``values``, once it is a tensor that has some."""
    if not isinstance(values, Tensor):
        raise ValueError(f"{name}: a {type(values).__name__}; give a tensor")
    if values.dim() == 0:
        raise ValueError(f"{name}: a single number; give a tensor with a row for each image")
    return len(values)


def _argument_of(name: str) -> str:
    """Return what to do with a condition that is no field."""
    argument = ARGUMENTS.get(name, name)
    return f"give {argument}= instead" if argument in ARGUMENTS.values() else "leave it out"


def _check_field(wanted: Field, values: Tensor | None, rows: int, name: str) -> None:
    if values is None:
        raise ValueError(f"{name} is missing: give integers of shape {(rows, *wanted.shape)}")
    if tuple(values.shape) != (rows, *wanted.shape):
        raise ValueError(f"{name} has shape {tuple(values.shape)}: give {(rows, *wanted.shape)}")
    if values.dtype not in (torch.int64, torch.uint8):
        raise ValueError(f"{name} is {values.dtype}: give int64 or uint8 from 0 to {wanted.levels - 1}")
    if values.numel() and not 0 <= int(values.min()) <= int(values.max()) < wanted.levels:
        raise ValueError(f"{name} runs from {values.min()} to {values.max()}: give 0 to {wanted.levels - 1}")


def _check_images(images: Tensor, shape: tuple[int, int, int], levels: int, name: str) -> None:
    if images.dtype != torch.uint8:
        raise ValueError(f"{name} are {images.dtype}: give uint8 levels from 0 to {levels - 1}")
    if len(images) == 0:
        raise ValueError(f"{name}: there are none")
    if tuple(images.shape[1:]) != shape:
        raise ValueError(f"{name} have shape {tuple(images.shape[1:])}: the model is made for {shape}")
    if int(images.max()) >= levels:
        raise ValueError(f"{name} reach level {int(images.max())}: the data set has levels 0 to {levels - 1}")
