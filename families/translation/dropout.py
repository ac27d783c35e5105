"""Dropout whose mask is a function of Gaussian noise, so that what is random about an image belongs to u."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class NoiseDropout(nn.Module):
    """A layer that keeps a unit where ``Φ(u) > p``, scaled by ``1 / (1 - p)``: dropout, for u ~ N(0, 1) of each unit.

    It acts in training and in evaluation mode alike. The mask is piecewise constant in u: its gradient there is 0.

    Args:
        shape: the shape of one map ``(C, H, W)``.
        rate: the share p of units that are dropped.

    Raises:
        ValueError: for a rate outside (0, 1).
    """

    def __init__(self, shape: tuple[int, int, int], rate: float) -> None:
        super().__init__()
        if not 0 < rate < 1:
            raise ValueError(f"dropout={rate}: give a share of units above 0 and below 1")
        self.shape, self.units = shape, math.prod(shape)
        self.threshold, self.scale = float(torch.special.ndtri(torch.tensor(rate).double())), 1 / (1 - rate)

    def forward(self, x: Tensor, u: Tensor) -> Tensor:
        """Map maps ``(B, C, H, W)`` and noise ``(B, C·H·W)`` to maps under dropout."""
        return x * (u > self.threshold).unflatten(1, self.shape) * self.scale
