"""What the two PixelRNNs share: residual LSTM layers between masked convolutions (1601.06759, figure 5).

Between the layers features stand pixels first, ``(H, W, B, F)``: a row or a diagonal of the map is then one matrix, and
a step from one to the next is one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from families.autoregressive.masked import MaskedColumns, MaskedConv2d
from families.autoregressive.model import AutoregressiveModel
from families.autoregressive.sampling import CausalNetwork
from families.layers.options import whole
from families.outputs import Categorical
from genbench.spec import DataSpec

GATES = 4  # of an LSTM, in this order: output, forget, input, content
FORGET = 1.0  # bias of a new forget gate, which is then open by 0.73


class States(Protocol):
    """The recurrent layers of a network, computed pixel by pixel, group by group."""

    def read(self, layer: int, y: int, x: int, group: int, values: Tensor) -> Tensor:
        """Return a layer's state ``(n, features of the group)`` at a pixel, from its input of the same shape."""
        ...


class Recurrence(nn.Module):
    """An LSTM over the pixels of the map: ``2h`` features to ``h``, of a pixel's own group and of what is before it.

    Args:
        width: the width ``h`` of the state.
        groups: channels of the image.
        classes: labels that it is told, 0 for none: each adds a bias to every gate.
    """

    margin = 0  # columns to the right of the image that the map needs

    def __init__(self, width: int, groups: int, classes: int) -> None:
        super().__init__()
        self.width = width
        self.groups = groups
        self.classes = classes

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Map features ``(H, W, B, 2h)`` to states ``(H, W, B, h)``."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes: write forward()")

    @staticmethod
    def states(layers: Iterable[Recurrence], n: int, width: int, labels: Tensor | None) -> States:
        """Return all of a network's layers, from the first on, pixel by pixel for ``n`` maps of ``width``."""
        raise NotImplementedError("a recurrence has states of its own: write states()")


def input_to_state(width: int, kernel: int, groups: int) -> MaskedConv2d:
    """Build what all four gates take from the input, a masked ``kernel × 1`` convolution; a new cell remembers.

    The gates ``o, f, i, g`` stand one behind the other and each has all groups, so that they survive the split.
    """
    conv = MaskedConv2d(2 * width, GATES * width, kernel, "B", groups, above=0, chunks=GATES)
    cast("Tensor", conv.bias).data[width : 2 * width] = FORGET
    return conv


def label_bias(classes: int, width: int) -> nn.Embedding | None:
    """Build a bias in every gate for each label, zero at first; None where there are none."""
    return nn.Embedding(classes, GATES * width, _weight=torch.zeros(classes, GATES * width)) if classes else None


def matrix(conv: MaskedConv2d) -> Tensor:
    """Return a masked convolution along a row as a matrix ``(taps · inputs, outputs)``, no taps to the right."""
    taps = (conv.weight * conv.mask)[:, :, 0, : conv.kernel // 2 + 1]
    return rearrange(taps, "outputs inputs tap -> (tap inputs) outputs")


def along_rows(conv: MaskedConv2d, x: Tensor) -> Tensor:
    """Apply a convolution to features that stand pixels first, ``(H, W, B, inputs)``, by one matrix product."""
    reach = conv.kernel // 2
    if reach:
        padded = F.pad(x, (0, 0, 0, 0, reach, 0))
        x = torch.cat([padded[:, start : start + x.shape[1]] for start in range(reach + 1)], -1)
    return F.linear(x, matrix(conv).T, conv.bias)


def lstm_step(gates: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor]:
    """Take one step of an LSTM from the sums ``(…, 4h)`` at its gates: ``c' = f·c + i·g`` and ``o·tanh(c')``.

    Args:
        gates: ``o, f, i`` before the logistic function, ``g`` before tanh.
        memory: ``c``, ``(…, h)``; None at the border, where it is zero.

    Returns:
        The state and ``c'``.
    """
    width = gates.shape[-1] // GATES
    logistic, content = gates.split([3 * width, width], -1)
    o, f, i = logistic.sigmoid().chunk(3, -1)
    new = i * content.tanh()
    if memory is not None:
        new = torch.addcmul(new, f, memory)
    return o * new.tanh(), new


class PixelRNN(CausalNetwork):
    """A 7×7 convolution under mask A, residual LSTM layers, then 1×1 convolutions under mask B.

    A layer takes ``2h`` features, works on ``h`` and adds a 1×1 convolution of its state to what it took.

    Args:
        shape: the image's, ``(C, H, W)``.
        width: the width ``h``.
        layers: LSTM layers of one kind, with states of ``h`` features.
        parameters: numbers a pixel that the output takes, channel by channel.
        first: side of the first kernel.
    """

    def __init__(
        self, shape: tuple[int, int, int], width: int, layers: Iterable[Recurrence], parameters: int, first: int = 7
    ) -> None:
        super().__init__()
        self.shape = shape
        channels = shape[0]
        self.first = MaskedConv2d(channels, 2 * width, first, "A", channels)
        self.layers = nn.ModuleList(layers)
        self.margin = max((layer.margin for layer in cast("Iterable[Recurrence]", self.layers)), default=0)
        self.ups = nn.ModuleList(MaskedConv2d(width, 2 * width, 1, "B", channels) for _ in self.layers)
        self.hidden = MaskedConv2d(2 * width, 2 * width, 1, "B", channels)
        self.last = MaskedConv2d(2 * width, parameters, 1, "B", channels)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images ``(B, C, H, W)`` on [-1, 1] to all pixels' parameters, ``(B, P, H, W)``."""
        x = rearrange(self.first(F.pad(x, (0, self.margin))), "b f y x -> y x b f").contiguous()
        for layer, up in zip(self.layers, cast("Iterable[MaskedConv2d]", self.ups), strict=True):
            x = x + along_rows(up, layer(x, labels))
        x = rearrange(x[:, : self.shape[2]], "y x b f -> b f y x").contiguous()
        return self.last(F.relu(self.hidden(F.relu(x))))

    @torch.no_grad()
    def columns(self, n: int, labels: Tensor | None = None) -> PixelRNNColumns:
        """Return the same network, pixel by pixel, for ``n`` images."""
        return PixelRNNColumns(self, n, labels)


class PixelRNNColumns:
    """PixelRNN computed group by group at one pixel: only the group of the channel to be drawn, at every layer."""

    def __init__(self, network: PixelRNN, n: int, labels: Tensor | None) -> None:
        channels, _, self.width = network.shape
        map_width = self.width + network.margin
        self.margin = [(x, channel) for x in range(self.width, map_width) for channel in range(channels)]
        self.nothing = network.last.weight.new_zeros(n)

        def columns(layers: Iterable[nn.Module]) -> list[MaskedColumns]:
            return [MaskedColumns(cast("MaskedConv2d", layer), n, map_width) for layer in layers]

        (self.first,) = columns([network.first])
        self.ups = columns(network.ups)
        self.head = columns([network.hidden, network.last])
        layers = cast("list[Recurrence]", list(network.layers))
        self.states = type(layers[0]).states(layers, n, map_width, labels) if layers else None

    def read(self, y: int, x: int, channel: int) -> Tensor:
        """Return the parameters of one channel at a pixel, ``(n, K)``."""
        if y and not x and not channel:
            for place in self.margin:  # the last row ends beyond the image
                self._features(y - 1, *place)
                self.write(y - 1, *place, self.nothing)
        features = self._features(y, x, channel)
        for conv in self.head:
            conv.write(y, x, channel, features.relu())
            features = conv.read(y, x, channel)
        return features

    def _features(self, y: int, x: int, channel: int) -> Tensor:
        features = self.first.read(y, x, channel)
        for layer, up in enumerate(self.ups):
            up.write(y, x, channel, cast("States", self.states).read(layer, y, x, channel, features))
            features = features + up.read(y, x, channel)
        return features

    def write(self, y: int, x: int, channel: int, values: Tensor) -> None:
        """Take a channel's values ``(n,)`` on [-1, 1]."""
        self.first.write(y, x, channel, values[:, None])


def pixelrnn(
    spec: DataSpec,
    layer: Callable[[int, int, int], Recurrence],
    width: int,
    depth: int,
    lr: float,
    conditional: bool,
    sampler: str,
    temperature: float,
    micro_batch: int | None,
) -> AutoregressiveModel:
    """Build a PixelRNN with a softmax over the levels, of layers made by ``layer(width, channels, classes)``.

    Raises:
        ValueError: for options out of range, or labels that the data do not have.
    """
    whole(1, width=width)
    whole(1 if conditional else 0, depth=depth)  # without a layer there is nothing to tell the label to
    if width < spec.shape[0]:
        raise ValueError(f"width={width}: an image of {spec.shape[0]} channels takes at least as many features")
    output = Categorical(spec.levels)
    layers = [layer(width, spec.shape[0], spec.classes if conditional else 0) for _ in range(depth)]
    network = PixelRNN(spec.shape, width, layers, output.parameters(spec.shape[0]))
    return AutoregressiveModel(
        spec,
        network,
        output,
        lr=lr,
        conditional=conditional,
        sampler=sampler,
        temperature=temperature,
        micro_batch=micro_batch,
    )
