"""Couplings: some values pass, and say how the others move (1410.8516, 1605.08803)."""

from __future__ import annotations

import torch
from nflows.transforms.base import Transform
from torch import Tensor, nn


def checkerboard(shape: tuple[int, int, int], passes: int) -> Tensor:
    """1 on the squares of one colour, ``(1, H, W)``: they pass."""
    _, height, width = shape
    return ((torch.arange(height)[:, None] + torch.arange(width)[None, :]) % 2 == passes).float()[None]


def channelwise(shape: tuple[int, int, int], passes: int) -> Tensor:
    """1 on the first (``passes`` 0) or second half of the channels, ``(C, 1, 1)``: they pass."""
    channels = shape[0]
    return ((torch.arange(channels) >= (channels + 1) // 2).long() == passes).float()[:, None, None]


class AffineCoupling(Transform):
    """``y = b·x + (1 - b)·(x·exp(s) + t)`` with ``(s, t)`` functions of ``b·x``, and ``log |det| = Σ (1 - b)·s``.

    ``s = scale · tanh(·)``, with a learned scale for each channel, keeps a stack from exploding (1605.08803, §4.1).

    Args:
        mask: ``b``, broadcast to ``(C, H, W)``: 1 where values pass.
        channels: ``C``.
        network: ``(B, C, H, W)`` to ``(B, 2C, H, W)``.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, channels: int, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mask", mask, persistent=False)
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))

    def _moves(self, passing: Tensor) -> tuple[Tensor, Tensor]:
        raw, shift = self.network(passing).chunk(2, 1)
        return (1 - self.mask) * self.scale * torch.tanh(raw), (1 - self.mask) * shift

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Towards the base: ``(B, C, H, W)`` and ``log |det|``, float64 ``(B,)``."""
        log_scale, shift = self._moves(inputs * self.mask)
        return inputs * log_scale.exp() + shift, log_scale.sum((1, 2, 3), dtype=torch.float64)

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Towards the data."""
        log_scale, shift = self._moves(inputs * self.mask)
        return (inputs - shift) * (-log_scale).exp(), -log_scale.sum((1, 2, 3), dtype=torch.float64)
