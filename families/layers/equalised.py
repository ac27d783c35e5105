"""Layers with an equalised learning rate (1710.10196, section 4.1): He's constant is applied at run time.

Weights are drawn from N(0, 1), and every use multiplies them by ``gain / √fan_in``: Adam, whose steps do not depend on
a gradient's scale, then moves what each layer does by as much in proportion.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GAIN = math.sqrt(2)  # of a layer with a rectifier behind it


class EqualisedLinear(nn.Module):
    """``x W · gain · rate / √inputs + b · rate`` with ``W ~ N(0, 1 / rate²)``.

    Args:
        inputs: numbers that come in.
        outputs: numbers that go out.
        gain: the gain: √2 before a rectifier, 1 where nothing follows.
        rate: how fast the layer learns beside others of the same gain.
        bias: whether it has one.
    """

    def __init__(self, inputs: int, outputs: int, *, gain: float = GAIN, rate: float = 1.0, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale, self.rate = gain * rate / math.sqrt(inputs), rate

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs)`` to ``(B, outputs)``."""
        return F.linear(x, self.weight * self.scale, None if self.bias is None else self.bias * self.rate)


class EqualisedConv2d(nn.Module):
    """A convolution that keeps the sides, ``x * (W · gain / √(inputs · kernel²)) + b`` with ``W ~ N(0, 1)``.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        kernel: side of the kernel, odd.
        gain: the gain: √2 before a rectifier, 1 where nothing follows.
        bias: whether it has one.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, gain: float = GAIN, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale, self.padding = gain / math.sqrt(inputs * kernel**2), kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)
