"""The noise that makes a probability of integers out of a deterministic image."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Generator, Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from genbench.seed import normal


def discretised_gaussian(x: Tensor, mean: Tensor, sigma: Tensor | float, levels: int) -> Tensor:
    """Return ``log[Φ((x + ½ - m) / σ) - Φ((x - ½ - m) / σ)]`` for integer levels x; the end bins are open.

    It has a first derivative by m, none by σ and no second one.

    Args:
        x: the integers ``0 … levels-1``, of any dtype; its shape and the mean's broadcast.
        mean: the mean m in levels, float32 or float64; it sets the result's dtype.
        sigma: the deviation σ in levels, positive.
        levels: the number of levels.
    """
    x, mean = torch.broadcast_tensors(x, mean)
    return cast("Tensor", LogBin.apply(x, mean, float(sigma), levels))


class LogBin(Function):
    """The logarithm of a Gaussian bin's probability and its slope, nothing of which underflows however far out it is.

    A bin is mirrored so that it lies in the lower tail. With its bounds ``lo < hi`` in units of σ, and where ``hi <
    0``, ``Φ(hi) - Φ(lo) = ½ e^(-hi²/2) [erfcx(-hi/√2) - e^((hi² - lo²)/2) erfcx(-lo/√2)]``; elsewhere it is ``½
    [erf(hi/√2) - erf(lo/√2)]``. With s the bracket of either, the derivative by hi is ``√(2/π) e^(-max(hi, 0)²/2) [1 -
    e^((hi² - lo²)/2)] / s``. Autograd would keep and differentiate both cases of every pixel; here only the pixels
    that lie in a tail cost an erfcx.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, sigma: float, levels: int) -> Tensor:  # noqa: ANN401 - torch's own context
        """Return the logarithms, of the shape of ``x`` and ``mean``."""
        root, half = math.sqrt(0.5), 0.5 / sigma
        levelled, centre = x.flatten(), mean.flatten()
        offset = (levelled.to(mean.dtype) - centre) * (2 * half)
        bottom, top = levelled == 0, levelled == levels - 1
        end = bottom | top
        mirrored = top | (offset > 0) & ~bottom
        hi = half + torch.where(mirrored, -offset, offset)
        near = hi.clamp(min=0.0)
        bracket = torch.erf(near * root) - torch.erf((near - 2 * half) * root).masked_fill_(end, -1.0)

        (tail,) = (hi < 0).nonzero(as_tuple=True)
        far = hi[tail]
        rest = torch.exp(-2 * half * (half - far)).masked_fill_(end[tail], 0.0)
        bracket[tail] = torch.special.erfcx(-far * root) - rest * torch.special.erfcx((2 * half - far) * root)

        if ctx.needs_input_grad[1]:
            share = -torch.expm1(-2 * half * (half - hi)).masked_fill_(end, -1.0)
            slope = torch.exp(-near.square() / 2) * share / bracket * (math.sqrt(2 / math.pi) / sigma)
            ctx.save_for_backward(torch.where(mirrored, slope, -slope).view(mean.shape))
        return (bracket.log() - hi.clamp(max=0.0).square() / 2 - math.log(2)).view(mean.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None, None]:  # noqa: ANN401
        """Return the gradient by the mean."""
        (slope,) = ctx.saved_tensors
        return None, gradient * slope, None, None


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
