"""From the interval that dequantised levels fill to the whole real line, with its Jacobian."""

from __future__ import annotations

import math

import torch
from nflows.transforms.base import Transform
from torch import Tensor

OPEN = 0.1


class OpenLogit(Transform):
    """``x = v / levels``, then ``y = logit(α + (1 - 2α)·x)``, with its ends opened; one to one from (0, levels) onto ℝ.

    The paper's map (1605.08803, §4.1; its authors' code has 1 - 2α where the text has 1 - α) ends at ±logit(1 - α), so
    that a flow puts mass where no image is: probabilities of integers would sum to less than one. Here the outer tenth
    of the first and of the last level's bin goes on to ±∞,

        y = y_δ + δ·y'_δ · log(x / δ)        for x < δ = 0.1 / levels,        and in mirror image at the other end,

    which meets the logit in value and slope at δ. Everywhere else the map is the paper's. So every real value is an
    image, samples need no clamping, and the probabilities of all images sum to one.

    Args:
        levels: of a pixel.
        alpha: how far the logit stays from its poles, in (0, ½); the paper's 0.05.

    Raises:
        ValueError: for ``alpha`` outside (0, ½).
    """

    like: Tensor

    def __init__(self, levels: int, alpha: float = 0.05) -> None:
        super().__init__()
        if not 0 < alpha < 0.5:
            raise ValueError(f"alpha={alpha}: give a number between 0 and 0.5, ends excluded")
        self.levels, self.alpha, self.delta = levels, alpha, OPEN / levels
        edge = alpha + (1 - 2 * alpha) * self.delta
        self.edge = math.log(edge / (1 - edge))
        self.slope = (1 - 2 * alpha) / (edge * (1 - edge)) * self.delta  # δ·y'_δ
        self.register_buffer("like", torch.zeros(()), persistent=False)  # holds the model's dtype

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Values in levels, float64 ``(B, …)`` strictly within (0, levels), to ``(B, …)`` in the model's dtype."""
        x = inputs / self.levels
        margin = torch.minimum(x, 1 - x)  # how far from the nearer end
        inner = self.alpha + (1 - 2 * self.alpha) * margin.clamp(min=self.delta)
        open_end = margin < self.delta
        tail = torch.log(margin.clamp(max=self.delta) / self.delta)
        y = torch.logit(inner) + torch.where(open_end, self.slope * tail, 0.0)
        y = torch.where(x < 0.5, y, -y)
        log_slope = math.log(1 - 2 * self.alpha) - torch.log(inner) - torch.log1p(-inner) - tail
        log_det = (log_slope - math.log(self.levels)).flatten(1).sum(1)
        return y.to(self.like.dtype), log_det

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Any reals to values in levels, float64."""
        y = inputs.double()
        depth = -y.abs()  # by symmetry all is said of the lower half
        tail = (depth - self.edge).clamp(max=0) / self.slope
        inner = torch.sigmoid(depth.clamp(min=self.edge))
        margin = torch.where(tail < 0, self.delta * tail.exp(), (inner - self.alpha) / (1 - 2 * self.alpha))
        x = torch.where(y < 0, margin, 1 - margin)
        log_slope = math.log(1 - 2 * self.alpha) - torch.log(inner) - torch.log1p(-inner) - tail
        return x * self.levels, (math.log(self.levels) - log_slope).flatten(1).sum(1)
