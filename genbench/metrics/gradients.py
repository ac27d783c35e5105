"""How steep images are: the histogram of their gradients, which edges and flat fields move apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.metrics.paired import check_pairs

BINS = 16
GREY = (299, 587, 114)  # thousandths of red, green and blue


@dataclass(frozen=True)
class HistogramDistance:
    """The distance of two histograms over as many images each.

    Args:
        value: the distance, from 0 to 2.
        standard_error: the jackknife's over pairs of images; None for one pair.
    """

    value: float
    standard_error: float | None


def gradient_histogram(fake: Tensor, real: Tensor, levels: int) -> HistogramDistance:
    """Return ``Σ |p - q|`` of the shares p and q of gradients in 16 equal bins from 0 to ``√2 (levels - 1)``.

    A gradient is ``(g(x+1, y) - g(x, y), g(x, y+1) - g(x, y))`` of the grey levels g, and its norm is counted. The
    histograms are of the sets, so that no edge need be in its place; the jackknife leaves out a pair at a time.

    Args:
        fake: the images to be judged, uint8 ``(N, C, H, W)``.
        real: the target of each, uint8 ``(N, C, H, W)``.
        levels: the number of levels of both.

    Raises:
        ValueError: for what are not pairs of uint8 images, or images less than two pixels high or wide.
    """
    check_pairs(fake, real)
    if min(fake.shape[2:]) < 2:
        raise ValueError(f"images are {fake.shape[2]}×{fake.shape[3]}: a gradient needs sides of at least 2")
    difference = _shares(fake, levels) - _shares(real, levels)
    n = len(difference)
    whole = difference.mean(0)
    distance = float(whole.abs().sum())
    if n == 1:
        return HistogramDistance(distance, None)
    others = ((n * whole - difference) / (n - 1)).abs().sum(1)
    spread = float((others - others.mean()).square().sum())
    return HistogramDistance(distance, math.sqrt(spread * (n - 1) / n))


def _shares(images: Tensor, levels: int) -> Tensor:
    """Return the share of each image's gradients in each bin, float64 ``(N, 16)``."""
    return torch.cat([_histograms(part, levels) for part in images.cpu().split(256)])


def _histograms(images: Tensor, levels: int) -> Tensor:
    grey = _grey(images)
    across = (grey[:, :-1, 1:] - grey[:, :-1, :-1]).square()
    down = (grey[:, 1:, :-1] - grey[:, :-1, :-1]).square()
    # Roots of whole numbers: on every machine a gradient falls into the same bin.
    norms = ((across + down) * (BINS**2 // 2)).double().sqrt() / (levels - 1)
    places = norms.long().clamp(max=BINS - 1).flatten(1)
    return torch.nn.functional.one_hot(places, BINS).double().mean(1)


def _grey(images: Tensor) -> Tensor:
    """Return grey levels, int64 ``(N, H, W)``: rounded weights of colours, the mean of any other number of channels."""
    if images.shape[1] != len(GREY):
        return images.long().sum(1) // images.shape[1]
    weights = torch.tensor(GREY).view(1, -1, 1, 1)
    return ((images.long() * weights).sum(1) + 500) // 1000
