"""What is under a shadow, and where it lies: the error of what a model lights up there, and that of its masks."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbench.metrics.paired import check_pairs
from genbench.metrics.ratio import ratio_of_means
from genbench.records.parts import MaskError, Shadow
from genbench.stats import mean, standard_error


def shadow(fake: Tensor, real: Tensor, mask: Tensor) -> Shadow:
    """Return the root of the mean squared difference in levels over all pixels in shadow, of every image together.

    Args:
        fake: the images to be judged, uint8 ``(N, C, H, W)``.
        real: the target of each, uint8 ``(N, C, H, W)``.
        mask: the pixels in shadow, integers ``(N, 1, H, W)``, 0 where there is light.

    Raises:
        ValueError: for what are not pairs of uint8 images, a mask of another shape, or no shadow at all.
    """
    check_pairs(fake, real)
    inside = _mask(mask, (len(fake), 1, *fake.shape[2:]))
    errors = []
    for one, other, where in zip(fake.split(256), real.split(256), inside.split(256), strict=True):
        squares = (one.double() - other.double()).square().mean(1, keepdim=True)
        errors += (squares.cpu() * where).flatten(1).sum(1).tolist()
    squared = ratio_of_means(errors, inside.double().flatten(1).sum(1).tolist())
    if squared is None:
        raise ValueError("shadow: no pixel of any image lies in it")
    root = math.sqrt(squared.value)
    spread = squared.standard_error
    return Shadow(
        rmse=root, standard_error=spread / (2 * root) if spread is not None and root else None, images=len(fake)
    )


def mask_error(found: Tensor, true: Tensor) -> MaskError:
    """Return the mean of the shares of shadow that was missed and of light that was taken for shadow, over all pixels.

    Args:
        found: the pixels that a model finds in shadow, integers or truths ``(N, 1, H, W)``.
        true: the pixels in shadow, alike.

    Raises:
        ValueError: for masks of another shape than the true ones, or for pixels that are all of one kind.
    """
    inside = _mask(true, tuple(true.shape))
    said = _mask(found, tuple(true.shape))
    n = len(inside)
    rates: list[float] = []
    parts = torch.zeros(n, dtype=torch.float64)
    for kind, wrong in ((inside, inside & ~said), (~inside, ~inside & said)):
        below = kind.double().flatten(1).sum(1)
        above = wrong.double().flatten(1).sum(1)
        if not float(below.sum()):
            raise ValueError("mask error: all pixels are of one kind, and it is the mean of two kinds' errors")
        rates.append(float(above.sum() / below.sum()))
        parts += (above - rates[-1] * below) / below.mean()  # the delta method's, as of a ratio of means
    error = standard_error(parts.tolist())
    return MaskError(error=mean(rates), standard_error=None if error is None else error / 2, images=n)


def _mask(mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return a mask as truths on the CPU."""
    if tuple(mask.shape) != shape:
        raise ValueError(f"mask: shape {tuple(mask.shape)}; give {shape}")
    return mask.cpu() > 0
