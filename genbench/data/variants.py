"""Variants of data sets: a table of prefixes, such as ``edges:``; each is a pure function of split and name.

Prefixes compose: ``unpaired:edges:mnist5k`` is read from the right. What a split contains is settled before any pair is
made. Sources are always 0 … 255, and whole numbers are reckoned with, so that every machine finds the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from genbench.data.captions import captioned, captions_spec
from genbench.seed import generator, uniform
from genbench.spec import DataSpec, Split, to_bytes

if TYPE_CHECKING:
    from genbench.data.dataset import Dataset

CHUNK = 256  # images at once: all of CIFAR-10 would take gigabytes
DRAWN_AT_ONCE = 1024  # images whose float32 draws, four times the images' size, are held together
THRESHOLD = 0.5  # of the range of levels; a step over the whole range has a Sobel gradient of 4 times it


@dataclass(frozen=True)
class Variant:
    """A prefix in front of a data set's name, and what it makes of the data set.

    Args:
        prefix: the prefix as it is typed, without the colon; a ``K`` at its end stands for a number.
        title: its title for people, in the list of data sets.
        said: the words that it adds to a data set's title; ``{}`` stands for the number.
        spec: a function ``(spec, number) → spec`` of the varied data; it refuses (``ValueError``) a spec that it cannot
            vary, in words where NAME is the source's name.
        vary: a function ``(dataset, number) → dataset`` with other splits; :meth:`of` sets spec and title.
        levels: the number of levels of its images, where it settles them.
    """

    prefix: str
    title: str
    said: str
    spec: Callable[[DataSpec, int], DataSpec]
    vary: Callable[[Dataset, int], Dataset]
    levels: int | None = None

    @property
    def example(self) -> str:
        """The prefix as it may be typed, with a number where it takes one: ``without-3``."""
        stem, numbered, _ = self.prefix.rpartition("K")
        return f"{stem}3" if numbered else self.prefix

    def of(self, dataset: Dataset, number: int) -> Dataset:
        """Return the varied data set; its hashes are still those of ``dataset``.

        Raises:
            ValueError: for a data set that it cannot vary.
        """
        spec = self.spec(dataset.spec, number)
        return replace(self.vary(dataset, number), spec=spec, title=f"{dataset.title}, {self.said.format(number)}")


def variant_named(prefix: str) -> tuple[Variant, int] | None:
    """Return the variant of a prefix and the number in it, 0 where it takes none; None for an unknown prefix."""
    for variant in VARIANTS:
        stem, number, _ = variant.prefix.rpartition("K")
        if not number and prefix == variant.prefix:
            return variant, 0
        if number and (found := re.fullmatch(rf"{stem}(\d{{1,9}})", prefix, re.ASCII)):
            return variant, int(found[1])
    return None


def _each(dataset: Dataset, change: Callable[[Split, str], Split]) -> Dataset:
    """Return ``dataset`` with ``change(split, name)`` in place of each split that it has."""
    strange = dataset.anomalous
    return replace(
        dataset,
        train=change(dataset.train, "train"),
        validation=change(dataset.validation, "validation"),
        test=change(dataset.test, "test"),
        anomalous=None if strange is None else change(strange, "anomalous"),
    )


def _without_source(spec: DataSpec) -> DataSpec:
    """Return ``spec``, if it has no sources yet; else ``ValueError``."""
    if spec.source is not None:
        raise ValueError("it makes sources of images, and these have some already")
    return spec


def _binarized_spec(spec: DataSpec, _: int) -> DataSpec:
    if spec.source is not None:
        raise ValueError("images with sources are not binarised; say edges:binarized:NAME")
    return replace(spec, levels=2)


def _binarized(dataset: Dataset, _: int) -> Dataset:
    """Return the data set with each pixel set once and for all: 1 with probability ``level / (levels - 1)``."""
    highest = dataset.spec.levels - 1

    def binary(split: Split, name: str) -> Split:
        source = generator(0, "binarized", name)
        drawn = [uniform(part.shape, source) * highest < part for part in split.images.split(DRAWN_AT_ONCE)]
        return replace(split, images=torch.cat(drawn).to(torch.uint8))

    return _each(dataset, binary)


def _edges_spec(spec: DataSpec, _: int) -> DataSpec:
    return replace(_without_source(spec), source=(1, *spec.shape[1:]))


def _negative_spec(spec: DataSpec, _: int) -> DataSpec:
    return replace(_without_source(spec), source=spec.shape)


def _from_itself(source_of: Callable[[Tensor, int], Tensor], dataset: Dataset, _: int) -> Dataset:
    """Return the data set in which ``source_of(images, levels)`` is each image's own source."""
    levels = dataset.spec.levels

    def known(images: Tensor) -> Tensor:
        return source_of(images, levels)

    varied = _each(dataset, lambda split, name: replace(split, sources=known(split.images)))
    return replace(varied, aligned=True, source_of=known)


def negative(images: Tensor, levels: int) -> Tensor:
    """Return ``levels - 1 - x`` of each pixel, spread over 0 … 255: uint8 ``(N, C, H, W)`` in and out."""
    return to_bytes(levels - 1 - images, levels)


def _unpaired_spec(spec: DataSpec, _: int) -> DataSpec:
    if spec.source is None:
        raise ValueError("there are no sources that pairs could be taken from; say unpaired:edges:NAME")
    if not spec.paired:
        raise ValueError("sources and images are unpaired already")
    return replace(spec, paired=False)


def _unpaired(dataset: Dataset, _: int) -> Dataset:
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


def _without_spec(spec: DataSpec, number: int) -> DataSpec:
    if spec.classes < 2:
        raise ValueError(f"a class can be left out where there are 2 or more, and there are {spec.classes}")
    if number >= spec.classes:
        raise ValueError(f"there is no class {number}: give 0 to {spec.classes - 1}")
    if not spec.paired:
        raise ValueError(f"sources that have no image have no class; say unpaired: in front of without-{number}:")
    return replace(spec, classes=spec.classes - 1)


def _without(dataset: Dataset, number: int) -> Dataset:
    """Take a class out of all splits; the other labels close up. The test split's images of it become anomalous."""

    def rest(split: Split, _: str) -> Split:
        labels = _labels(split)
        kept = labels != number
        return _rows(split, kept, labels[kept] - (labels[kept] > number).long())

    strange = _labels(dataset.test) == number
    unknown = torch.full((int(strange.sum()),), -1)  # its class has no number among those that are left
    anomalous = _rows(dataset.test, strange, unknown)
    return replace(_each(dataset, rest), anomalous=anomalous)


def _labels(split: Split) -> Tensor:
    if split.labels is None:
        raise ValueError("its images have no labels")
    return split.labels


def _rows(split: Split, mask: Tensor, labels: Tensor) -> Split:
    """Return the rows where ``mask`` holds, under other labels."""
    kept = split.rows(mask.nonzero()[:, 0])
    return Split(kept.images, labels, kept.sources, kept.fields)


def edge_map(images: Tensor, levels: int) -> Tensor:
    """Return edges as 0 or 255 for each pixel, uint8 ``(N, 1, H, W)``, from images, uint8 ``(N, C, H, W)``.

    A pixel is an edge where the Sobel gradient of its steepest channel is over the threshold and no smaller than at the
    two neighbours along the gradient (Canny's thinning; directions in four sectors): lines are one pixel wide.
    """
    return torch.cat([_edge_map(part, levels) for part in images.split(CHUNK)])


def _edge_map(images: Tensor, levels: int) -> Tensor:
    x = F.pad(images.float(), (1, 1, 1, 1), mode="replicate")  # whole numbers below 2²⁴: float32 is exact
    across, down = x[..., 2:] - x[..., :-2], x[..., 2:, :] - x[..., :-2, :]
    gx = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    gy = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    steep, channel = (gx * gx + gy * gy).max(1, keepdim=True)
    gx, gy = gx.gather(1, channel), gy.gather(1, channel)
    height, width = steep.shape[-2:]
    framed = F.pad(steep, (1, 1, 1, 1))

    def ridge(dy: int, dx: int) -> Tensor:
        """Say where a pixel is above one neighbour and not below the other: of a plateau one pixel is kept."""
        before = framed[..., 1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        after = framed[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        return (steep > before) & (steep >= after)

    # tan 22.5° is about 2/5.
    level = 5 * gy.abs() < 2 * gx.abs()
    upright = 5 * gx.abs() < 2 * gy.abs()
    diagonal = torch.where((gx > 0) == (gy > 0), ridge(1, 1), ridge(1, -1))
    thin = torch.where(level, ridge(0, 1), torch.where(upright, ridge(1, 0), diagonal))
    strong = steep > (THRESHOLD * (levels - 1)) ** 2
    return (strong & thin).to(torch.uint8) * 255


VARIANTS = (
    Variant(
        "binarized", "any of these, each pixel drawn once as 0 or 1", "binarised", _binarized_spec, _binarized, levels=2
    ),
    Variant(
        "edges",
        "any of these, with edge maps to translate from",
        "from edges",
        _edges_spec,
        partial(_from_itself, edge_map),
    ),
    Variant(
        "negative",
        "any of these, with negatives to translate from",
        "from negatives",
        _negative_spec,
        partial(_from_itself, negative),
    ),
    Variant(
        "unpaired",
        "any of these that has sources, trained on sources of one half and images of the other",
        "unpaired",
        _unpaired_spec,
        _unpaired,
    ),
    Variant(
        "without-K",
        "any of these that has labels, class K left out and held as anomalous",
        "without class {}",
        _without_spec,
        _without,
    ),
    Variant(
        "captions",
        "any of these that has labels, with captions made of what is measured",
        "with made captions",
        captions_spec,
        captioned,
    ),
)
