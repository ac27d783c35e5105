"""What a source yields and what the house gets: three fixed splits, each with a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from genbench.data.vocabulary import Vocabulary
from genbench.seed import generator
from genbench.spec import Batch, DataSpec, Field, Split, Splits

SHARES = (0.7, 0.1, 0.2)  # training, validation, test
HELD_OUT = (0.9, 0.1)  # training, validation, where the source has a test split of its own


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


@dataclass(frozen=True)
class Dataset:
    """A data set, split once and for all. Each split is in random order: the first images of one are a sample of it.

    Args:
        name: the data set's name, as asked: ``"edges:mnist5k"``.
        title: its title, for people.
        spec: the spec that models are built from.
        train: the split that training learns from.
        validation: the split that training sees, and learns from by no gradient.
        test: the split that no model sees before it is measured.
        hashes: the SHA-256 of each split that there is, hexadecimal.
        aligned: whether source i belongs to image i in validation and test, even where training is unpaired. No model
            hears of it: it says what may be measured.
        anomalous: the held-out images of a class that no split has, for what detects them.
        source_of: the map from uint8 images ``(N, C, H, W)`` to their sources, where sources are known maps of images.
        vocabulary: the words of captions, where these are made of the images and their labels.
        told: what was read of files, skipped and converted, in a line; empty where there is nothing to say.
        class_names: the name of each class, where they have names.
    """

    name: str
    title: str
    spec: DataSpec
    train: Split
    validation: Split
    test: Split
    hashes: Mapping[str, str]
    aligned: bool = False
    anomalous: Split | None = None
    source_of: Callable[[Tensor], Tensor] | None = None
    vocabulary: Vocabulary | None = None
    told: str = ""
    class_names: tuple[str, ...] = ()

    @property
    def splits(self) -> Splits:
        """The splits that a model may see. Validation images have a source each where it is theirs, and else none."""
        if self.spec.source is None or self.aligned:
            return Splits(self.train, self.validation)
        kept = {name: v for name, v in self.validation.fields.items() if self.spec.fields[name].of == "image"}
        return Splits(self.train, replace(self.validation, sources=None, fields=kept))

    @property
    def facts(self) -> dict[str, Any]:
        """What ``genbench datasets`` shows of it: shape, levels, classes, counts, and what was read of files."""
        counts = {name: len(getattr(self, name)) for name in ("train", "validation", "test")}
        spec = self.spec
        of_images = {"shape": spec.shape, "levels": spec.levels, "classes": spec.classes, "sources": spec.source}
        return {"name": self.name, "title": self.title, **of_images, **counts, "read": self.told or None}

    def each(self, change: Callable[[Split, str], Split]) -> Dataset:
        """Return the data with ``change(split, name)`` in place of each split that there is, anomalous images too."""
        strange = self.anomalous
        return replace(
            self,
            train=change(self.train, "train"),
            validation=change(self.validation, "validation"),
            test=change(self.test, "test"),
            anomalous=None if strange is None else change(strange, "anomalous"),
        )

    def with_labels(self, n: int | None) -> Dataset:
        """Return the data with ``n`` training labels and -1 for the others: what semi-supervised recipes learn from.

        Each class has one label at least and otherwise its share: the first of the split, which is in random order
        under a fixed seed. A greater ``n`` adds labels to those of a smaller one. Name and hashes stay: it is the same
        data set, of which less is known.

        Raises:
            ValueError: for data without labels, fewer labels than classes, or more than there are.
        """
        if n is None:
            return self
        labels = self.train.labels
        classes = self.spec.classes
        if labels is None or not classes:
            raise ValueError(f"labelled={n}: {self.name} has no labels")
        known = int((labels >= 0).sum())
        if not classes <= n <= known:
            raise ValueError(f"labelled={n}: give {classes}, one a class of {self.name}, to {known}, all that it has")
        kept = _places(labels).masked_fill(labels < 0, torch.inf).argsort(stable=True)[:n]
        few = torch.full_like(labels, -1)
        few[kept] = labels[kept]
        return replace(self, spec=replace(self.spec, labelled=n), train=replace(self.train, labels=few))


def digest(split: Batch) -> str:
    """Return the SHA-256 over name, type, shape and bytes of every array of a split."""
    # Pairs, not a dict: a field takes no array's place, whatever it is called.
    arrays = [("images", split.images), ("labels", split.labels), ("sources", split.sources), *split.fields.items()]
    summed = hashlib.sha256()
    for name, values in arrays:
        if values is not None:
            summed.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
            summed.update(values.contiguous().numpy().tobytes())
    return summed.hexdigest()


def stratified(labels: Tensor | None, count: int, shares: tuple[float, ...], seed: int = 0) -> list[Tensor]:
    """Return rows ``0 … count-1`` in disjoint parts of the given shares, each class within one image of its share.

    Within a class rows are drawn at random from a fixed seed, and each part comes in random order.

    Args:
        labels: the labels, int64 ``(count,)``; None makes one class of all.
        count: the number of rows.
        shares: the share of each part; they sum to 1.
        seed: the seed of the draw.

    Raises:
        ValueError: where a part would be empty.
    """
    source = generator(seed, "split")
    order = torch.randperm(count, generator=source)
    parts: list[list[Tensor]] = [[] for _ in shares]
    for label in [None] if labels is None else labels.unique().tolist():
        rows = order if labels is None else order[labels[order] == label]
        marks = [round(len(rows) * sum(shares[:i])) for i in range(len(shares) + 1)]
        for part, begin, end in zip(parts, marks, marks[1:], strict=False):
            part.append(rows[begin:end])
    whole = [torch.cat(part) for part in parts]
    if min(map(len, whole)) == 0:
        raise ValueError(f"{count} images are too few to split into parts of {shares}: give more")
    return [part[torch.randperm(len(part), generator=source)] for part in whole]


def chosen(count: int, n: int, labels: Tensor | None = None, seed: int = 0) -> Tensor:
    """Return ``n`` of the rows ``0 … count-1``, each class in its share, drawn at random and in random order.

    Where there are no more than ``n``, they are all, as they stand.

    Args:
        count: the number of rows.
        n: the number of rows wanted.
        labels: the labels, int64 ``(count,)``, of which -1 is a class too; None makes one class of all.
        seed: the seed of the draw.
    """
    if n >= count:
        return torch.arange(count)
    order = torch.randperm(count, generator=generator(seed, "chosen"))
    if labels is None:
        return order[:n]
    return order[_places(labels[order]).argsort(stable=True)[:n].sort().values]


def _places(labels: Tensor) -> Tensor:
    """Return k / m for the k-th row of a class of m, float64: in this order every beginning holds each its share."""
    place = torch.empty(len(labels), dtype=torch.float64)
    for label in labels.unique().tolist():
        rows = (labels == label).nonzero()[:, 0]
        place[rows] = torch.arange(len(rows), dtype=torch.float64) / len(rows)
    return place


def check_unchanged(dataset: Dataset, hashes: Mapping[str, str]) -> None:
    """Raise ``ValueError`` where the data are no longer those that a run was laid out for: folders may change."""
    if dict(dataset.hashes) != hashes:
        raise ValueError(f"{dataset.name}: its files have changed since the run began; run again")
