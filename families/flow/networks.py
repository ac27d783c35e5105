"""Networks inside couplings, and those of learned priors."""

from __future__ import annotations

from torch import Tensor, nn

from families.layers.convolutional import ResidualBlock, he, silent


class CouplingNetwork(nn.Module):
    """A residual network ``(B, inputs, H, W)`` to ``(B, outputs, H, W)`` whose last layer begins at zero.

    Args:
        inputs, outputs: the numbers of channels.
        width: the number of features.
        depth: the number of residual blocks.
    """

    def __init__(self, inputs: int, outputs: int, width: int, depth: int) -> None:
        super().__init__()
        blocks = [ResidualBlock(width) for _ in range(depth)]
        first = nn.Conv2d(inputs, width, 3, padding=1)
        last = nn.Conv2d(width, outputs, 3, padding=1)
        self.layers = nn.Sequential(he(first), *blocks, nn.SiLU(), silent(last))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, outputs, H, W)``; labels change nothing."""
        return self.layers(x)


class PointwiseNetwork(nn.Module):
    """Glow's network ``(B, inputs, H, W)`` to ``(B, outputs, H, W)``: 3×3, 1×1, 3×3, the last layer zero at first.

    Args:
        inputs, outputs: the numbers of channels.
        width: the number of features.
    """

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        first = nn.Conv2d(inputs, width, 3, padding=1)
        hidden = nn.Conv2d(width, width, 1)
        last = nn.Conv2d(width, outputs, 3, padding=1)
        self.layers = nn.Sequential(he(first), nn.ReLU(), he(hidden), nn.ReLU(), silent(last))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, outputs, H, W)``; labels change nothing."""
        return self.layers(x)


class PriorNetwork(nn.Module):
    """What a learned prior knows: a 3×3 convolution of what goes on, and a vector a label, both zero at first.

    Args:
        inputs, outputs: the numbers of channels.
        classes: number of labels, 0 where it is not told them.
    """

    def __init__(self, inputs: int, outputs: int, classes: int = 0) -> None:
        super().__init__()
        self.features = silent(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.label = blank(classes, outputs) if classes else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map ``(B, inputs, H, W)``, and labels int64 ``(B,)``, to ``(B, outputs, H, W)``."""
        answer = self.features(x)
        return answer if self.label is None else answer + self.label(labels)[:, :, None, None]


def blank(classes: int, outputs: int) -> nn.Embedding:
    """Build a table with a vector for each label, zero to begin with."""
    table = nn.Embedding(classes, outputs)
    nn.init.zeros_(table.weight)
    return table
