"""PixelCNN++'s network: two streams of shifted convolutions, in gated residual blocks at several scales (1701.05517).

The ``down`` stream sees the rows above a pixel, the ``right`` stream those and what is left of it. No weight is masked:
kernels reach up and to the left only, and the first features are shifted past the pixel that they must not see.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from families.autoregressive.sampling import CausalNetwork, Columns
from families.autoregressive.shifted import DOWN, RIGHT, GatedBlock, GrowingConv2d, ShiftedConv2d
from families.layers.scaling import scales

HALVINGS = 2  # at most, as in the paper

Streams = tuple[Tensor, Tensor]


class Layer(nn.Module):
    """One block of each stream; the right one hears the down one, and both hear what was kept on the way down."""

    def __init__(self, width: int, *, kept: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.down = GatedBlock(width, DOWN, kept, classes, dropout)
        self.right = GatedBlock(width, RIGHT, 1 + kept, classes, dropout)

    def forward(self, down: Tensor, right: Tensor, kept: Streams | None, labels: Tensor | None) -> Streams:
        """Return both streams behind the layer, ``(B, F, H, W)`` each."""
        of_down = () if kept is None else kept[:1]
        of_right = () if kept is None else kept[1:]
        down = self.down(down, *of_down, labels=labels)
        right = self.right(right, down, *of_right, labels=labels)
        return down, right


class Coarser(nn.Module):
    """Both streams at half the sides: convolutions of stride 2, the coarser scale, transposed convolutions.

    Half of an odd side is rounded up, 13 → 7, so that every row and column has a coarse one; what grows beyond the
    image is cut off.

    Args:
        width: features of each stream.
        scale: the coarser scale, and those within it.
    """

    def __init__(self, width: int, scale: Scale) -> None:
        super().__init__()
        self.shrink_down = ShiftedConv2d(width, width, DOWN, stride=2)
        self.shrink_right = ShiftedConv2d(width, width, RIGHT, stride=2)
        self.scale = scale
        self.grow_down = GrowingConv2d(width, DOWN)
        self.grow_right = GrowingConv2d(width, RIGHT)

    def forward(self, down: Tensor, right: Tensor, labels: Tensor | None) -> Streams:
        """Return what the coarser scales say to both streams, ``(B, F, H, W)`` each."""
        height, width = down.shape[2:]
        down, right = self.scale(self.shrink_down(down), self.shrink_right(right), labels)
        return self.grow_down(down)[:, :, :height, :width], self.grow_right(right)[:, :, :height, :width]


class Scale(nn.Module):
    """Layers on the way down, the coarser scales within, and as many layers on the way up, with shortcuts across.

    Args:
        width: features of each stream.
        depth: layers on either way.
        within: scales still to come.
        classes: number of labels, 0 for none.
        dropout: share of features left out in training.
    """

    def __init__(self, width: int, depth: int, within: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.ModuleList(Layer(width, kept=0, classes=classes, dropout=dropout) for _ in range(depth))
        self.coarser = Coarser(width, Scale(width, depth, within - 1, classes, dropout)) if within else None
        self.after = nn.ModuleList(Layer(width, kept=1, classes=classes, dropout=dropout) for _ in range(depth))

    def forward(self, down: Tensor, right: Tensor, labels: Tensor | None) -> Streams:
        """Return both streams behind the scale, ``(B, F, H, W)`` each."""
        kept = []
        for layer in self.before:
            down, right = layer(down, right, None, labels)
            kept.append((down, right))
        if self.coarser is not None:
            down, right = self.coarser(down, right, labels)
        for layer in self.after:
            down, right = layer(down, right, kept.pop(), labels)
        return down, right


class PixelCNNPP(CausalNetwork):
    """PixelCNN++'s network: two streams from shifted images to the mixture's parameters.

    Args:
        shape: the image's, ``(C, H, W)``.
        width: features of each stream.
        depth: layers on either way at each scale.
        parameters: numbers a pixel that the output takes.
        classes: number of labels that it is told, 0 for none.
        dropout: share of features left out in training.
        cache: makes what computes this network row by row and pixel by pixel, from the network, the number of images
            and their labels.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        width: int,
        depth: int,
        parameters: int,
        classes: int,
        dropout: float,
        *,
        cache: Callable[[PixelCNNPP, int, Tensor | None], Columns],
    ) -> None:
        super().__init__()
        self.shape = shape
        self.cache = cache
        inputs = shape[0] + 1
        self.rows_above = ShiftedConv2d(inputs, width, DOWN)
        self.row_above = ShiftedConv2d(inputs, width, (1, 3), gain=math.sqrt(0.5))
        self.columns_left = ShiftedConv2d(inputs, width, (2, 1), gain=math.sqrt(0.5))
        self.scales = Scale(width, depth, min(scales(*shape[1:]), HALVINGS), classes, dropout)
        self.last = ShiftedConv2d(width, parameters, (1, 1))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images ``(B, C, H, W)`` on [-1, 1] to all pixels' parameters, ``(B, P, H, W)``."""
        # beyond the border there are no ones, so that it can be told from grey
        x = torch.cat((x, torch.ones_like(x[:, :1])), 1)
        # shifted past what must not be seen
        above = F.pad(x, (0, 0, 1, -1))
        left = F.pad(x, (1, -1, 0, 0))
        down = self.rows_above(above)
        right = self.row_above(above) + self.columns_left(left)
        _, right = self.scales(down, right, labels)
        return self.last(F.elu(right))

    def columns(self, n: int, labels: Tensor | None = None) -> Columns:
        """Return the same network row by row and pixel by pixel, for ``n`` images."""
        return self.cache(self, n, labels)
