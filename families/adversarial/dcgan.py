"""The generator and the critic that every objective shares, after DCGAN (1511.06434), sized by the image's shape.

Images are on [-1, 1]. Halving the shorter side as often as it stays at least 4 gives the scales: 28 → 14 → 7,
32 → 16 → 8 → 4, and none for a 2×2 image, whose networks keep one resolution. An odd side is halved with rounding up
and doubled back to what it was. Channels double with each halving.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from families.adversarial.conditional_norm import Layers
from families.adversarial.networks import ImageCritic, MapGenerator
from families.layers.attention import Attention, attention_scale
from families.layers.convolutional import doubling, halving
from families.layers.options import whole
from families.layers.scaling import halved, scales

Norm = Callable[[int], nn.Module]


def unnormalised(channels: int) -> nn.Module:
    """Return what normalises nothing, for critics whose gradient at one image must not depend on the others."""
    return nn.Identity()


class Generator(MapGenerator):
    """A projection to the coarsest map, then transposed 4×4 convolutions that double it.

    Batch normalisation (momentum 0.1) and ReLU follow every layer but the last; tanh follows the last.

    Args:
        shape: the shape ``(C, H, W)``.
        features: size of what the projection takes.
        width: channels at half the resolution.
        norm: a function that makes the normalisation.
        attention: whether the map at half the resolution attends to itself.

    Raises:
        ValueError: for a width below 1.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        features: int,
        width: int,
        norm: Norm = nn.BatchNorm2d,
        attention: bool = False,
    ) -> None:
        super().__init__(shape, features, width, bias=False)
        channels, coarse = shape[0], self.base[0]
        attended = attention_scale(*shape[1:]) if attention else None
        layers: list[nn.Module] = [norm(coarse), nn.ReLU()]
        if self.doublings == attended:
            layers.append(Attention(coarse))
        for scale in range(self.doublings - 1, 0, -1):
            into = width * 2 ** (scale - 1)
            up = doubling(2 * into, into, halved(shape[1:], scale), bias=False)
            layers += [up, norm(into), nn.ReLU()]
            if scale == attended:
                layers.append(Attention(into))
        if self.doublings:
            layers.append(doubling(width, channels, shape[1:]))
        else:
            layers.append(nn.Conv2d(width, channels, 3, padding=1))
        self.layers = Layers(*layers, nn.Tanh())
        self.apply(dcgan_init)


class Critic(ImageCritic):
    """Strided 4×4 convolutions with LeakyReLU(0.2) down to the coarsest map, then one linear logit.

    Args:
        shape: the shape ``(C, H, W)``.
        width: channels at half the resolution.
        norm: a function that makes the normalisation behind every convolution but the first.
        attention: whether the map at half the resolution attends to itself.

    Attributes:
        features: size F of the flattened coarsest map.

    Raises:
        ValueError: for a width below 1.
    """

    def __init__(
        self, shape: tuple[int, int, int], width: int, norm: Norm = nn.BatchNorm2d, attention: bool = False
    ) -> None:
        super().__init__()
        whole(1, width=width)
        channels, *sides = shape
        times = scales(*sides)
        first = halving(channels, width, sides) if times else nn.Conv2d(channels, width, 3, padding=1)
        attended = attention_scale(*sides) if attention else None
        layers: list[nn.Module] = [first, nn.LeakyReLU(0.2)]
        if min(times, 1) == attended:
            layers.append(Attention(width))
        for scale in range(1, times):
            out = width * 2**scale
            layers += [halving(out // 2, out, halved(sides, scale)), norm(out), nn.LeakyReLU(0.2)]
            if scale + 1 == attended:
                layers.append(Attention(out))
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.places = math.prod(halved(sides, times))
        self.features = width * 2 ** max(times - 1, 0) * self.places
        self.logit = nn.Linear(self.features, 1, bias=False)  # a game of differences could not learn one
        self.apply(dcgan_init)


@torch.no_grad()
def dcgan_init(module: nn.Module) -> None:
    """Draw weights from N(0, 0.02²), batch normalisation's scale from N(1, 0.02²); for ``nn.Module.apply``."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)
