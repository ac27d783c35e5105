"""A prior that knows the label, as the last bijection before a base that does not (1807.03039, §5 and appendix)."""

from __future__ import annotations

import math

import torch
from einops import rearrange
from nflows.transforms.base import Transform
from torch import Tensor

from families.flow.multiscale import Shape
from families.flow.networks import blank


class LabelPrior(Transform):
    """``y = (x - μ)·exp(-log σ)`` with μ and log σ of each value looked up by the label: N(μ, σ²) under a base N(0, I).

    It begins as the identity. 1807.03039's authors share μ and σ between the pixels of a channel; here each value has
    its own, since a digit's strokes have places.

    Args:
        shape: the shape ``(C, H, W)``.
        classes: number of labels.
    """

    def __init__(self, shape: Shape, classes: int) -> None:
        super().__init__()
        self.shape = shape
        self.table = blank(classes, 2 * math.prod(shape))

    def _moments(self, context: Tensor) -> tuple[Tensor, Tensor]:
        _, height, width = self.shape
        numbers = self.table(context)
        mean, log_std = rearrange(numbers, "b (moment c y x) -> moment b c y x", moment=2, y=height, x=width)
        return mean, log_std

    def forward(self, inputs: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Standardise ``(B, C, H, W)`` given labels ``(B,)``, and return ``log |det|``, float64 ``(B,)``."""
        mean, log_std = self._moments(context)
        return (inputs - mean) * (-log_std).exp(), -log_std.sum((1, 2, 3), dtype=torch.float64)

    def inverse(self, inputs: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Undo the standardisation given labels ``(B,)``, and return ``log |det|`` of that, float64 ``(B,)``."""
        mean, log_std = self._moments(context)
        return inputs * log_std.exp() + mean, log_std.sum((1, 2, 3), dtype=torch.float64)
