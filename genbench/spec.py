"""What data are: their spec, batches and splits; and the refusal of data that are not what their spec says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

import torch
from torch import Tensor

SOURCE_LEVELS = 256  # of sources, whatever the levels of the images are
ARGUMENTS = {"label": "labels", "source": "sources"}  # what a condition is called as an argument; a field by its name


@dataclass(frozen=True)
class Field:
    """A tensor of integers that a sample is given or has: a caption ``(T,)``, a mask ``(1, H, W)``, a domain ``()``.

    Args:
        shape: the shape of one value, without the batch.
        levels: the number of levels: integers run from 0 to ``levels - 1``.
        of: the owner of a value, an image or its source, which matters where the two are not paired.

    Raises:
        ValueError: for no levels, or an ``of`` that is neither.
    """

    shape: tuple[int, ...]
    levels: int
    of: Literal["image", "source"] = "image"

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise ValueError(f"levels={self.levels}: a field has at least 1")
        if self.of not in ("image", "source"):
            raise ValueError(f"of={self.of!r}: a field is of 'image' or of 'source'")


@dataclass(frozen=True)
class DataSpec:
    """The shape of a data set, all that a recipe needs to size its networks.

    Args:
        shape: the shape of an image, ``(C, H, W)``.
        levels: the number of integer levels a pixel can take: 256, 2 for binarised images, 17 for the 8×8 digits.
        classes: the number of labels, 0 where there are none.
        source: the shape of the image to translate from, if there is one; its levels are always 256.
        paired: whether sources and images are pairs; False for two domains without pairs.
        labelled: the number of training images that carry their label, where semi-supervised.
        fields: all else that a sample is given or has, by name.

    Raises:
        ValueError: for a shape or a count that no data set can have, or a field of a source that there is not.
    """

    shape: tuple[int, int, int]
    levels: int = 256
    classes: int = 0
    source: tuple[int, int, int] | None = None
    paired: bool = True
    labelled: int | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, shape in (("shape", self.shape), ("source", self.source)):
            if shape is not None and (len(shape) != 3 or min(shape) < 1):
                raise ValueError(f"{name}={shape}: give (channels, height, width), each at least 1")
        if not 2 <= self.levels <= 256:
            raise ValueError(f"levels={self.levels}: an image of uint8 has 2 to 256 levels")
        if self.classes < 0:
            raise ValueError(f"classes={self.classes}: give 0 for no labels, or their number")
        for name, wanted in self.fields.items():
            if wanted.of == "source" and self.source is None:
                raise ValueError(f"field {name!r} is of the source, and source=None")

    @property
    def dimensions(self) -> int:
        """The product ``C·H·W``, by which bits per dimension divide."""
        channels, height, width = self.shape
        return channels * height * width

    def has(self, condition: str) -> bool:
        """Return whether data of this spec come with ``"label"``, ``"source"`` or the field of that name."""
        known = {"label": self.classes > 0, "source": self.source is not None}
        return known.get(condition, condition in self.fields)

    def translates(self, given: tuple[str, ...]) -> bool:
        """Return whether something of ``given`` belongs to a source: the source itself, or a field of one."""
        return any(name == "source" or (name in self.fields and self.fields[name].of == "source") for name in given)


@dataclass(frozen=True)
class Batch:
    """Images and what is known of each.

    Args:
        images: the images, uint8 ``(B, C, H, W)``.
        labels: the labels, int64 ``(B,)``, -1 where unknown.
        sources: the sources, uint8 ``(B, C', H', W')``.
        fields: the tensor of each field of the spec, by name.
        labelled: a minibatch of its own from the labelled share, where semi-supervised.
    """

    images: Tensor
    labels: Tensor | None = None
    sources: Tensor | None = None
    fields: Mapping[str, Tensor] = field(default_factory=dict)
    labelled: Batch | None = None

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, index: Tensor | slice) -> Batch:
        """Return the rows of ``index`` as a batch.

        What has rows of its own is dropped: the labelled minibatch, and unpaired sources of another number.
        """
        fields = {name: values[index] for name, values in self.fields.items() if len(values) == len(self)}
        sources = None if self.sources is None or len(self.sources) != len(self) else self.sources
        labels = None if self.labels is None else self.labels[index]
        return Batch(self.images[index], labels, None if sources is None else sources[index], fields)

    def to(self, device: torch.device | str) -> Self:
        """Return the batch with all its tensors on ``device``."""
        return type(self)(
            self.images.to(device),
            None if self.labels is None else self.labels.to(device),
            None if self.sources is None else self.sources.to(device),
            {name: values.to(device) for name, values in self.fields.items()},
            None if self.labelled is None else self.labelled.to(device),
        )


class Split(Batch):
    """A whole split in memory. Where images and sources are unpaired domains, their lengths may differ."""


@dataclass(frozen=True)
class Splits:
    """The splits that a model may see: test data never reach it.

    Args:
        train: the split that a model learns from.
        validation: the split seen in training, and learned from by no gradient. A source that stands here belongs to
            its image, even where training is unpaired; where no source belongs to an image there are none.
    """

    train: Split
    validation: Split


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
    loose = set() if spec.paired else {"sources", *(name for name, one in spec.fields.items() if one.of == "source")}
    for name, values in {"labels": batch.labels, "sources": batch.sources, **batch.fields}.items():
        if values is not None and len(values) != len(batch) and name not in loose:
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


def check_conditions(spec: DataSpec, given: tuple[str, ...], n: int, offered: Mapping[str, Tensor | None]) -> None:
    """Refuse, in one line, conditions that ``n`` samples of a model cannot be drawn under.

    Args:
        spec: the spec of the data that the model was made for.
        given: what its samples are conditioned on. Labels may be left out: they are drawn then.
        n: the number of samples.
        offered: the conditions by ``"label"``, ``"source"`` and names of fields; None for what is not offered.

    Raises:
        ValueError: naming the condition that is missing, that the model does not take, or that is not as its spec says.
    """
    if n < 0:
        raise ValueError(f"n={n}: give 0 samples or more")
    for name, values in (dict.fromkeys(given) | dict(offered)).items():
        called = ARGUMENTS.get(name, name)
        if values is None:
            if name in given and name != "label":
                raise ValueError(f"{called}: this model needs one for each of the {n} samples")
            continue
        if name not in given:
            raise ValueError(f"{called}: this model takes {' and '.join(given) or 'no condition'}")
        if len(values) != n:
            raise ValueError(f"{called}: {len(values)} for {n} samples")
        if name == "label":
            check_labels(values, spec.classes)
        elif name == "source" and spec.source is not None and n:
            _check_images(values, spec.source, SOURCE_LEVELS, "sources")
        elif name in spec.fields:
            _check_field(spec.fields[name], values, n, name)


def check_labels(labels: Tensor, classes: int) -> None:
    """Refuse labels that are not int64 or not known: 0 to ``classes - 1``."""
    if labels.dtype != torch.int64:
        raise ValueError(f"labels are {labels.dtype}: give int64 from 0 to {classes - 1}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}: give 0 to {classes - 1}")


def check_given(given: tuple[str, ...], split: Batch, name: str) -> None:
    """Refuse a split with an unknown label, for a model that is given the label."""
    if "label" in given and (split.labels is None or bool((split.labels < 0).any())):
        raise ValueError(f"{name} labels: some are unknown (-1), and this recipe needs the label of every image")


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


def to_bytes(images: Tensor, levels: int) -> Tensor:
    """Return levels ``0 … levels-1`` spread over 0 … 255, uint8: ``round(255 x / (levels - 1))``.

    One to one, and the identity at 256 levels.

    Raises:
        ValueError: for images that are not uint8 ``(N, C, H, W)``, none at all, or beyond their levels.
    """
    if images.dtype != torch.uint8 or images.dim() != 4:
        raise ValueError(f"images are {images.dtype} of shape {tuple(images.shape)}: give uint8 (N, C, H, W)")
    if len(images) == 0:
        raise ValueError("images: there are none, and features need at least one")
    if int(images.max()) >= levels:
        raise ValueError(f"images reach level {int(images.max())}: with levels={levels} they end at {levels - 1}")
    if levels == 256:
        return images
    spread = (torch.arange(levels, dtype=torch.float64, device=images.device) * (255 / (levels - 1))).round()
    return spread.to(torch.uint8)[images.int()]
