"""What data are: their spec, batches and splits, and the bytes that levels are spread over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

import torch
from torch import Tensor

SOURCE_LEVELS = 256  # of sources, whatever the levels of the images are
# What a batch, a sample's arguments and what a model is given call something else: no field has such a name.
RESERVED = ("images", "labels", "label", "sources", "source", "category")


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


def check_field_name(name: str) -> None:
    """Refuse, in one line, a field's name that is no identifier or that something else has.

    Raises:
        ValueError: for such a name.
    """
    if not name.isidentifier():
        raise ValueError(f"field {name!r}: give it a name of letters, digits and underscores, such as 'caption'")
    if name in RESERVED:
        raise ValueError(f"field {name!r}: give it a name of its own, other than {', '.join(RESERVED)}")


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
        ValueError: for a shape or a count that no data set can have, a field of a source that there is not, or a
            field's name that is no identifier or that something else has, such as ``"labels"``.
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
            check_field_name(name)
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

        Sources and fields that are as many as the images are taken for theirs, row by row: nothing here says that
        domains of one length are unpaired. Those of another number are dropped, and so is the labelled minibatch.
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

    Both come in random order, as :func:`genbench.data.load` has them: what looks at a few images, such as the search
    for the noise of a model without a density, takes the first.

    Args:
        train: the split that a model learns from.
        validation: the split seen in training, and learned from by no gradient. A source that stands here belongs to
            its image, even where training is unpaired; where no source belongs to an image there are none.
    """

    train: Split
    validation: Split


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


def from_bytes(images: Tensor, levels: int) -> Tensor:
    """Return 0 … 255 at the nearest of the levels ``0 … levels-1``, uint8: what :func:`to_bytes` spread, as it was."""
    return images if levels == 256 else (images.float() * (levels - 1) / 255).round().to(torch.uint8)
