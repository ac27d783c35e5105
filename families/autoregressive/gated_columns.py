"""Gated PixelCNN in raster order: the vertical stack once a row, the horizontal one once a pixel.

Every number is computed once, in products as large as the order allows: over all pixels of a row and all images where
nothing but rows above is read, else over all images. A gate takes two steps, since

    tanh(a) · σ(b) = σ(b) - 2 · σ(-2a) · σ(b)

needs one kind of function for both halves, and its factor -2 goes into the weights before.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor

from families.autoregressive.columns import ColumnConvolution, RowConvolution
from families.autoregressive.gated_network import GatedLayer, GatedPixelCNN
from families.autoregressive.masked import MaskedConv2d, group_members, group_slices, stretches


class Gate:
    """A gate: ``tanh(a) · σ(b)`` into ``out`` ``(·, p)`` from ``x = (-2a, b)``, ``(·, 2p)``, which is overwritten."""

    def __init__(self, x: Tensor, out: Tensor) -> None:
        self.x = x
        self.out = out
        self.a, self.b = x.chunk(2, 1)

    def __call__(self) -> None:
        """Compute the gate from ``x`` as it is now."""
        self.x.sigmoid_()
        torch.addcmul(self.b, self.a, self.b, value=-2, out=self.out)


class Pointwise:
    """A masked 1×1 convolution, group by group, of what stands in ``inputs`` ``(n, I)``.

    Later groups there still hold the pixel before, under weights that are zero.
    """

    def __init__(self, conv: MaskedConv2d, n: int) -> None:
        weight = (conv.weight * conv.mask)[:, :, 0, 0]
        self.inputs = weight.new_zeros(n, conv.inputs)
        self.input = [self.inputs[:, own] for own in group_slices(conv.inputs, conv.groups)]
        outputs = group_slices(conv.outputs, conv.groups)
        self.products = [weight[own].T.contiguous() for own in outputs]
        self.biases = [weight.new_zeros(()) if conv.bias is None else conv.bias[own] for own in outputs]

    def answer(self, group: int, base: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        """Return a group's outputs plus ``base``, which is the bias if nothing else is given."""
        return torch.addmm(self.biases[group] if base is None else base, self.inputs, self.products[group], out=out)


class LayerColumns:
    """One gated layer computed in raster order; its weights are taken as they are now.

    Args:
        layer: the layer to compute.
        n: images drawn at once.
        width: how wide the image is.
        labels: int64 ``(n,)``, for a layer that is conditioned.
    """

    def __init__(self, layer: GatedLayer, n: int, width: int, labels: Tensor | None) -> None:
        across = layer.across
        features = layer.out.inputs
        scale = torch.tensor([-2.0, 1.0]).repeat_interleave(features).to(across.weight)  # of a and b
        above = cast("Tensor", layer.vertical.bias).expand(n, -1)
        beside = (cast("Tensor", layer.down.bias) + cast("Tensor", across.bias)).expand(n, -1)
        if layer.label is not None:
            told = layer.label(labels).chunk(2, 1)
            above = above + told[0]
            beside = beside + told[1]
        members = group_members(2 * features, across.groups, chunks=2)
        order = torch.cat(members)  # what a group's gates are given is one stretch: both of its halves

        self.first = layer.first
        self.rows = RowConvolution(layer.vertical.weight * scale[:, None, None, None], n, width)
        self.above = (above * scale).repeat(width, 1)  # (W·n, 2p)
        self.down = (layer.down.weight[:, :, 0, 0] * scale[:, None] / scale)[order].T.contiguous()
        self.beside = (beside * scale)[:, order].repeat(width, 1)
        self.row = torch.empty_like(self.above)
        self.base = torch.empty_like(self.beside)
        self.v = scale.new_zeros(width, n, features)
        self.gate_row = Gate(self.row, self.v.flatten(0, 1))

        weight = (across.weight * across.mask * scale[:, None, None, None])[:, :, 0, : across.kernel // 2 + 1]
        self.columns = ColumnConvolution(weight, members, group_slices(across.inputs, across.groups), n)
        self.out = Pointwise(layer.out, n)
        pixels = self.base.view(width, n, -1).unbind(0)
        self.bases = [[pixel[:, own] for own in stretches(members)] for pixel in pixels]  # [x][group], the same memory
        self.here = [scale.new_empty(n, len(own)) for own in members]
        self.gates = [Gate(x, out) for x, out in zip(self.here, self.out.input, strict=True)]

    def enter(self) -> Tensor:
        """Compute all that a row takes from the rows above; return the vertical stack's features, ``(W, n, p)``."""
        self.rows.answer(self.above, out=self.row)
        torch.addmm(self.beside, self.row, self.down, out=self.base)
        self.gate_row()
        self.columns.begin()
        return self.v

    def step(self, x: int, group: int, out: Tensor) -> None:
        """Write the horizontal stack's features of a group at a pixel into ``out``."""
        self.columns.answer(x, group, self.bases[x][group], out=self.here[group])
        self.gates[group]()
        self.out.answer(group, None if self.first else self.columns.slot(x, group), out=out)


class GatedColumns:
    """:class:`~families.autoregressive.sampling.Columns` of a gated PixelCNN.

    Args:
        network: the network.
        n: images drawn at once.
        labels: int64 ``(n,)``, for a network that is conditioned.
    """

    def __init__(self, network: GatedPixelCNN, n: int, labels: Tensor | None) -> None:
        channels, _, width = network.shape
        layers = cast("Iterable[GatedLayer]", network.layers)
        self.layers = [LayerColumns(layer, n, width, labels) for layer in layers]
        self.hidden = Pointwise(network.hidden, n)
        self.last = Pointwise(network.last, n)
        self.y = -1
        self.image = self.hidden.inputs.new_zeros(width, n, channels)
        self.values = [slot.unbind(1) for slot in self.layers[0].columns.seen.unbind(1)]  # [x mod T][channel]

    def read(self, y: int, x: int, channel: int) -> Tensor:
        """Return the parameters of one channel at a pixel, ``(n, K)``."""
        if y != self.y:
            self._enter(y)
        for layer, after in itertools.pairwise(self.layers):
            layer.step(x, channel, after.columns.slot(x, channel))
        features = self.hidden.input[channel]
        hidden = self.last.input[channel]
        self.layers[-1].step(x, channel, features)
        features.relu_()
        self.hidden.answer(channel, out=hidden).relu_()
        return self.last.answer(channel)

    def write(self, y: int, x: int, channel: int, values: Tensor) -> None:
        """Take a channel's values ``(n,)`` on [-1, 1]."""
        self.image[x, :, channel] = values
        self.values[x % len(self.values)][channel].copy_(values)

    def _enter(self, y: int) -> None:
        above = self.image
        for depth, layer in enumerate(self.layers):
            if depth or y:  # no row of the image is above the first
                layer.rows.push(above)
            above = layer.enter()
        self.y = y
