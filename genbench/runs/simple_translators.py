"""Translations that nobody trains by gradients: what any model that translates has to beat."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from genbench.spec import SOURCE_LEVELS, Batch, DataSpec
from genbench.stats import spread

WINDOW = 9  # side of the filter of ``linear``
PAIRS = 1024  # training pairs that its 82 numbers are found from, at most
NUMBERS = 2**24  # float64 values of a block: a larger one would not fit beside large images
BLOCK = 64  # images of a block, at most
CLOSEST = 4096  # sources that are compared at once, at most
PENALTIES = tuple(10.0**k for k in range(2, -11, -1))  # of ``affine``, over the largest eigenvalue
MOST_NUMBERS = 1024  # of a source that ``affine`` takes


def copy(sources: Tensor, spec: DataSpec) -> Tensor:
    """Return sources as images of ``spec``: bicubically enlarged, rounded and clamped, uint8 ``(N, C, H, W)``.

    Grey is repeated over the channels and colours are averaged where images have another number of channels.

    Args:
        sources: the sources, uint8 ``(N, C', H', W')``.
        spec: the spec of the data.
    """
    return torch.cat([_levels(image, spec) for image in _enlarged(sources, spec)])


def linear(train: Batch, sources: Tensor, spec: DataSpec) -> Tensor:
    """Return copies behind the best 9×9 filter and bias, one for all channels: least squares on training pairs.

    Edges are mirrored. It is found from 1,024 pairs at most, evenly spread over the split.

    Args:
        train: the training pairs.
        sources: the sources to translate, uint8 ``(N, C', H', W')``.
        spec: the spec of the data.
    """
    rows = train.rows(spread(len(train), PAIRS))
    size = WINDOW**2 + 1
    gram = torch.zeros((size, size), dtype=torch.float64)
    moments = torch.zeros(size, dtype=torch.float64)
    for copied, images in zip(_enlarged(_sources(rows), spec), rows.images.split(_block(spec)), strict=True):
        for lines, band in _bands(copied):
            windows = _windows(band)
            gram += windows.T @ windows
            moments += windows.T @ images[..., lines, :].double().flatten()
    weights = torch.linalg.pinv(gram, hermitian=True) @ moments
    kernel = weights[:-1].view(1, 1, WINDOW, WINDOW)

    def filtered(copied: Tensor) -> Tensor:
        return torch.cat([F.conv2d(band, kernel, weights[-1:]) for _, band in _bands(copied)], 2).view_as(copied)

    return torch.cat([_levels(filtered(copied), spec) for copied in _enlarged(sources, spec)])


def nearest_source(train: Batch, sources: Tensor) -> Tensor:
    """Return for each source the training image of the nearest training source, by the distance of pixels.

    Args:
        train: the training pairs.
        sources: the sources to translate, uint8 ``(N, C', H', W')``.
    """
    known = _sources(train)
    block = max(1, min(CLOSEST, NUMBERS // known[0].numel()))
    return train.images[torch.cat([_nearest(known, part, block) for part in sources.split(block)])]


def _nearest(known: Tensor, sources: Tensor, block: int) -> Tensor:
    """Return the row of the known source that is nearest to each of some, the first of several."""
    wanted = sources.flatten(1).double()
    least, row = wanted.new_full((len(wanted),), torch.inf), torch.zeros(len(wanted), dtype=torch.int64)
    for number, part in enumerate(known.split(block)):
        some = part.flatten(1).double()
        # Whole numbers below 2⁵³: an identical source is the nearest, exactly.
        distance, place = (some.square().sum(1) - 2 * wanted @ some.T).min(1)
        row = torch.where(distance < least, number * block + place, row)
        least = torch.minimum(distance, least)
    return row


def affine(train: Batch, validation: Batch, sources: Tensor, spec: DataSpec) -> Tensor:
    """Return the affine map of sources that ridge regression finds, rounded and clamped.

    The penalty, a power of ten, is the one with the least squared error on validation pairs.

    Args:
        train: the training pairs.
        validation: the validation pairs.
        sources: the sources to translate, uint8 ``(N, C', H', W')``.
        spec: the spec of the data.
    """
    x = _sources(train).flatten(1).double()
    pixels = train.images.flatten(1).split(max(1, NUMBERS // len(x)), 1)
    middle = x.mean(0)
    means = [some.double().mean(0) for some in pixels]
    mean = torch.cat(means)
    values, vectors = torch.linalg.eigh((x - middle).T @ (x - middle))
    moments = [(x - middle).T @ (some.double() - own) for some, own in zip(pixels, means, strict=True)]
    projected = vectors.T @ torch.cat(moments, 1)

    rows = max(1, NUMBERS // (2 * spec.dimensions))  # of which several copies are held

    def mapped(some: Tensor, penalty: float) -> Iterator[Tensor]:
        shrunk = projected / (values + penalty * values.max().clamp(min=1)).unsqueeze(1)
        for part in some.split(rows):
            yield (part.flatten(1).double() - middle) @ vectors @ shrunk + mean

    def error(penalty: float) -> float:
        pairs = zip(mapped(_sources(validation), penalty), validation.images.flatten(1).split(rows), strict=True)
        return math.fsum(float((made - target.double()).square().sum()) for made, target in pairs)

    best = min(PENALTIES, key=error)
    return torch.cat([_levels(made.view(-1, *spec.shape), spec) for made in mapped(sources, best)])


def _sources(split: Batch) -> Tensor:
    if split.sources is None:
        raise ValueError("a translation needs sources, and this split has none")
    return split.sources


def _enlarged(sources: Tensor, spec: DataSpec) -> Iterator[Tensor]:
    """Yield sources in levels and in the shape of images, float64 ``(B, C, H, W)``, some at a time."""
    channels, height, width = spec.shape
    for part in sources.split(_block(spec)):
        images = part.double() * (spec.levels - 1) / (SOURCE_LEVELS - 1)
        if images.shape[1] != channels:
            images = images.mean(1, keepdim=True).expand(-1, channels, -1, -1)
        if images.shape[2:] != (height, width):
            images = F.interpolate(images, (height, width), mode="bicubic", antialias=True)
        yield images


def _block(spec: DataSpec) -> int:
    """Return how many images are held at once: fewer of large ones."""
    return max(1, min(BLOCK, NUMBERS // spec.dimensions))


def _bands(images: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield lines of the images, and what windows round their pixels see: ``(B·C, 1, lines + 8, W + 8)``.

    Each channel is an image of its own, its edges mirrored. Windows have 82 numbers each, so that those of all lines of
    large images would not fit in memory.
    """
    framed = F.pad(images.flatten(0, 1).unsqueeze(1), (WINDOW // 2,) * 4, mode="reflect")
    height, width = images.shape[2:]
    count = max(1, NUMBERS // ((WINDOW**2 + 1) * len(framed) * width))
    for top in range(0, height, count):
        lines = slice(top, min(top + count, height))
        yield lines, framed[:, :, top : lines.stop + WINDOW - 1]


def _windows(band: Tensor) -> Tensor:
    """Return the window round each pixel of a band, and a one: ``(B·C·lines·W, 82)``."""
    windows = F.unfold(band, WINDOW).transpose(1, 2).flatten(0, 1)
    return torch.cat([windows, windows.new_ones((len(windows), 1))], dim=1)


def _levels(images: Tensor, spec: DataSpec) -> Tensor:
    return images.round().clamp(0, spec.levels - 1).to(torch.uint8)
