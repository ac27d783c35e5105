"""``binarized:``: each pixel drawn once and for all as 0 or 1."""

from __future__ import annotations

from dataclasses import replace

import torch

from genbench.data.dataset import Dataset
from genbench.seed import generator, uniform
from genbench.spec import DataSpec, Split

DRAWN_AT_ONCE = 1024  # images whose float32 draws, four times the images' size, are held together


def binarized_spec(spec: DataSpec, _: int) -> DataSpec:
    """Return the spec with two levels.

    Raises:
        ValueError: for data with sources, or with fields that say something of the pixels as they were.
    """
    if spec.source is not None:
        raise ValueError("images with sources are not binarised; say binarized: right in front of NAME")
    if spec.fields:
        raise ValueError(f"the fields {sorted(spec.fields)} are of the images as they were; say binarized: behind them")
    return replace(spec, levels=2)


def binarized(dataset: Dataset, _: int) -> Dataset:
    """Return the data set with each pixel set once and for all: 1 with probability ``level / (levels - 1)``."""
    highest = dataset.spec.levels - 1

    def binary(split: Split, name: str) -> Split:
        source = generator(0, "binarized", name)
        drawn = [uniform(part.shape, source) * highest < part for part in split.images.split(DRAWN_AT_ONCE)]
        return replace(split, images=torch.cat(drawn).to(torch.uint8))

    return dataset.each(binary)
