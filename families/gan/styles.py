"""The networks of a style-based generator: mapping, styled layers, and a synthesis that grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.gan.growth import GrowingGenerator
from families.gan.pggan import channels
from families.layers.equalised import EqualisedConv2d, EqualisedLinear
from families.layers.growing import EPSILON, Blur, pixel_norm, up
from families.layers.options import one_of, positive, whole

STARTS = ("ones", "noise")
PER_LEVEL = 2  # layers of a level


@dataclass(frozen=True)
class Styles:
    """What a pass takes beside its noise: which code styles which layer, and how near to the mean.

    Args:
        other: codes z ``(B, Z)`` whose styles the layers from ``cut`` on take, if there are any.
        cut: the first layer of ``other``.
        mean: w̄ ``(W,)``, towards which styles are drawn, if they are.
        psi: ψ of ``w̄ + ψ (w - w̄)``.
        truncated: how many layers, from the first, are drawn there; None for all.
        mapped: styles w ``(B, W)`` in place of what z is mapped to.
    """

    other: Tensor | None = None
    cut: int = 0
    mean: Tensor | None = None
    psi: float = 1.0
    truncated: int | None = None
    mapped: Tensor | None = None


class Constant(nn.Module):
    """A map that is learned, where other generators have a code.

    Args:
        channels: channels.
        sides: height and width.
        start: ``"ones"`` to begin with, in which no place is unlike another, or ``"noise"``, N(0, 1).

    Raises:
        ValueError: for another start.
    """

    def __init__(self, channels: int, sides: Sequence[int], start: str) -> None:
        super().__init__()
        one_of(STARTS, constant=start)
        shape = (1, channels, *sides)
        self.start = start
        self.map = nn.Parameter(torch.ones(shape) if start == "ones" else torch.randn(shape))

    def forward(self, n: int) -> Tensor:
        """Return the map ``n`` times, ``(n, C, H, W)``."""
        return self.map.expand(n, -1, -1, -1)


def instance_norm(x: Tensor) -> Tensor:
    """Return maps of mean 0 and variance 1 each; one of a single place, which torch's own refuses, becomes 0."""
    centred = x - x.mean((2, 3), keepdim=True)
    return centred * torch.rsqrt(centred.square().mean((2, 3), keepdim=True) + EPSILON)


class StyledLayer(nn.Module):
    """A layer of the synthesis: convolution, noise, bias, rectifier, instance norm, then the style's scale and shift.

    Args:
        into: channels that come in; 0 for the layer that has the constant in place of a convolution.
        out: channels that go out.
        styles: the size W of w.
        larger: whether maps are enlarged and blurred here.
        noise: whether a plane of noise is added here.
    """

    def __init__(self, into: int, out: int, styles: int, *, larger: bool, noise: bool) -> None:
        super().__init__()
        self.convolution = EqualisedConv2d(into, out, 3, bias=False) if into else None
        self.blur = Blur() if larger else None
        self.strength = nn.Parameter(torch.zeros(out)) if noise else None
        self.bias = nn.Parameter(torch.zeros(out))
        self.style = EqualisedLinear(styles, 2 * out, gain=1.0)

    def forward(self, x: Tensor, plane: Tensor | None, w: Tensor) -> Tensor:
        """Map maps ``(B, C, H, W)``, a plane of noise ``(B, 1, H', W')`` and styles ``(B, W)`` to maps ``(B, …)``."""
        if self.convolution is not None:
            x = self.convolution(x if self.blur is None else up(x))
        if self.blur is not None:
            x = self.blur(x)
        if self.strength is not None and plane is not None:
            x = x + self.strength[:, None, None] * plane
        x = x + self.bias[:, None, None]
        return self.styled(instance_norm(F.leaky_relu(x, 0.2)), w)

    def styled(self, x: Tensor, w: Tensor) -> Tensor:
        """Return ``x (1 + a) + b`` with a and b read from the style."""
        scale, shift = self.style(w)[:, :, None, None].chunk(2, 1)
        return x * (1 + scale) + shift


class StyleGenerator(GrowingGenerator):
    """A mapping of z to styles, and a synthesis that grows.

    Args:
        shape: the shape ``(C, H, W)``.
        latents: the size of z and of w.
        levels: the number of levels.
        width: channels at the finest.
        first: the level that growth begins with.
        mapping: dense layers from z to w.
        slow: their rate beside the synthesis's.
        constant: how the constant begins.
        noise: whether every layer has a plane of noise.

    Attributes:
        sizes: the parts of the noise: z, then a plane a layer, if they have one.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        latents: int,
        levels: int,
        width: int,
        first: int,
        *,
        mapping: int = 8,
        slow: float = 0.01,
        constant: str = "ones",
        noise: bool = True,
    ) -> None:
        super().__init__(first)
        whole(1, width=width, mapping=mapping)
        positive(slow=slow)
        sizes = channels(levels, width)
        self.sides = [[side >> (levels - 1 - level) for side in shape[1:]] for level in range(levels)]
        self.noise = noise
        self.sizes = [latents, *(math.prod(sides) for sides in self.sides for _ in range(PER_LEVEL if noise else 0))]
        dense = [EqualisedLinear(latents, latents, rate=slow) for _ in range(mapping)]
        self.mapping = nn.Sequential(*(part for layer in dense for part in (layer, nn.LeakyReLU(0.2))))
        self.constant = Constant(sizes[0], self.sides[0], constant)
        self.levels = nn.ModuleList()
        for level, own in enumerate(sizes):
            into = sizes[level - 1] if level else 0
            start = StyledLayer(into, own, latents, larger=level > 0, noise=noise)
            self.levels.append(nn.ModuleList([start, StyledLayer(own, own, latents, larger=False, noise=noise)]))
        self.ends = nn.ModuleList(EqualisedConv2d(size, shape[0], 1, gain=1.0) for size in sizes[first:])

    def mapped(self, z: Tensor) -> Tensor:
        """Map codes z ``(B, Z)`` to styles w ``(B, W)``."""
        return self.mapping(pixel_norm(z))

    def forward(self, u: Tensor, level: int, alpha: float, styles: Styles | None = None) -> Tensor:
        """Map noise ``(B, …)``, of the parts :attr:`sizes`, to images of a level, as far faded in."""
        how = styles or Styles()
        z, *planes = u.split(self.sizes, 1)
        w = self.mapped(z) if how.mapped is None else how.mapped
        other = None if how.other is None else self.mapped(how.other)
        x = self.constant(len(u))
        below = x
        for place in range(PER_LEVEL * (level + 1)):
            at, within = divmod(place, PER_LEVEL)
            below = x if within == 0 else below
            own = w if other is None or place < how.cut else other
            if how.mean is not None and (how.truncated is None or place < how.truncated):
                own = torch.lerp(how.mean.to(own), own, how.psi)
            layers: Any = self.levels[at]
            plane = planes[place].unflatten(1, (1, *self.sides[at])) if self.noise else None
            x = layers[within](x, plane, own)
        return self.image(x, below, level, alpha)

    def body(self, level: int) -> Sequence[nn.Module]:
        """Return the mapping, the constant, and the layers up to ``level``."""
        return [self.mapping, self.constant, *self.levels[: level + 1]]
