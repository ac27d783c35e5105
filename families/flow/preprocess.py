"""The way from the interval that dequantised levels fill to the whole real line, with its Jacobian."""

from __future__ import annotations

import math

import torch
from nflows.transforms.base import Transform
from torch import Tensor

from families.layers.options import positive


class OpenEnds(Transform):
    """``x = v / levels``, then a curve y(x) whose ends are opened: one to one from (0, levels) onto ℝ.

    A curve that ends at finite values makes a flow put mass where no image is: probabilities of integers would sum to
    less than one. So the outer part of the first and of the last level's bin goes on to ±∞,

        y = y_δ + δ·y'_δ · log(x / δ)        for x < δ = share / levels,       and in mirror image at the other end,

    which meets the curve in value and slope at δ. Everywhere else the map is the curve. So every real value is an
    image, samples need no clamping, and the probabilities of all images sum to one.

    A subclass gives the lower half of its curve, which must be odd about x = ½, and calls ``_open``.

    Args:
        levels: how many levels a pixel has.
        share: share of an end bin that is opened, up to 1.
    """

    like: Tensor

    def __init__(self, levels: int, share: float) -> None:
        super().__init__()
        self.levels = levels
        self.delta = share / levels
        self.register_buffer("like", torch.zeros(()), persistent=False)  # holds the model's dtype

    def _open(self) -> None:
        edge, log_slope = self._curve(torch.tensor(self.delta, dtype=torch.float64))
        self.edge = float(edge)  # y_δ
        self.slope = self.delta * math.exp(float(log_slope))  # δ·y'_δ

    def _curve(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``y`` and ``log y'`` at x within [δ, ½]."""
        raise NotImplementedError(f"{type(self).__name__} is not whole: write _curve() and _uncurve()")

    def _uncurve(self, y: Tensor) -> Tensor:
        """Return the ``x`` of y within [y_δ, 0]."""
        raise NotImplementedError(f"{type(self).__name__} is not whole: write _curve() and _uncurve()")

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map levels, float64 ``(B, …)`` strictly within (0, levels), to reals ``(B, …)`` in the model's dtype.

        A value may be given as ``v - levels`` too, a negative number: so one close to the upper end keeps its digits.
        """
        x = inputs / self.levels
        margin = torch.where(x < 0, -x, torch.minimum(x, 1 - x))  # how far from the nearer end
        y, log_slope = self._curve(margin.clamp(min=self.delta))
        tail = torch.log(margin.clamp(max=self.delta) / self.delta)
        y = y + torch.where(margin < self.delta, self.slope * tail, 0.0)
        y = torch.where((x >= 0) & (x < 0.5), y, -y)
        return y.to(self.like.dtype), (log_slope - tail - math.log(self.levels)).flatten(1).sum(1)

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map any reals to values in levels, float64."""
        y = inputs.double()
        depth = -y.abs()  # by symmetry all is said of the lower half
        tail = (depth - self.edge).clamp(max=0) / self.slope
        inner = self._uncurve(depth.clamp(min=self.edge))
        _, log_slope = self._curve(inner)
        margin = torch.where(tail < 0, self.delta * tail.exp(), inner)
        x = torch.where(y < 0, margin, 1 - margin)
        return x * self.levels, (math.log(self.levels) + tail - log_slope).flatten(1).sum(1)


class OpenLogit(OpenEnds):
    """``y = logit(α + (1 - 2α)·x)``, with the outer tenth of its end bins opened.

    The paper's map (1605.08803, §4.1; its authors' code has 1 - 2α where the text has 1 - α).

    Args:
        levels: how many levels a pixel has.
        alpha: how far the logit stays from its poles, in (0, ½); the paper's 0.05.

    Raises:
        ValueError: for ``alpha`` outside (0, ½).
    """

    def __init__(self, levels: int, alpha: float = 0.05) -> None:
        super().__init__(levels, share=0.1)
        positive(alpha=alpha)
        if alpha >= 0.5:
            raise ValueError(f"alpha={alpha}: give a number between 0 and 0.5, ends excluded")
        self.alpha = alpha
        self._open()

    def _curve(self, x: Tensor) -> tuple[Tensor, Tensor]:
        inner = self.alpha + (1 - 2 * self.alpha) * x
        return torch.logit(inner), math.log(1 - 2 * self.alpha) - torch.log(inner) - torch.log1p(-inner)

    def _uncurve(self, y: Tensor) -> Tensor:
        return (torch.sigmoid(y) - self.alpha) / (1 - 2 * self.alpha)


class OpenLinear(OpenEnds):
    """``y = x - ½``, with its end bins opened: the [0, 1] of 1410.8516, moved to lie about zero.

    The whole of them, where a logit needs a tenth: it has spread its ends already, while a line leaves a base's tails
    to the open part alone, and noise that seldom falls into it seldom sees the weight that it carries. Near an end the
    density is a power of the distance, which uniform noise meets too seldom as well: see ``EndTails``.

    Args:
        levels: how many levels a pixel has.
    """

    def __init__(self, levels: int) -> None:
        super().__init__(levels, share=1.0)
        self._open()

    def _curve(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x - 0.5, torch.zeros_like(x)

    def _uncurve(self, y: Tensor) -> Tensor:
        return y + 0.5
