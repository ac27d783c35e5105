"""PixelCNN++ computed once: the down stream row by row, the right stream pixel by pixel, each at every scale.

A row of the down stream sees rows above it alone, so it is computed in one go before the row's first pixel is drawn. So
is what the right stream takes from the row above and from the down stream. What is left for a pixel is, in each
convolution, one product with the column to the left and the pixel's own. A coarse row or pixel is computed once for the
four pixels that hear of it, so that an image costs the arithmetic of one pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from families.autoregressive.pixelcnn_pp_network import Coarser, Layer, PixelCNNPP, Scale
from families.autoregressive.shifted import GatedBlock, ShiftedConv2d, concat_elu


class RowConv:
    """A convolution of the down stream, a row at a time; it keeps the row above."""

    def __init__(self, conv: ShiftedConv2d, n: int, width: int) -> None:
        self.conv = conv
        self.above = conv.weight.new_zeros(n, conv.in_channels, 1, width)

    def read(self, row: Tensor) -> Tensor:
        """Map the next row ``(n, inputs, 1, W)`` to the convolution's there, ``(n, outputs, 1, ⌈W / stride⌉)``."""
        both = torch.cat((self.above, row), 2)
        self.above = row
        conv = self.conv
        sides = (0, self.conv.kernel_size[1] // 2)
        return F.conv2d(both, conv.weight, conv.bias, conv.stride, sides)


class PixelConv:
    """A convolution of the right stream, a pixel at a time; it keeps its input for the row.

    ``begin`` a row, and at every pixel take the ``slot`` to write the input into and ``read`` the answer.
    """

    def __init__(self, conv: ShiftedConv2d, n: int, width: int) -> None:
        inputs = conv.in_channels
        stride = conv.stride[0]
        weight = conv.weight.detach()
        self.above, self.own = rearrange(weight, "outputs inputs row column -> row (column inputs) outputs")
        self.bias = conv.bias.detach()
        self.row = weight.new_zeros(n, width + 1, inputs)  # the first column is the border
        self.slots = self.row.unbind(1)[1:]
        self.windows = self.row.flatten(1).unfold(1, 2 * inputs, stride * inputs)  # (n, ⌈W / stride⌉, 2 · inputs)
        self.by_column = self.windows.unbind(1)
        self.so_far: tuple[Tensor, ...] = ()

    def begin(self, *more: Tensor) -> None:
        """Sum up what is known before a row's first pixel: the row above, and terms that broadcast to ``(W, n, F)``.

        It is to be called while the input of the row above is still there.
        """
        seen = rearrange(self.windows, "n x window -> (x n) window")
        known = rearrange(torch.addmm(self.bias, seen, self.above), "(x n) f -> x n f", x=len(self.by_column))
        self.so_far = sum(more, known).unbind(0)

    def read(self, x: int) -> Tensor:
        """Return the convolution's answer ``(n, outputs)`` at an output's column."""
        return torch.addmm(self.so_far[x], self.by_column[x], self.own)


class DownRows:
    """A block of the down stream, computed a row at a time."""

    def __init__(self, block: GatedBlock, n: int, width: int, label: Tensor | None) -> None:
        self.first = RowConv(block.first, n, width)
        self.second = RowConv(block.second, n, width)
        self.shortcuts = list(block.shortcuts)
        self.label = label

    def read(self, row: Tensor, *kept: Tensor) -> Tensor:
        """Map a row ``(n, F, 1, W)``, and what was kept of it on the way down, to the block's answer of that shape."""
        h = self.first.read(concat_elu(row))
        for shortcut, other in zip(self.shortcuts, kept, strict=True):
            h = h + shortcut(concat_elu(other))
        h = self.second.read(concat_elu(h))
        return row + F.glu(h if self.label is None else h + self.label[:, :, None, None], 1)


class RightPixels:
    """A block of the right stream, computed a pixel at a time."""

    def __init__(self, block: GatedBlock, n: int, width: int, label: Tensor | None) -> None:
        self.first = PixelConv(block.first, n, width)
        self.second = PixelConv(block.second, n, width)
        self.of_down, *of_kept = cast("Iterable[ShiftedConv2d]", block.shortcuts)
        self.of_kept = [conv.weight.detach()[:, :, 0, 0].T for conv in of_kept]
        self.biases = [conv.bias.detach() for conv in of_kept]
        self.labels = [] if label is None else [label]

    def begin(self, down: Tensor) -> None:
        """Take the down stream's row, ``(n, F, 1, W)``."""
        self.first.begin(rearrange(self.of_down(concat_elu(down)), "n f 1 x -> x n f"), *self.biases)
        self.second.begin(*self.labels)

    def read(self, x: int, value: Tensor, *kept: Tensor) -> Tensor:
        """Map a pixel ``(n, F)``, and what was kept of it on the way down, to the block's answer of that shape."""
        self.first.slots[x].copy_(concat_elu(value))
        h = self.first.read(x)
        for matrix, other in zip(self.of_kept, kept, strict=True):
            h = torch.addmm(h, concat_elu(other), matrix)
        self.second.slots[x].copy_(concat_elu(h))
        return value + F.glu(self.second.read(x), 1)


class ScaleColumns:
    """One scale and the coarser ones within it, computed row by row and pixel by pixel."""

    def __init__(self, scale: Scale, n: int, width: int, labels: Tensor | None) -> None:
        def blocks(layers: nn.ModuleList) -> list[tuple[DownRows, RightPixels]]:
            return [
                (
                    DownRows(layer.down, n, width, layer.down.bias_of(labels)),
                    RightPixels(layer.right, n, width, layer.right.bias_of(labels)),
                )
                for layer in cast("Iterable[Layer]", layers)
            ]

        self.before = blocks(scale.before)
        self.after = blocks(scale.after)
        self.coarser = None if scale.coarser is None else CoarserColumns(scale.coarser, n, width, labels)

    def row(self, y: int, down: Tensor) -> Tensor:
        """Map the down stream's row, ``(n, F, 1, W)``, to as much, and tell the right stream what it takes of it."""
        kept = []
        for rows, pixels in self.before:
            down = rows.read(down)
            pixels.begin(down)
            kept.append(down)
        if self.coarser is not None:
            down = self.coarser.row(y, down)
        for rows, pixels in self.after:
            down = rows.read(down, kept.pop())
            pixels.begin(down)
        return down

    def pixel(self, y: int, x: int, right: Tensor) -> Tensor:
        """Map the right stream at a pixel, ``(n, F)``, to as much."""
        kept = []
        for _, pixels in self.before:
            right = pixels.read(x, right)
            kept.append(right)
        if self.coarser is not None:
            right = self.coarser.pixel(y, x, right)
        for _, pixels in self.after:
            right = pixels.read(x, right, kept.pop())
        return right


class CoarserColumns:
    """What the coarser scales say, asked at every second row and column, and remembered for those between."""

    def __init__(self, coarser: Coarser, n: int, width: int, labels: Tensor | None) -> None:
        self.rows = RowConv(coarser.shrink_down, n, width)
        self.pixels = PixelConv(coarser.shrink_right, n, width)
        self.width = width
        half = (width + 1) // 2
        self.scale = ScaleColumns(coarser.scale, n, half, labels)
        self.grow = coarser.grow_down
        grow = coarser.grow_right.weight.detach()
        self.matrix = rearrange(grow, "inputs outputs row column -> inputs (row column outputs)")
        self.bias = coarser.grow_right.bias.detach().repeat(4)
        self.two_rows = torch.empty(0)
        self.fours: list[tuple[Tensor, ...]] = [()] * half

    def row(self, y: int, down: Tensor) -> Tensor:
        """Map the down stream's row, ``(n, F, 1, W)``, to as much."""
        if y % 2:
            self.rows.above = down
        else:
            self.pixels.begin()
            self.two_rows = self.grow(self.scale.row(y // 2, self.rows.read(down)))
        return self.two_rows[:, :, y % 2, None, : self.width]

    def pixel(self, y: int, x: int, right: Tensor) -> Tensor:
        """Map the right stream at a pixel, ``(n, F)``, to as much."""
        self.pixels.slots[x].copy_(right)
        if y % 2 == 0 and x % 2 == 0:
            coarse = self.scale.pixel(y // 2, x // 2, self.pixels.read(x // 2))
            self.fours[x // 2] = torch.addmm(self.bias, coarse, self.matrix).chunk(4, 1)
        return self.fours[x // 2][2 * (y % 2) + x % 2]


class PixelCNNPPColumns:
    """PixelCNN++ as a whole: every pixel is read once, in raster order, and then written channel by channel."""

    def __init__(self, network: PixelCNNPP, n: int, labels: Tensor | None) -> None:
        channels, _, width = network.shape
        self.network = network
        self.scales = ScaleColumns(network.scales, n, width, labels)
        self.rows_above = RowConv(network.rows_above, n, width)
        self.row = network.last.weight.new_zeros(n, channels + 1, 1, width)  # above the image there are no ones
        self.own = network.columns_left.weight.detach()[:, :, 1, 0].T
        self.last = network.last.weight.detach()[:, :, 0, 0].T
        self.bias = network.last.bias.detach()
        self.so_far: tuple[Tensor, ...] = ()

    def read(self, y: int, x: int, channel: int) -> Tensor:
        """Return the parameters of a pixel, ``(n, P)``."""
        if x == 0:
            self._begin(y)
        right = self.so_far[x]
        if x > 0:
            right = torch.addmm(right, self.row[:, :, 0, x - 1], self.own)
        return torch.addmm(self.bias, F.elu(self.scales.pixel(y, x, right)), self.last)

    def write(self, y: int, x: int, channel: int, values: Tensor) -> None:
        """Take a channel's values ``(n,)`` on [-1, 1]."""
        self.row[:, channel, 0, x] = values

    def _begin(self, y: int) -> None:
        """Compute all of a row that its own pixels have no part in."""
        above = self.row
        left = self.network.columns_left
        self.row = torch.cat((torch.zeros_like(above[:, :-1]), torch.ones_like(above[:, -1:])), 1)
        self.scales.row(y, self.rows_above.read(above))
        aslant = F.conv2d(F.pad(above, (1, -1)), left.weight[:, :, :1], left.bias)
        known = self.network.row_above(above) + aslant
        self.so_far = rearrange(known, "n f 1 x -> x n f").contiguous().unbind(0)
