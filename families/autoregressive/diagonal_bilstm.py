"""PixelRNN whose LSTMs run along the diagonals, from both upper corners (1601.06759, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from families.autoregressive.masked import MaskedColumns, MaskedConv2d, group_slices
from families.autoregressive.model import AutoregressiveModel
from families.autoregressive.pixelrnn import GATES, Recurrence, input_to_state, label_bias, lstm_step, matrix, pixelrnn
from genbench.spec import DataSpec

PASSES = 2  # from the left, from the right


def diagonals(height: int, width: int, device: torch.device) -> tuple[Tensor, list[int]]:
    """Return pixels in the order of ``y + x`` and then of ``y``, and how many lie on each diagonal.

    This is the paper's skewed map, row ``y`` moved ``y`` columns to the right, column by column, without the places
    that skewing leaves empty: half of them, on a square.
    """
    y = torch.arange(height, device=device)[:, None]
    x = torch.arange(width, device=device)
    diagonal = (y + x).flatten()
    return diagonal.argsort(stable=True), diagonal.bincount().tolist()


class DiagonalBiLSTM(Recurrence):
    """Two LSTMs along the diagonals: at each pixel they go on from the states beside it and above it.

    The pass from the left, with ``d`` the column of the skewed map, takes in both by a 2×1 convolution down it,

        o, f, i, g = σ, σ, σ, tanh (K_ss ⊛ h_{d-1} + K_is ⊛ x_d)
        c_d = f·c_{d-1} + i·g,  h_d = o·tanh(c_d),

    where ``c_{d-1}`` stands beside the pixel. The pass from the right is the same on the mirrored image. Its states go
    down one row before they are added, so that a pixel gets what the right pass knew above it: nothing that comes
    later, and together with the left pass all that came before.

    All but one: features stand one pixel behind the values that they see (mask A), so that the last value of a row
    would first be seen one row down and far to the right. The map is therefore one column wider than the image, which
    the paper's is not, and the right pass begins there.
    """

    margin = 1

    def __init__(self, width: int, groups: int, classes: int) -> None:
        super().__init__(width, groups, classes)
        self.inputs = nn.ModuleList(input_to_state(width, 1, groups) for _ in range(PASSES))
        self.state = nn.Parameter(torch.randn(PASSES, 2 * width, GATES * width) / (2 * width) ** 0.5)  # above, beside
        self.labels = label_bias(PASSES * classes, width)  # of the left pass, then of the right

    def weights(self) -> Tensor:
        """Return the input-to-state matrices of both passes, ``(2, 2h, 4h)``."""
        return torch.stack([matrix(conv) for conv in cast("Iterable[MaskedConv2d]", self.inputs)])

    def biases(self, labels: Tensor | None) -> Tensor:
        """Return every gate's bias in both passes, ``(2, 1, 4h)``, or ``(2, B, 4h)`` where there are labels."""
        bias = torch.stack([cast("Tensor", conv.bias) for conv in cast("Iterable[MaskedConv2d]", self.inputs)])[:, None]
        if self.labels is None or labels is None:
            return bias
        return bias + self.labels(torch.stack([labels, labels + self.classes]))

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Map features ``(H, W, B, 2h)`` to the sum of both passes' states, ``(H, W, B, h)``."""
        height, width, n, _ = x.shape
        order, counts = diagonals(height, width, x.device)
        mirrored = torch.arange(height * width, device=x.device).view(height, width).flip(1).flatten()[order]
        both = torch.cat([order, mirrored])
        skewed = rearrange(x, "y x n f -> (y x) n f").index_select(0, both)
        skewed = rearrange(skewed, "(direction place) n f -> direction (place n) f", direction=PASSES)
        gates = rearrange(skewed @ self.weights(), "direction (place n) f -> direction place n f", n=n)
        gates = gates + self.biases(labels)[:, None]
        states: list[Tensor] = []
        memory = None
        for column, now in enumerate(gates.split(counts, 1)):
            sums = now.flatten(1, 2)
            if memory is not None:
                # the top row has nothing above it, and the row that begins on this diagonal has nothing beside it
                border = (0, 0, 0, 0, int(column < width), int(column < height))
                last = F.pad(states[-1], border)
                around = torch.cat([last[:, :-1], last[:, 1:]], -1).flatten(1, 2)
                sums = torch.baddbmm(sums, around, self.state)
                memory = F.pad(memory, border)[:, 1:].flatten(1, 2)
            state, memory = (part.unflatten(1, (-1, n)) for part in lstm_step(sums, memory))
            states.append(state)
        place = torch.cat([order.argsort(), height * width + mirrored.argsort()])
        skewed = rearrange(torch.cat(states, 1), "direction place n f -> (direction place) n f")
        unskewed = skewed.index_select(0, place)
        left, right = rearrange(unskewed, "(direction y x) n f -> direction y x n f", direction=PASSES, y=height)
        return left + F.pad(right[:-1], (0, 0, 0, 0, 0, 0, 1, 0))

    @staticmethod
    def states(layers: Iterable[Recurrence], n: int, width: int, labels: Tensor | None) -> DiagonalStates:
        """Return all of a network's diagonal layers, computed together pixel by pixel."""
        return DiagonalStates([layer for layer in layers if isinstance(layer, DiagonalBiLSTM)], n, width, labels)


class DiagonalStates:
    """A network's diagonal LSTMs, computed pixel by pixel from the left, and from the right once a row is complete.

    The pass from the right needs the layers' input alone, which is known for all layers when the row is: it is then
    made in all of them at once.

    Args:
        layers: the network's; their weights are taken as they are now.
        n: images drawn at once.
        width: how wide the map is.
        labels: int64 ``(n,)``, where the layers are told them.
    """

    def __init__(self, layers: list[DiagonalBiLSTM], n: int, width: int, labels: Tensor | None) -> None:
        h = layers[0].width
        groups = layers[0].groups
        self.own = group_slices(h, groups)
        self.wide = group_slices(2 * h, groups)
        weights = torch.stack([layer.weights() for layer in layers])  # (L, 2, 2h, 4h)
        from_states = torch.stack([layer.state for layer in layers])

        # from the left: rows of states with a last place that stays zero, beside the first pixel
        told = [None if layer.labels is None else layer.labels(labels) for layer in layers]
        convs = [cast("MaskedConv2d", layer.inputs[0]) for layer in layers]
        self.inputs = [MaskedColumns(conv, n, width, label) for conv, label in zip(convs, told, strict=True)]
        gates = from_states[:, 0].unflatten(-1, (GATES, h))
        self.from_states = [[each[..., own].flatten(1) for own in self.own] for each in gates]
        self.around = [weights.new_zeros(n, 2 * h) for _ in layers]
        self.left = weights.new_zeros(len(layers), width + 1, n, h)
        self.memory = weights.new_zeros(len(layers), n, h)

        # from the right: a layer's input in this row, and the states of the row above
        self.row = weights.new_zeros(len(layers), width, n, 3 * h)
        self.right = self.row[..., 2 * h :]
        self.from_row = torch.cat([weights[:, 1], from_states[:, 1, :h]], 1)
        self.from_beside = from_states[:, 1, h:]
        self.bias = torch.stack([layer.biases(labels)[1:] for layer in layers])  # (L, 1, 1 or n, 4h)

    def read(self, layer: int, y: int, x: int, group: int, values: Tensor) -> Tensor:
        """Return a layer's state ``(n, features of the group)`` at a pixel, from its input of the same shape."""
        own = self.own[group]
        left = self.left[layer]
        if not group:
            if not x:
                self._enter(layer, y)
            torch.cat([left[x], left[x - 1]], -1, out=self.around[layer])
        self.row[layer, x, :, self.wide[group]] = values
        self.inputs[layer].write(y, x, group, values)
        sums = self.inputs[layer].read(y, x, group)
        sums = torch.addmm(sums, self.around[layer], self.from_states[layer][group])
        state, memory = lstm_step(sums, self.memory[layer, :, own])
        left[x, :, own] = state
        self.memory[layer, :, own] = memory
        return state + self.right[layer, x, :, own]

    def _enter(self, layer: int, y: int) -> None:
        """Begin a row of a layer; for the first, run all layers' passes from the right along the row above first."""
        self.memory[layer] = 0
        if layer or not y:
            return
        gates = (self.row.flatten(1, 2) @ self.from_row).unflatten(1, self.row.shape[1:3]) + self.bias
        memory = None
        for x in range(self.row.shape[1] - 1, -1, -1):
            sums = gates[:, x]
            if memory is not None:
                sums = torch.baddbmm(sums, self.right[:, x + 1], self.from_beside)
            self.right[:, x], memory = lstm_step(sums, memory)


def pixelrnn_diagonal_bilstm(
    spec: DataSpec,
    *,
    width: int = 32,
    depth: int = 3,
    lr: float = 1.2e-2,
    conditional: bool = False,
    sampler: str = "cached",
    temperature: float = 1.0,
    micro_batch: int | None = None,
) -> AutoregressiveModel:
    """Build PixelRNN with diagonal BiLSTM layers and a softmax over ``spec.levels`` for each channel (1601.06759).

    Differs from the paper in size (12 layers of 128 features on CIFAR-10 there, and 1,024 features before the softmax),
    in optimiser (Adam for RMSProp), in where it begins (a new cell remembers, and the network's last layer is zero but
    for its bias, the logarithms of the levels' frequencies), in that every gate can be told the label, as in
    1606.05328, and in the column beyond the image without which the last value of a row would be hidden (see
    :class:`DiagonalBiLSTM`).

    Args:
        spec: any shape and levels.
        width: the width ``h``, at least the image's channels.
        depth: LSTM layers, 0 or more, and at least 1 if there are labels.
        lr: the learning rate.
        conditional: whether every gate is told the label.
        sampler: the sampler: ``"cached"``, ``"fixed-point"`` or ``"naive"``.
        temperature: divides the logits in sampling; 1 draws from the model.
        micro_batch: images passed at a time in training, whose activations alone are kept; None: the whole batch.

    Raises:
        ValueError: for options out of range, or labels that the data do not have.
    """
    return pixelrnn(spec, DiagonalBiLSTM, width, depth, lr, conditional, sampler, temperature, micro_batch)
