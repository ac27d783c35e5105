"""Whether images and sources that a model draws together belong to each other, by a known map from one to the other."""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.metrics.paired import check_pairs
from genbench.metrics.ratio import ratio_of_means
from genbench.records.parts import Joint
from genbench.stats import mean


def joint(sources: Tensor, known: Tensor, levels: int) -> Joint:
    """Return the agreement of drawn sources with the known sources of the images drawn with them, above chance.

    A is the share of pixels at which both lie on the same side of half the range. A₀ is the same after rolling the
    drawn sources by one row: what an image shares with another image's source. ``κ = (A - A₀) / (1 - A₀)``, and 0 where
    A₀ is 1, since sources that are all alike follow no image.

    Args:
        sources: the sources that the model drew, uint8 ``(N, C, H, W)``.
        known: the known source of each drawn image, uint8 ``(N, C, H, W)``.
        levels: the number of levels of both.

    Raises:
        ValueError: for what are not pairs of uint8 images.
    """
    check_pairs(sources, known)
    drawn = _bright(sources, levels)
    true = _bright(known, levels)
    apart = _shares(drawn != true)
    apart_by_chance = _shares(drawn.roll(1, 0) != true)
    ratio = ratio_of_means(apart, apart_by_chance)
    return Joint(
        kappa=0.0 if ratio is None else 1 - ratio.value,
        kappa_standard_error=None if ratio is None else ratio.standard_error,
        agreement=1 - mean(apart),
        chance=1 - mean(apart_by_chance),
        pairs=len(sources),
    )


def _bright(images: Tensor, levels: int) -> Tensor:
    """Say which pixels lie above half the range."""
    return images.cpu() > (levels - 1) / 2


def _shares(pixels: Tensor) -> list[float]:
    """Return the share of each image's pixels that are true."""
    shares = pixels.flatten(1).to(torch.float64).mean(1)
    listed: list[float] = shares.tolist()
    return listed
