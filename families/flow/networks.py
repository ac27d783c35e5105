"""Networks inside couplings."""

from __future__ import annotations

from torch import Tensor, nn

from families.layers.convolutional import ResidualBlock, he, silent


class CouplingNetwork(nn.Module):
    """A residual network ``(B, inputs, H, W)`` to ``(B, outputs, H, W)`` whose last layer begins at zero.

    Args:
        inputs, outputs: channels.
        width: features.
        depth: residual blocks.
    """

    def __init__(self, inputs: int, outputs: int, width: int, depth: int) -> None:
        super().__init__()
        blocks = [ResidualBlock(width) for _ in range(depth)]
        first, last = nn.Conv2d(inputs, width, 3, padding=1), nn.Conv2d(width, outputs, 3, padding=1)
        self.layers = nn.Sequential(he(first), *blocks, nn.SiLU(), silent(last))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        return self.layers(x)
