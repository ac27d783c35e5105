"""Batch normalisation whose gain and bias depend on a condition, and how conditions reach it through a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Conditional(nn.Module):
    """A layer that takes a condition beside the map; None where there is none."""

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Map ``(B, C, H, W)`` and condition of B rows → map."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it does: write forward()")


class Layers(nn.Sequential):
    """Layers one behind the other, of which the conditional ones take a condition too.

    The first of them takes the first condition and so on; from the last condition on, all take that.
    """

    def forward(self, x: Tensor, conditions: Sequence[Tensor | None] = ()) -> Tensor:
        """Map and conditions → map."""
        waiting, condition = iter(conditions), None
        for layer in self:
            if isinstance(layer, Conditional):
                condition = next(waiting, condition)
                x = layer(x, condition)
            else:
                x = layer(x)
        return x


def parted(code: Tensor | Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
    """A generator's code as what its first layer takes, and the conditions of those behind it."""
    return (code, ()) if isinstance(code, Tensor) else (code[0], code[1:])


class ConditionalBatchNorm(Conditional):
    """``γ(c) ⊙ (x - μ) / √(σ² + ε) + β(c)``, with the batch's μ and σ over all of its conditions.

    In evaluation mode μ and σ are running ones, as ever.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)

    def affine(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """γ and β of each row, ``(B, C)`` both."""
        raise NotImplementedError(f"{type(self).__name__} does not say what a condition does: write affine()")

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Map ``(B, C, H, W)`` and condition of B rows → map.

        Raises:
            ValueError: without a condition.
        """
        if condition is None:
            raise ValueError("condition=None: this normalisation needs one, so give a code that has it")
        gain, bias = self.affine(condition)
        return gain[:, :, None, None] * self.norm(x) + bias[:, :, None, None]


class ClassBatchNorm(ConditionalBatchNorm):
    """A gain and a bias for each class (1610.07629, 1802.05637): 1 and 0 at first. The condition is the label.

    These tables are parameters and no layers, so that spectral normalisation of the network leaves them as they are.

    Args:
        channels: C.
        classes: number of labels.
    """

    normalisation = "class batch norm"

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(channels)
        self.gain = nn.Parameter(torch.ones(classes, channels))
        self.bias = nn.Parameter(torch.zeros(classes, channels))

    def affine(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Labels ``(B,)`` → γ and β."""
        return F.embedding(condition, self.gain), F.embedding(condition, self.bias)


class VectorBatchNorm(ConditionalBatchNorm):
    """``γ = 1 + W c`` and ``β = V c`` of a vector c, such as a shared embedding beside noise (1809.11096).

    Args:
        channels: C.
        features: size of c.
    """

    normalisation = "vector batch norm"

    def __init__(self, channels: int, features: int) -> None:
        super().__init__(channels)
        self.gain = nn.Linear(features, channels, bias=False)
        self.bias = nn.Linear(features, channels, bias=False)

    def affine(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors ``(B, features)`` → γ and β."""
        return 1 + self.gain(condition), self.bias(condition)
