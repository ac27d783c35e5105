"""Gated PixelCNN's network: two stacks that leave no blind spot, and gates for rectifiers (1606.05328)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from families.autoregressive.masked import MaskedConv2d
from families.autoregressive.sampling import CausalNetwork, Columns


def gate(x: Tensor) -> Tensor:
    """Return ``tanh(a) · σ(b)`` of the two halves of the features."""
    a, b = x.chunk(2, 1)
    return torch.tanh(a) * torch.sigmoid(b)


class GatedLayer(nn.Module):
    """One layer of both stacks, vertical and horizontal (figure 2).

        r  = V * v + label                        of rows above
        v' = gate(r)
        h' = h + O·gate(A * h + D·r + label)      of the same row, masked, and of r

    The vertical stack sees nothing but rows above, of which every channel is known: it needs no masks, and neither does
    the way ``D`` from it. The horizontal one keeps the channels' groups, in each half of its gates.

    Args:
        inputs: features of what both stacks are given.
        width: features that each hands on.
        kernel: the odd side of the kernel.
        groups: how many groups of channels are drawn one after the other.
        classes: number of labels, 0 for none.
        first: whether it is the stacks' first layer: mask A, a vertical kernel that ends a row above, no residual.
    """

    def __init__(self, inputs: int, width: int, kernel: int, groups: int, classes: int, first: bool = False) -> None:
        super().__init__()
        reach = kernel // 2
        self.first = first
        self.padding = (reach, reach, reach, -1 if first else 0)
        self.vertical = nn.Conv2d(inputs, 2 * width, (reach if first else reach + 1, kernel))
        self.down = nn.Conv2d(2 * width, 2 * width, 1)
        self.across = MaskedConv2d(inputs, 2 * width, kernel, "A" if first else "B", groups, above=0, chunks=2)
        self.out = MaskedConv2d(width, width, 1, "B", groups, bias=False)
        self.label = nn.Embedding(classes, 4 * width) if classes else None
        self._initialise()

    def _initialise(self) -> None:
        """Open the gates by half, and let the vertical stack, which has no residual, hand on the variance that it gets.

        For (a, b) of unit variance and b about 1, E[tanh(a)²]·E[σ(b)²] = 0.21: a gate divides a deviation by 2.2.
        """
        for conv, gain in ((self.vertical, 1.0 if self.first else 2.2), (self.down, 1.0)):
            nn.init.normal_(conv.weight, std=gain / conv.weight[0].numel() ** 0.5)
            nn.init.zeros_(cast("Tensor", conv.bias))
        for bias in (self.vertical.bias, self.across.bias):
            cast("Tensor", bias).data.chunk(2)[1].fill_(1)
        if self.label is not None:
            nn.init.zeros_(self.label.weight)

    def forward(self, v: Tensor, h: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Map both stacks' features, vertical and horizontal, to the next layer's, ``(B, width, H, W)`` each."""
        rows = self.vertical(F.pad(v, self.padding))
        here = self.across(h)
        if self.label is not None:
            above, beside = self.label(labels)[:, :, None, None].chunk(2, 1)
            rows = rows + above
            here = here + beside
        step = self.out(gate(here + self.down(rows)))
        return gate(rows), step if self.first else h + step


class GatedPixelCNN(CausalNetwork):
    """A layer of 7 columns under mask A, then layers of 3 under mask B, then 1×1 convolutions under mask B.

    Args:
        shape: the image's, ``(C, H, W)``.
        width: features of either stack.
        depth: layers, the first included.
        parameters: numbers a pixel that the output takes, group by group.
        groups: how many groups of channels are drawn one after the other: one a channel for most outputs, 1 for a
            joint one.
        classes: number of labels, 0 for none.
        cache: makes what computes this network row by row and pixel by pixel, from the network, the number of images
            and their labels.
        first: side of the first kernel.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        width: int,
        depth: int,
        parameters: int,
        groups: int,
        classes: int = 0,
        *,
        cache: Callable[[GatedPixelCNN, int, Tensor | None], Columns],
        first: int = 7,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.width = width
        self.groups = groups
        self.cache = cache
        self.layers = nn.ModuleList([GatedLayer(shape[0], width, first, groups, classes, first=True)])
        self.layers.extend(GatedLayer(width, width, 3, groups, classes) for _ in range(depth - 1))
        self.hidden = MaskedConv2d(width, width, 1, "B", groups)
        self.last = MaskedConv2d(width, parameters, 1, "B", groups)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images ``(B, C, H, W)`` on [-1, 1] to all pixels' parameters, ``(B, P, H, W)``."""
        v = h = x
        for layer in self.layers:
            v, h = layer(v, h, labels)
        return self.last(F.relu(self.hidden(F.relu(h))))

    @torch.no_grad()
    def columns(self, n: int, labels: Tensor | None = None) -> Columns:
        """Return the same network row by row and pixel by pixel, for ``n`` images."""
        return self.cache(self, n, labels)
