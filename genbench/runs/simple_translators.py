"""Translations that nobody trains by gradients: what any model that translates has to beat."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from genbench.spec import SOURCE_LEVELS, Batch, DataSpec
from genbench.stats import spread

WINDOW = 9  # side of the filter of ``linear``
PAIRS = 1024  # training pairs that its 82 numbers are found from, at most
BLOCK = 64  # images whose windows are held at once
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
    for copied, images in zip(_enlarged(_sources(rows), spec), rows.images.split(BLOCK), strict=True):
        windows = _windows(copied)
        gram += windows.T @ windows
        moments += windows.T @ images.double().flatten()
    weights = torch.linalg.pinv(gram, hermitian=True) @ moments
    kernel = weights[:-1].view(1, 1, WINDOW, WINDOW)
    parts = [F.conv2d(_framed(copied), kernel, weights[-1:]).view_as(copied) for copied in _enlarged(sources, spec)]
    return torch.cat([_levels(part, spec) for part in parts])


def nearest_source(train: Batch, sources: Tensor) -> Tensor:
    """Return for each source the training image of the nearest training source, by the distance of pixels.

    Args:
        train: the training pairs.
        sources: the sources to translate, uint8 ``(N, C', H', W')``.
    """
    known = _sources(train).flatten(1).double()
    square = known.square().sum(1)
    # Whole numbers below 2⁵³: an identical source is the nearest, exactly.
    near = [(square - 2 * part.flatten(1).double() @ known.T).argmin(1) for part in sources.split(4 * BLOCK)]
    return train.images[torch.cat(near)]


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
    y = train.images.flatten(1).double()
    middle = x.mean(0)
    mean = y.mean(0)
    values, vectors = torch.linalg.eigh((x - middle).T @ (x - middle))
    projected = vectors.T @ ((x - middle).T @ (y - mean))

    def mapped(some: Tensor, penalty: float) -> Tensor:
        shrunk = projected / (values + penalty * values.max().clamp(min=1)).unsqueeze(1)
        return (some.flatten(1).double() - middle) @ vectors @ shrunk + mean

    target = validation.images.flatten(1).double()
    errors = [float((mapped(_sources(validation), p) - target).square().mean()) for p in PENALTIES]
    best = PENALTIES[errors.index(min(errors))]
    return _levels(mapped(sources, best).view(-1, *spec.shape), spec)


def _sources(split: Batch) -> Tensor:
    if split.sources is None:
        raise ValueError("a translation needs sources, and this split has none")
    return split.sources


def _enlarged(sources: Tensor, spec: DataSpec) -> Iterator[Tensor]:
    """Yield sources in levels and in the shape of images, float64 ``(B, C, H, W)``, some at a time."""
    channels, height, width = spec.shape
    for part in sources.split(BLOCK):
        images = part.double() * (spec.levels - 1) / (SOURCE_LEVELS - 1)
        if images.shape[1] != channels:
            images = images.mean(1, keepdim=True).expand(-1, channels, -1, -1)
        if images.shape[2:] != (height, width):
            images = F.interpolate(images, (height, width), mode="bicubic", antialias=True)
        yield images


def _windows(images: Tensor) -> Tensor:
    """Return the window round each pixel of each channel, and a one: ``(B·C·H·W, 82)``."""
    windows = F.unfold(_framed(images), WINDOW).transpose(1, 2).flatten(0, 1)
    return torch.cat([windows, windows.new_ones((len(windows), 1))], dim=1)


def _framed(images: Tensor) -> Tensor:
    """Return each channel as an image of its own, edges mirrored: ``(B·C, 1, H + 8, W + 8)``."""
    return F.pad(images.flatten(0, 1).unsqueeze(1), (WINDOW // 2,) * 4, mode="reflect")


def _levels(images: Tensor, spec: DataSpec) -> Tensor:
    return images.round().clamp(0, spec.levels - 1).to(torch.uint8)
