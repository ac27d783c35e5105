"""PixelRNN whose LSTM runs down the image, a whole row at a time (1601.06759, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from families.autoregressive.masked import MaskedColumns, group_slices
from families.autoregressive.model import AutoregressiveModel
from families.autoregressive.pixelrnn import (
    GATES,
    Recurrence,
    along_rows,
    input_to_state,
    label_bias,
    lstm_step,
    pixelrnn,
)
from genbench.spec import DataSpec

REACH = 1  # of the state-to-state kernel, 3×1


def beside(state: Tensor) -> Tensor:
    """Put each pixel's state between those of its neighbours in the row: ``(W, B, h)`` to ``(W, B, 3h)``."""
    padded = F.pad(state, (0, 0, 0, 0, REACH, REACH))
    return torch.cat([padded[start : start + len(state)] for start in range(2 * REACH + 1)], -1)


class RowLSTM(Recurrence):
    """An LSTM from row to row: row ``y`` has the state ``h_y`` and the memory ``c_y``, and ⊛ runs along the row,

        o, f, i, g = σ, σ, σ, tanh (K_ss ⊛ h_{y-1} + K_is ⊛ x_y)
        c_y = f·c_{y-1} + i·g,  h_y = o·tanh(c_y).

    ``K_is`` is 3×1 under mask B and computed for the whole map at once; ``K_ss`` is 3×1 without a mask, since all of
    the row above is known. A pixel sees a triangle that widens by one pixel on either side for each row above.
    """

    def __init__(self, width: int, groups: int, classes: int) -> None:
        super().__init__(width, groups, classes)
        self.inputs = input_to_state(width, 3, groups)
        taps = (2 * REACH + 1) * width
        self.state = nn.Parameter(torch.randn(taps, GATES * width) / taps**0.5)
        self.labels = label_bias(classes, width)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Map features ``(H, W, B, 2h)`` to states ``(H, W, B, h)``."""
        rows = along_rows(self.inputs, x)
        if self.labels is not None:
            rows = rows + self.labels(labels)
        states: list[Tensor] = []
        memory = None
        for row in rows.unbind(0):
            gates = row.flatten(0, 1)
            if states:
                gates = torch.addmm(gates, beside(states[-1]).flatten(0, 1), self.state)
            state, memory = lstm_step(gates, memory)
            states.append(state.unflatten(0, row.shape[:2]))
        return torch.stack(states)

    @staticmethod
    def states(layers: Iterable[Recurrence], n: int, width: int, labels: Tensor | None) -> RowStates:
        """Return all of a network's row layers, each computed pixel by pixel on its own."""
        return RowStates([RowColumns(layer, n, width, labels) for layer in layers if isinstance(layer, RowLSTM)])


class RowStates:
    """The row LSTMs of a network, computed pixel by pixel."""

    def __init__(self, layers: list[RowColumns]) -> None:
        self.layers = layers

    def read(self, layer: int, y: int, x: int, group: int, values: Tensor) -> Tensor:
        """Return a layer's state ``(n, features of the group)`` at a pixel, from its input of the same shape."""
        return self.layers[layer].read(y, x, group, values)


class RowColumns:
    """One row LSTM computed pixel by pixel: state to state once a row for all of it, input to state at each pixel."""

    def __init__(self, layer: RowLSTM, n: int, width: int, labels: Tensor | None) -> None:
        label = None if layer.labels is None else layer.labels(labels)
        self.inputs = MaskedColumns(layer.inputs, n, width, label)
        self.kernel = layer.state
        self.own = group_slices(layer.width, layer.groups)
        self.state = layer.state.new_zeros(width, n, layer.width)
        self.memory = torch.zeros_like(self.state)
        # what the gates of this row take from the row above
        self.above = layer.state.new_zeros(width, n, GATES, layer.width)

    def read(self, y: int, x: int, group: int, values: Tensor) -> Tensor:
        """Return the state ``(n, features of the group)`` at a pixel."""
        if y and not x and not group:
            self.above = (beside(self.state) @ self.kernel).unflatten(-1, (GATES, -1))
        own = self.own[group]
        self.inputs.write(y, x, group, values)
        gates = self.inputs.read(y, x, group) + self.above[x][:, :, own].flatten(1)
        state, memory = lstm_step(gates, self.memory[x, :, own])
        self.state[x, :, own] = state
        self.memory[x, :, own] = memory
        return state


def pixelrnn_row_lstm(
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
    """Build PixelRNN with row LSTM layers and a softmax over ``spec.levels`` for each channel (1601.06759).

    Differs from the paper in size (12 layers of 128 features on CIFAR-10 there, and 1,024 features before the softmax),
    in optimiser (Adam for RMSProp), in where it begins (a new cell remembers, and the network's last layer is zero but
    for its bias, the logarithms of the levels' frequencies), and in that every gate can be told the label, as in
    1606.05328.

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
    return pixelrnn(spec, RowLSTM, width, depth, lr, conditional, sampler, temperature, micro_batch)
