"""Batch normalisation whose gain and bias depend on a condition, and how conditions reach it through a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Conditional(nn.Module):
    """A layer that takes a condition beside the map, or None where there is no condition."""

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Map ``(B, C, H, W)`` maps and conditions of B rows to maps."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it does: write forward()")


class Layers(nn.Sequential):
    """Layers one behind the other, of which the conditional ones take a condition too.

    The first of them takes the first condition and so on; from the last condition on, all take that.
    """

    def forward(self, x: Tensor, conditions: Sequence[Tensor | None] = ()) -> Tensor:
        """Return the map behind all layers, from a map and conditions."""
        waiting, condition = iter(conditions), None
        for layer in self:
            if isinstance(layer, Conditional):
                condition = next(waiting, condition)
                x = layer(x, condition)
            else:
                x = layer(x)
        return x


def parted(code: Tensor | Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
    """Return a generator's code as what its first layer takes, and the conditions of those behind it."""
    return (code, ()) if isinstance(code, Tensor) else (code[0], code[1:])


class ConditionalBatchNorm(Conditional):
    """Batch normalisation ``γ(c) ⊙ (x - μ) / √(σ² + ε) + β(c)``, with the batch's μ and σ over all of its conditions.

    In evaluation mode μ and σ are running ones, as ever.

    Args:
        channels: the number C of channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)

    def affine(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return γ and β of each row, ``(B, C)`` both."""
        raise NotImplementedError(f"{type(self).__name__} does not say what a condition does: write affine()")

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Map ``(B, C, H, W)`` maps and conditions of B rows to maps.

        Raises:
            ValueError: without a condition.
        """
        if condition is None:
            raise ValueError("condition=None: this normalisation needs one, so give a code that has it")
        gain, bias = self.affine(condition)
        return gain[:, :, None, None] * self.norm(x) + bias[:, :, None, None]


class ClassBatchNorm(ConditionalBatchNorm):
    """Batch normalisation with a gain and a bias for each class, 1 and 0 at first (1610.07629, 1802.05637).

    The condition is the label.

    These tables are parameters and no layers, so that spectral normalisation of the network leaves them as they are.

    Args:
        channels: the number C of channels.
        classes: number of labels.
    """

    normalisation = "class batch norm"

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(channels)
        self.gain = nn.Parameter(torch.ones(classes, channels))
        self.bias = nn.Parameter(torch.zeros(classes, channels))

    def affine(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return γ and β of labels ``(B,)``."""
        return F.embedding(condition, self.gain), F.embedding(condition, self.bias)


class VectorBatchNorm(ConditionalBatchNorm):
    """Batch normalisation by ``γ = 1 + W c``, ``β = V c`` of a vector c, an embedding beside noise (1809.11096).

    Args:
        channels: the number C of channels.
        features: size of c.
    """

    normalisation = "vector batch norm"

    def __init__(self, channels: int, features: int) -> None:
        super().__init__(channels)
        self.gain = nn.Linear(features, channels, bias=False)
        self.bias = nn.Linear(features, channels, bias=False)

    def affine(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return γ and β of vectors ``(B, features)``."""
        return 1 + self.gain(condition), self.bias(condition)
