"""Residual networks for the game, after spectral normalisation's (1802.05957, appendix B), sized by the image's shape.

Scales and channels are those of ``dcgan.py``: a block for each halving, or one at full resolution where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from families.adversarial.conditional_norm import Conditional, Layers
from families.adversarial.dcgan import Norm
from families.adversarial.networks import ImageCritic, MapGenerator
from families.layers.attention import Attention, attention_scale
from families.layers.options import whole
from families.layers.scaling import halved, scales


class Residual(Conditional):
    """A block ``path(x) + skip(x)``, with one condition for all of the path."""

    def __init__(self, path: Layers, skip: nn.Module) -> None:
        super().__init__()
        self.path, self.skip = path, skip

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map ``(B, C, H, W)`` and its condition → map."""
        return self.path(x, (condition,)) + self.skip(x)


def up(into: int, out: int, norm: Norm, sides: Sequence[int] | None) -> Residual:
    """Make a generator's block: norm, ReLU, double, 3×3, norm, ReLU, 3×3; a 1×1 convolution beside it.

    Every place is repeated twice along both sides, but for the last one where ``sides`` are odd; with None for sides
    the map keeps its own. No biases: the batch normalisation behind the last block would take them out again.
    """

    def enlarge() -> nn.Module:
        return nn.Identity() if sides is None else nn.Upsample(tuple(sides))

    first, second = (nn.Conv2d(c, out, 3, padding=1, bias=False) for c in (into, out))
    path = Layers(norm(into), nn.ReLU(), enlarge(), first, norm(out), nn.ReLU(), second)
    return Residual(path, nn.Sequential(nn.Conv2d(into, out, 1, bias=False), enlarge()))


def down(into: int, out: int, norm: Norm, *, halve: bool, first: bool = False) -> Residual:
    """Make a critic's block: norm, ReLU, 3×3, norm, ReLU, 3×3, mean of each 2×2; beside it the mean and a 1×1.

    At the end of an odd side the mean is of what is left. The first block reads the image, with no norm and ReLU before
    it. Where size and channels stay, so does x itself.
    """

    def smaller() -> nn.Module:
        return nn.AvgPool2d(2, ceil_mode=True) if halve else nn.Identity()

    wide = out if first else into
    head = [] if first else [norm(into), nn.ReLU()]
    body = [nn.Conv2d(into, wide, 3, padding=1), norm(wide), nn.ReLU(), nn.Conv2d(wide, out, 3, padding=1)]
    skip = nn.Identity() if into == out and not halve else nn.Sequential(smaller(), nn.Conv2d(into, out, 1))
    return Residual(Layers(*head, *body, smaller()), skip)


class Generator(MapGenerator):
    """A generator: projection to the coarsest map, a block for each doubling, batch norm, ReLU, 3×3 convolution, tanh.

    Args:
        shape: the shape ``(C, H, W)``.
        features: size of what the projection takes.
        width: channels at full resolution, twice as many with every halving but the last.
        norm: a function that makes the normalisation of the blocks.
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
        super().__init__(shape, features, width, bias=True)
        into, doublings = self.base[0], self.doublings
        attended, layers = attention_scale(*shape[1:]) if attention else None, list[nn.Module]()
        for scale in range(doublings, 0, -1) if doublings else (0,):
            if scale == attended:
                layers.append(Attention(into))
            out = width * 2 ** max(scale - 1, 0)
            layers.append(up(into, out, norm, halved(shape[1:], scale - 1) if doublings else None))
            into = out
        last = nn.Conv2d(width, shape[0], 3, padding=1)
        self.layers = Layers(*layers, nn.BatchNorm2d(width), nn.ReLU(), last, nn.Tanh())
        self.apply(glorot)


class SumOverPlaces(nn.Module):
    """Map ``(B, C, H, W)`` → ``(B, C)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum over places."""
        return x.sum((2, 3))


class Critic(ImageCritic):
    """A critic: a block for each halving, one at the coarsest map, ReLU, sum over places, then one linear logit.

    Args:
        shape: the shape ``(C, H, W)``.
        width: channels at half the resolution.
        norm: a function that makes the normalisation before every convolution of the blocks but the first.
        attention: whether the map at half the resolution attends to itself.

    Attributes:
        features: channels F of the coarsest map.

    Raises:
        ValueError: for a width below 1.
    """

    setting = "residual networks"

    def __init__(
        self, shape: tuple[int, int, int], width: int, norm: Norm = nn.BatchNorm2d, attention: bool = False
    ) -> None:
        super().__init__()
        whole(1, width=width)
        times = scales(*shape[1:])
        attended = attention_scale(*shape[1:]) if attention else None
        into, layers = shape[0], list[nn.Module]()
        for scale in range(1, times + 1) if times else (0,):
            out = width * 2 ** max(scale - 1, 0)
            layers.append(down(into, out, norm, halve=times > 0, first=not layers))
            if scale == attended:
                layers.append(Attention(out))
            into = out
        self.layers = Layers(*layers, down(into, into, norm, halve=False), nn.ReLU(), SumOverPlaces())
        self.features = into
        self.logit = nn.Linear(into, 1, bias=False)  # a game of differences could not learn one
        self.apply(glorot)


def glorot(module: nn.Module) -> None:
    """Initialise as Glorot, √2 times as wide for 3×3 convolutions, biases 0; for ``nn.Module.apply``."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        before_relu = isinstance(module, nn.Conv2d) and module.kernel_size != (1, 1)
        nn.init.xavier_uniform_(module.weight, gain=math.sqrt(2) if before_relu else 1.0)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
