"""The noise that makes a probability of integers out of a deterministic image."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from genbench.seed import normal


def discretised_gaussian(x: Tensor, mean: Tensor, sigma: Tensor | float, levels: int) -> Tensor:
    """Return ``log[Φ((x + ½ - m) / σ) - Φ((x - ½ - m) / σ)]`` for integer levels x; the end bins are open.

    A bin is mirrored so that it lies in the lower tail. With the bounds ``lo < hi`` in units of σ, and where
    ``hi < 0``, ``Φ(hi) - Φ(lo) = ½ e^(-hi²/2) [erfcx(-hi/√2) - e^((hi² - lo²)/2) erfcx(-lo/√2)]``: nothing that the
    logarithm needs underflows, so value and gradient stay finite however far out the bin is.

    Args:
        x: the integers ``0 … levels-1``, of any dtype and shape.
        mean: the mean m in levels, float32 or float64; it sets the result's dtype.
        sigma: the deviation σ in levels, positive.
        levels: the number of levels.
    """
    x = x.to(mean.dtype)
    root = math.sqrt(0.5)
    half = 0.5 / torch.as_tensor(sigma, dtype=mean.dtype, device=mean.device)
    offset = (x - mean) * (2 * half)
    bottom = x == 0
    top = x == levels - 1
    end = bottom | top
    hi = half + torch.where(bottom, offset, torch.where(top, -offset, -offset.abs()))

    far = hi.clamp(max=0.0)  # each branch sees only arguments it can take, or its gradient would be 0 · ∞
    rest = torch.exp(-2 * half * (half - far)) * torch.special.erfcx((2 * half - far) * root)
    tail = torch.log(torch.special.erfcx(-far * root) - torch.where(end, 0.0, rest)) - far.square() / 2

    near = hi.clamp(min=0.0)
    below = torch.where(end, 1.0, -torch.erf((near - 2 * half) * root))
    core = torch.log(torch.erf(near * root) + below)
    return torch.where(hi < 0, tail, core) - math.log(2)


def sharpness(x: Tensor, mean: Tensor, sigma: Tensor | float, levels: int) -> Tensor:
    """Return ``max(0, -∂²/∂m² log P(x given m))`` of :func:`discretised_gaussian`, float64, of the shape of ``mean``.

    With the bounds ``a < b`` of x's bin in units of σ and ``r(z) = φ(z) / P``, 0 at an open end, it is
    ``[(r(a) - r(b))² - (a r(a) - b r(b))] / σ²``: 1/σ² in the middle of a wide σ, next to nothing where the mean lies
    far beyond an end bin.
    """
    mean = mean.detach().double()
    sigma = torch.as_tensor(sigma, dtype=mean.dtype, device=mean.device)
    log_p = discretised_gaussian(x, mean, sigma, levels)
    offset = (x.to(mean.dtype) - mean) / sigma
    parts = []
    for bound, open_end in ((offset - 0.5 / sigma, x == 0), (offset + 0.5 / sigma, x == levels - 1)):
        ratio = torch.exp(-bound.square() / 2 - math.log(2 * math.pi) / 2 - log_p)
        parts.append((torch.where(open_end, 0.0, ratio), torch.where(open_end, 0.0, bound * ratio)))
    (low, low_moment), (high, high_moment) = parts
    return (((low - high).square() - (low_moment - high_moment)) / sigma.square()).clamp(min=0.0)


def draw(mean: Tensor, sigma: Tensor | float, levels: int, generator: Generator) -> Tensor:
    """Draw ``m + σ ε``, rounded and clamped, uint8: the distribution that :func:`discretised_gaussian` is of.

    Args:
        mean: the mean m in levels, of any shape.
        sigma: the deviation σ in levels.
        levels: the number of levels.
        generator: the source of ε.
    """
    noisy = mean + sigma * normal(mean.shape, generator, mean.device)
    return noisy.round().clamp(0, levels - 1).to(torch.uint8)
