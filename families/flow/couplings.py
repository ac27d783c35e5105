"""Couplings: some values pass, and say how the others move (1410.8516, 1605.08803, 1807.03039).

A network may answer in half precision; its answer is brought back to the type of the values before it moves them.
"""

from __future__ import annotations

from typing import cast

import torch
from nflows.transforms.base import Transform
from torch import Tensor, nn

from families.flow.normalisation import Started


def checkerboard(shape: tuple[int, int, int], passes: int) -> Tensor:
    """Build the mask of one colour's squares, which pass: ``(1, H, W)``, 1 on them and 0 elsewhere."""
    _, height, width = shape
    return ((torch.arange(height)[:, None] + torch.arange(width)[None, :]) % 2 == passes).float()[None]


def channelwise(shape: tuple[int, int, int], passes: int) -> Tensor:
    """Build the mask of the first (``passes`` 0) or second half of the channels, which pass: ``(C, 1, 1)``."""
    channels = shape[0]
    return ((torch.arange(channels) >= (channels + 1) // 2).long() == passes).float()[:, None, None]


class AffineCoupling(Transform):
    """An affine coupling under a mask b, ``y = b·x + (1 - b)·(x·exp(s) + t)``, with ``(s, t)`` functions of ``b·x``.

    Its ``log |det|`` is ``Σ (1 - b)·s``.

    ``s = scale · tanh(·)``, with a learned scale for each channel, keeps a stack from exploding (1605.08803, §4.1).

    Args:
        mask: ``b``, broadcast to ``(C, H, W)``: 1 where values pass.
        channels: the number ``C`` of channels.
        network: ``(B, C, H, W)`` to ``(B, 2C, H, W)``.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, channels: int, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mask", mask, persistent=False)
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))

    def _moves(self, passing: Tensor) -> tuple[Tensor, Tensor]:
        raw, shift = self.network(passing).to(passing.dtype).chunk(2, 1)
        return (1 - self.mask) * self.scale * torch.tanh(raw), (1 - self.mask) * shift

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map towards the base: return ``(B, C, H, W)`` and ``log |det|``, float64 ``(B,)``."""
        log_scale, shift = self._moves(inputs * self.mask)
        return inputs * log_scale.exp() + shift, log_scale.sum((1, 2, 3), dtype=torch.float64)

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map towards the data: return ``(B, C, H, W)`` and ``log |det|``, float64 ``(B,)``."""
        log_scale, shift = self._moves(inputs * self.mask)
        return (inputs - shift) * (-log_scale).exp(), -log_scale.sum((1, 2, 3), dtype=torch.float64)


class ChannelCoupling(Transform):
    """``(x₁, x₂) → (x₁, x₂·exp(s) + t)`` between two groups of channels, and ``log |det| = Σ s``.

    ``(s, t)`` are functions of ``x₁`` and the context. The network sees the group that passes and nothing else, where a
    mask would show it zeros too. ``s = scale · tanh(·)``, with a learned scale for each channel, as in
    :class:`AffineCoupling`; 1807.03039 has no bound in its text and ``sigmoid(· + 2)`` in its authors' code, which can
    only contract and begins away from the identity.

    A learned prior N(μ(x₁), σ(x₁)²) of x₂ is the same thing: a coupling that standardises x₂, before a base N(0, I).

    Args:
        passes: channels that pass, the first ones.
        moves: channels that move.
        network: ``(x₁, context)`` to ``(B, 2 · moves, H, W)``.
    """

    def __init__(self, passes: int, moves: int, network: nn.Module) -> None:
        super().__init__()
        self.passes = passes
        self.network = network
        self.scale = nn.Parameter(torch.ones(moves, 1, 1))

    def _moves(self, passing: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        raw, shift = self.network(passing, context).to(passing.dtype).chunk(2, 1)
        return self.scale * torch.tanh(raw), shift

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map towards the base: return ``(B, C, H, W)`` and ``log |det|``, float64 ``(B,)``."""
        passing, moving = inputs.tensor_split((self.passes,), 1)
        log_scale, shift = self._moves(passing, context)
        outputs = torch.cat((passing, moving * log_scale.exp() + shift), 1)
        return outputs, log_scale.sum((1, 2, 3), dtype=torch.float64)

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map towards the data: return ``(B, C, H, W)`` and ``log |det|``, float64 ``(B,)``."""
        passing, moved = inputs.tensor_split((self.passes,), 1)
        log_scale, shift = self._moves(passing, context)
        outputs = torch.cat((passing, (moved - shift) * (-log_scale).exp()), 1)
        return outputs, -log_scale.sum((1, 2, 3), dtype=torch.float64)


class AdditiveCoupling(Started):
    """``y = x`` on every other dimension of a vector, ``y = x + m(passing ones)`` on the rest; volume is kept.

    It starts with the last layer's bias that gives what moves the mean 0 in one batch.

    Args:
        passes: 0 where dimensions 0, 2, 4 … pass, 1 for the others.
        network: ``m``, from vectors of the passing dimensions to vectors of the moving ones, a linear layer last.
    """

    def __init__(self, passes: int, network: nn.Sequential) -> None:
        super().__init__()
        self.passes = passes
        self.network = network

    @torch.no_grad()
    def start(self, inputs: Tensor) -> None:
        """Centre what moves of ``inputs``, ``(B, D)``."""
        outputs, _ = self.forward(inputs)
        last = cast("nn.Linear", self.network[-1])
        last.bias.sub_(outputs[:, 1 - self.passes :: 2].mean(0))
        self.started.fill_(True)

    def _shift(self, inputs: Tensor) -> Tensor:
        shift = torch.zeros_like(inputs)
        shift[:, 1 - self.passes :: 2] = self.network(inputs[:, self.passes :: 2]).to(inputs.dtype)
        return shift

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map towards the base: return ``(B, D)`` and a ``log |det|`` of 0."""
        return inputs + self._shift(inputs), inputs.new_zeros(len(inputs))

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map towards the data: return ``(B, D)`` and a ``log |det|`` of 0."""
        return inputs - self._shift(inputs), inputs.new_zeros(len(inputs))
