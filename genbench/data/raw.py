"""What a source yields: images as it holds them, and what belongs to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genbench.spec import DataSpec, Field


@dataclass(frozen=True)
class Raw:
    """Images as a source holds them, not yet split for training.

    Args:
        images: the images, uint8 ``(N, C, H, W)``.
        labels: the labels, int64 ``(N,)``, or None.
        levels: the number of integer levels.
        classes: the number of labels, 0 for none.
        test: the images and labels of an official test split, where the source has one.
        parts: the rows of training, validation and test split, int64 each, where the source settles all three; in
            random order, since what measures fewer images than a split has takes the first.
        sources: the sources, uint8 ``(N, C', H', W')``: image i is translated from source i.
        fields: the fields, a tensor of integers ``(N, …)`` for each name in ``kinds``.
        kinds: the shape, levels and owner of each field, by name.
        told: what was read, skipped and converted, in a line, where files of all sorts are read.
        class_names: the name of each class, where they have names.

    Raises:
        ValueError: for numbers of rows that differ, fields of another shape than their kind's, parts that overlap, are
            empty or lead to no row, or what a ``test`` of images and labels alone cannot go with.
    """

    images: Tensor
    labels: Tensor | None = None
    levels: int = 256
    classes: int = 0
    test: tuple[Tensor, Tensor | None] | None = None
    parts: tuple[Tensor, Tensor, Tensor] | None = None
    sources: Tensor | None = None
    fields: Mapping[str, Tensor] = field(default_factory=dict)
    kinds: Mapping[str, Field] = field(default_factory=dict)
    told: str = ""
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.images)
        if self.test is not None and (self.parts is not None or self.sources is not None or self.fields):
            raise ValueError(
                "test: it has images and labels alone; with sources, fields or parts give all as one array"
            )
        for name, values in {"labels": self.labels, "sources": self.sources, **self.fields}.items():
            if values is not None and len(values) != count:
                raise ValueError(f"{name}: {len(values)} for {count} images; give one for each")
        if self.fields.keys() != self.kinds.keys():
            raise ValueError(f"fields {sorted(self.fields)} are not those that kinds describe, {sorted(self.kinds)}")
        for name, kind in self.kinds.items():
            if tuple(self.fields[name].shape[1:]) != kind.shape:
                raise ValueError(f"field {name!r} has shape {tuple(self.fields[name].shape[1:])}, not {kind.shape}")
        if self.parts is not None:
            _check_parts(self.parts, count)

    @property
    def spec(self) -> DataSpec:
        """The spec of the data, before anything varies them."""
        channels, height, width = self.images.shape[1:]
        source = None
        if self.sources is not None:
            source = (self.sources.shape[1], self.sources.shape[2], self.sources.shape[3])
        return DataSpec((channels, height, width), self.levels, self.classes, source, fields=self.kinds)


def _check_parts(parts: tuple[Tensor, Tensor, Tensor], count: int) -> None:
    """Refuse rows that are not those of three disjoint splits of ``count`` images."""
    for name, rows in zip(("train", "validation", "test"), parts, strict=True):
        if rows.dtype != torch.int64 or rows.dim() != 1 or len(rows) == 0:
            raise ValueError(f"{name}: rows are {rows.dtype} {tuple(rows.shape)}; give int64 (n,), at least one")
        if not 0 <= int(rows.min()) <= int(rows.max()) < count:
            raise ValueError(f"{name}: rows run from {rows.min()} to {rows.max()}; there are {count}, from 0")
    whole = torch.cat(parts)
    if len(whole.unique()) < len(whole):
        raise ValueError("train, validation and test: a row stands in two of them, or twice in one")
