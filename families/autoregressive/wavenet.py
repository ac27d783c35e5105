"""WaveNet over the values of an image as one sequence (1609.03499)."""

from __future__ import annotations

from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from families.autoregressive.model import AutoregressiveModel
from families.autoregressive.sampling import CausalNetwork
from families.layers.options import whole
from families.outputs import Categorical
from genbench.spec import DataSpec

TAPS = 2  # of every causal convolution, and of the first


def layers_to_cover(length: int) -> int:
    """Return the fewest layers, dilated by 1, 2, 4, …, that let a value see ``length`` values before it."""
    depth = 1
    while receptive_field(depth, 1) < length:
        depth += 1
    return depth


def receptive_field(depth: int, stacks: int) -> int:
    """Return how many earlier values a value sees: the first convolution's, and a dilation more with every layer."""
    return TAPS + stacks * (2**depth - 1)


class GatedLayer(nn.Module):
    """A dilated causal convolution under a gate, added to its input and handed to the output,

        z_t = tanh(W_f [x_{t-d}, x_t] + V_f) · σ(W_g [x_{t-d}, x_t] + V_g),  x_t + W_r z_t,  W_s z_t

    where the label says ``V``.

    Args:
        width: features of ``x`` and ``z``.
        skip: features of ``W_s z``.
        dilation: the dilation ``d``.
        classes: number of labels, 0 for none.
        last: whether no layer follows, so that there is nothing to add to.
    """

    def __init__(self, width: int, skip: int, dilation: int, classes: int, last: bool = False) -> None:
        super().__init__()
        self.width = width
        self.dilation = dilation
        self.gates = nn.Linear(TAPS * width, 2 * width)
        nn.init.kaiming_normal_(self.gates.weight, nonlinearity="linear")
        nn.init.zeros_(self.gates.bias)
        self.residual = None if last else nn.Parameter(torch.randn(width, width) / width**0.5)
        self.skip = nn.Parameter(torch.randn(width, skip) / width**0.5)
        self.labels = nn.Embedding(classes, 2 * width, _weight=torch.zeros(classes, 2 * width)) if classes else None

    def biases(self, labels: Tensor | None) -> Tensor:
        """Return the biases of filter and gate, ``(2·width,)``, or ``(B, 2·width)`` where there are labels."""
        return self.gates.bias if self.labels is None else self.gates.bias + self.labels(labels)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Return the gate's ``z`` for the whole sequence, ``(T, B, width)``."""
        past = F.pad(x, (0, 0, 0, 0, self.dilation, 0))[: len(x)]
        return gated(torch.cat([past, x], -1) @ self.gates.weight.T + self.biases(labels))


def gated(sums: Tensor) -> Tensor:
    """Return ``tanh(a) · σ(b)`` of the two halves of the features."""
    content, gate = sums.chunk(2, -1)
    return content.tanh() * gate.sigmoid()


class WaveNet(CausalNetwork):
    """Stacks of dilated causal convolutions over all values: row by row, pixel by pixel, channel by channel.

    A first causal convolution takes the two values before; the layers follow, with dilations ``1, 2, 4, …`` in every
    stack; what they hand to the output is added up and goes through two 1×1 convolutions. The sequence stands first,
    ``(T, B, F)``, so that a shift in time is a slice and every product one matrix product.

    Args:
        shape: the image's, ``(C, H, W)``; ``T = H·W·C``.
        width: features of the layers; twice as many are handed to the output.
        depth: layers a stack.
        stacks: how often the dilations are run through.
        parameters: numbers a value that the output takes.
        classes: number of labels that it is told, 0 for none.
    """

    channels_alike = True

    def __init__(
        self, shape: tuple[int, int, int], width: int, depth: int, stacks: int, parameters: int, classes: int = 0
    ) -> None:
        super().__init__()
        self.shape = shape
        self.width = width
        skip = 2 * width
        self.first = nn.Linear(TAPS, width)
        channels, height, columns = shape
        self.row = nn.Parameter(torch.zeros(height, 1, width))
        self.column = nn.Parameter(torch.zeros(columns, 1, width))
        self.channel = nn.Parameter(torch.zeros(channels, width))
        dilations = [2**i for i in range(depth)] * stacks
        self.layers = nn.ModuleList(
            GatedLayer(width, skip, dilation, classes, last=number == len(dilations))
            for number, dilation in enumerate(dilations, start=1)
        )
        self.bias = nn.Parameter(torch.zeros(skip))
        self.hidden = nn.Conv1d(skip, skip, 1)
        self.last = nn.Conv1d(skip, parameters, 1)

    def places(self) -> Tensor:
        """Return what each value is told of its row, column and channel, ``(T, 1, width)``; a sequence has none."""
        return rearrange(self.row[:, None] + self.column + self.channel, "y x c f -> (y x c) 1 f")

    def gated_layers(self) -> list[GatedLayer]:
        """Return the layers, from the first on."""
        return cast("list[GatedLayer]", list(self.layers))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map images ``(B, C, H, W)`` on [-1, 1] to all pixels' parameters, ``(B, P, H, W)``."""
        n, _, height, width = x.shape
        values = rearrange(x, "n c y x -> (y x c) n")
        before = F.pad(values, (0, 0, TAPS, 0))  # a value sees the two before it, never itself
        x = self.first(torch.stack([before[start : start + len(values)] for start in range(TAPS)], -1))
        x = x + self.places()
        handed: Tensor = self.bias
        for layer in self.gated_layers():
            z = layer(x, labels)
            handed = torch.addmm(handed, z.flatten(0, 1), layer.skip)
            if layer.residual is not None:
                x = x + z @ layer.residual
        handed = rearrange(handed, "(y x c n) f -> (n c) f (y x)", y=height, x=width, n=n)
        parameters = self.last(F.relu(self.hidden(F.relu(handed))))
        return rearrange(parameters, "(n c) k (y x) -> n (c k) y x", n=n, y=height)

    @torch.no_grad()
    def columns(self, n: int, labels: Tensor | None = None) -> WaveNetColumns:
        """Return the same network, value by value, for ``n`` images."""
        return WaveNetColumns(self, n, labels)


class WaveNetColumns:
    """WaveNet computed value by value: every layer keeps its last ``d`` inputs and makes two small products."""

    def __init__(self, network: WaveNet, n: int, labels: Tensor | None) -> None:
        channels, _, columns = network.shape
        self.pixel = channels
        self.line = columns * channels
        self.width = network.width
        first = network.first
        layers = network.gated_layers()
        self.before = first.weight.new_zeros(n, TAPS)
        self.begin = first.bias + network.places()
        self.first = first.weight.T
        # a place of the ring holds the input of d steps ago beside room for the one of now: what is multiplied
        self.rings = [first.weight.new_zeros(layer.dilation, n, TAPS * self.width).unbind(0) for layer in layers]
        self.gates = [(layer.biases(labels).expand(n, -1), layer.gates.weight.T.contiguous()) for layer in layers]
        self.residuals = [layer.residual for layer in layers]
        self.z = first.weight.new_zeros(n, len(layers), self.width)
        self.skip = torch.cat([layer.skip for layer in layers])  # all of them at once, in the end
        self.bias = network.bias
        self.head = [
            (cast("Tensor", conv.bias), conv.weight[:, :, 0].T.contiguous()) for conv in (network.hidden, network.last)
        ]

    def read(self, y: int, x: int, channel: int) -> Tensor:
        """Return the parameters of one channel at a pixel, ``(n, K)``."""
        time = y * self.line + x * self.pixel + channel
        h = self.width
        features = torch.addmm(self.begin[time], self.before, self.first)
        for index, (ring, (bias, weight), residual) in enumerate(
            zip(self.rings, self.gates, self.residuals, strict=True)
        ):
            place = ring[time % len(ring)]
            place[:, h:] = features
            z = gated(torch.addmm(bias, place, weight))
            place[:, :h] = features
            self.z[:, index] = z
            if residual is not None:
                features = torch.addmm(features, z, residual)
        features = torch.addmm(self.bias, self.z.flatten(1), self.skip)
        for bias, weight in self.head:
            features = torch.addmm(bias, features.relu(), weight)
        return features

    def write(self, y: int, x: int, channel: int, values: Tensor) -> None:
        """Take a channel's values ``(n,)`` on [-1, 1]."""
        self.before = torch.stack([self.before[:, 1], values], -1)


def wavenet(
    spec: DataSpec,
    *,
    width: int = 32,
    depth: int | None = None,
    stacks: int = 1,
    lr: float = 1.2e-2,
    conditional: bool = False,
    sampler: str = "cached",
    temperature: float = 1.0,
    micro_batch: int | None = None,
) -> AutoregressiveModel:
    """Build WaveNet over the raster sequence of an image's values, with a softmax over the levels (1609.03499).

    Left to itself, a stack has as many layers as it takes for a value to see all that came before it: ten, up to a
    dilation of 512, for 28×28 values of one channel, twelve for 32×32 of three. The row above, ``W·C`` values back, is
    always inside.

    Differs from the paper in size (there 30 layers and more), in what it takes (values on [-1, 1], ordered as levels
    of grey are, where the paper takes one-hot levels of sound on a μ-law scale; so gradients by the input exist), in
    where it begins (the last layer is zero but for its bias, the logarithms of the levels' frequencies), and
    in that the first layer is told the row, the column and the channel of every value (a local condition, section
    2.5), since a raster sequence has neither edges nor colours.

    Args:
        spec: any shape and levels.
        width: features of a layer.
        depth: layers a stack, with dilations ``1, 2, 4, …, 2^(depth-1)``; None: all that came before is seen.
        stacks: how often the dilations are run through.
        lr: the learning rate.
        conditional: whether it is told the label, which adds a bias in every gate (global conditioning).
        sampler: the sampler: ``"cached"``, ``"fixed-point"`` or ``"naive"``.
        temperature: divides the logits in sampling; 1 draws from the model.
        micro_batch: images passed at a time in training, whose activations alone are kept; None: the whole batch.

    Raises:
        ValueError: for options out of range, or labels that the data do not have.
    """
    if depth is None:
        depth = layers_to_cover(spec.dimensions)
    whole(1, width=width, depth=depth, stacks=stacks)
    output = Categorical(spec.levels)
    network = WaveNet(spec.shape, width, depth, stacks, spec.levels, spec.classes if conditional else 0)
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
