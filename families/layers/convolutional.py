"""Convolutional networks between images and codes, sized by how often the image's sides halve: 28 → 14 → 7."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from torch import Tensor, nn

from families.layers.scaling import halvings

WIDEST = 4  # features grow with every halving up to this multiple of the width, where most of the parameters would sit


Layer = TypeVar("Layer", bound=nn.Conv2d | nn.ConvTranspose2d | nn.Linear)


def he(layer: Layer) -> Layer:
    """Return the layer with He's initialisation and biases of zero.

    PyTorch's own loses about half of the signal at every layer: a decoder begins all but deaf to its code.
    """
    fan = layer.weight[0].numel()
    if isinstance(layer, nn.ConvTranspose2d):  # where kernels overlap, an output gathers inputs × kernel² / stride²
        fan = layer.in_channels * math.prod(layer.kernel_size) // math.prod(layer.stride)
    nn.init.normal_(layer.weight, std=math.sqrt(2 / fan))
    return _unbiased(layer)


def silent(layer: Layer) -> Layer:
    """Return the layer with weights and biases at zero, so that it says nothing to begin with."""
    nn.init.zeros_(layer.weight)
    return _unbiased(layer)


def _unbiased(layer: Layer) -> Layer:
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
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
    return [width * min(2**scale, WIDEST) for scale in range(halvings(*shape[1:]) + 1)]


class ImageEncoder(nn.Module):
    """A network from images to vectors ``(B, outputs)``: convolutions that halve, residual blocks behind each.

    Args:
        shape: the image's, ``(C, H, W)``.
        width: features at the image's scale.
        depth: residual blocks a scale.
        outputs: numbers an image.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, depth: int, outputs: int) -> None:
        super().__init__()
        features = widths(shape, width)
        layers: list[nn.Module] = [he(nn.Conv2d(shape[0], features[0], 3, padding=1))]
        for scale, own in enumerate(features):
            if scale:
                layers += [nn.SiLU(), he(nn.Conv2d(features[scale - 1], own, 4, stride=2, padding=1))]
                layers += [ResidualBlock(own) for _ in range(depth)]
        height, breadth = (side >> (len(features) - 1) for side in shape[1:])
        last = he(nn.Linear(features[-1] * height * breadth, outputs))
        self.layers = nn.Sequential(*layers, nn.SiLU(), nn.Flatten(), last)

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
        height, breadth = (side >> (len(features) - 1) for side in shape[1:])
        layers: list[nn.Module] = [
            he(nn.Linear(inputs, features[0] * height * breadth)),
            nn.Unflatten(1, (features[0], height, breadth)),
        ]
        for scale, own in enumerate(features):
            if scale:
                layers += [nn.SiLU(), he(nn.ConvTranspose2d(features[scale - 1], own, 4, stride=2, padding=1))]
            if scale < len(features) - 1:
                layers += [ResidualBlock(own) for _ in range(depth)]
        self.layers = nn.Sequential(*layers, nn.SiLU(), he(nn.Conv2d(features[-1], outputs, 3, padding=1)))

    def forward(self, z: Tensor) -> Tensor:
        """Map vectors ``(B, inputs)`` to maps ``(B, outputs, H, W)``."""
        return self.layers(z)
