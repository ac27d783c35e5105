"""Convolutional networks between images and codes, sized by how often the image's sides halve: 28 → 14 → 7.

An odd side is halved with rounding up and doubled back to what it was: 13 → 7 → 13.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from torch import Tensor, nn

from families.layers.scaling import halved, scales

WIDEST = 4  # features grow with every halving up to this multiple of the width, where most of the parameters would sit


Layer = TypeVar("Layer", bound=nn.Conv2d | nn.ConvTranspose2d | nn.Linear)


def he(layer: Layer) -> Layer:
    """Return the layer with He's initialisation and biases of zero.

    PyTorch's own loses about half of the signal at every layer: a decoder begins all but deaf to its code.
    """
    nn.init.normal_(layer.weight, std=math.sqrt(2 / _fan_in(layer)))
    return _unbiased(layer)


def _fan_in(layer: Layer) -> int:
    """Return how many inputs an output gathers; where kernels overlap, inputs × kernel² / stride²."""
    if isinstance(layer, nn.ConvTranspose2d):
        return layer.in_channels * math.prod(layer.kernel_size) // math.prod(layer.stride)
    return layer.weight[0].numel()


def faint(layer: Layer, share: float = 0.1) -> Layer:
    """Return the layer with a share of He's weights and biases of zero: the last of a network that begins near zero."""
    he(layer)
    layer.weight.data.mul_(share)
    return layer


def silent(layer: Layer) -> Layer:
    """Return the layer with weights and biases at zero, so that it says nothing to begin with."""
    nn.init.zeros_(layer.weight)
    return _unbiased(layer)


def _unbiased(layer: Layer) -> Layer:
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def halving(into: int, out: int, sides: Sequence[int], *, bias: bool = True) -> nn.Conv2d:
    """Make a 4×4 convolution of stride 2 from maps of these sides to maps of half of them, rounded up.

    Args:
        into: channels that come in.
        out: channels that go out.
        sides: height and width of the larger maps.
        bias: whether it has one.
    """
    rows, columns = (side % 2 for side in sides)
    return nn.Conv2d(into, out, 4, stride=2, padding=(1 + rows, 1 + columns), bias=bias)


def doubling(into: int, out: int, sides: Sequence[int], *, bias: bool = True) -> nn.ConvTranspose2d:
    """Make a transposed 4×4 convolution of stride 2, from the maps that :func:`halving` makes back to these sides.

    It starts as PyTorch's other layers do, by the inputs that an output gathers. Of a transposed convolution PyTorch
    counts its outputs × kernel² instead: the last layer of a network, of 64 maps one, would start four times as large.

    Args:
        into: channels that come in.
        out: channels that go out.
        sides: height and width of the larger maps.
        bias: whether it has one.
    """
    rows, columns = (side % 2 for side in sides)
    padding = (1 + rows, 1 + columns)
    layer = nn.ConvTranspose2d(into, out, 4, stride=2, padding=padding, output_padding=(rows, columns), bias=bias)
    counted = layer.weight[0].numel()
    for parameter in layer.parameters():
        parameter.data.mul_(math.sqrt(counted / _fan_in(layer)))
    return layer


class ResidualBlock(nn.Module):
    """``x + conv(silu(conv(silu(x))))``, 3×3, with the second convolution at zero to begin with."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first = nn.Conv2d(width, width, 3, padding=1)
        last = nn.Conv2d(width, width, 3, padding=1)
        self.inner = nn.Sequential(nn.SiLU(), he(first), nn.SiLU(), silent(last))

    def forward(self, x: Tensor) -> Tensor:
        """Map features ``(B, width, H, W)`` to as many."""
        return x + self.inner(x)


def widths(shape: tuple[int, int, int], width: int) -> Sequence[int]:
    """Return how many features each scale has, from the image's down."""
    return [width * min(2**scale, WIDEST) for scale in range(scales(*shape[1:]) + 1)]


class ImageEncoder(nn.Module):
    """A network from images to vectors ``(B, outputs)``: convolutions that halve, residual blocks behind each.

    Args:
        shape: the image's, ``(C, H, W)``.
        width: features at the image's scale.
        depth: residual blocks a scale.
        outputs: numbers an image.
        last: how the last layer begins.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        width: int,
        depth: int,
        outputs: int,
        last: Callable[[nn.Linear], nn.Linear] = faint,
    ) -> None:
        super().__init__()
        features = widths(shape, width)
        layers: list[nn.Module] = [he(nn.Conv2d(shape[0], features[0], 3, padding=1))]
        for scale, own in enumerate(features):
            if scale:
                layers += [nn.SiLU(), he(halving(features[scale - 1], own, halved(shape[1:], scale - 1)))]
                layers += [ResidualBlock(own) for _ in range(depth)]
        height, breadth = halved(shape[1:], len(features) - 1)
        vectors = last(nn.Linear(features[-1] * height * breadth, outputs))
        self.layers = nn.Sequential(*layers, nn.SiLU(), nn.Flatten(), vectors)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(B, C, H, W)`` on [-1, 1] to vectors ``(B, outputs)``."""
        return self.layers(x)


class ImageDecoder(nn.Module):
    """A network from vectors to maps ``(B, outputs, H, W)``: the encoder's scales the other way round.

    Args:
        inputs: numbers a vector.
        shape: the image's, ``(C, H, W)``; its channels play no part.
        width: features at the image's scale.
        depth: residual blocks a scale.
        outputs: numbers a pixel.
    """

    def __init__(self, inputs: int, shape: tuple[int, int, int], width: int, depth: int, outputs: int) -> None:
        super().__init__()
        features = widths(shape, width)[::-1]
        coarsest = len(features) - 1
        height, breadth = halved(shape[1:], coarsest)
        layers: list[nn.Module] = [
            he(nn.Linear(inputs, features[0] * height * breadth)),
            nn.Unflatten(1, (features[0], height, breadth)),
        ]
        for scale, own in enumerate(features):
            if scale:
                layers += [nn.SiLU(), he(doubling(features[scale - 1], own, halved(shape[1:], coarsest - scale)))]
            if scale < coarsest:
                layers += [ResidualBlock(own) for _ in range(depth)]
        self.layers = nn.Sequential(*layers, nn.SiLU(), faint(nn.Conv2d(features[-1], outputs, 3, padding=1)))

    def forward(self, z: Tensor) -> Tensor:
        """Map vectors ``(B, inputs)`` to maps ``(B, outputs, H, W)``."""
        return self.layers(z)
