"""Progressive growing: networks that begin at the coarsest sides and get a block at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from families.adversarial.losses import WASSERSTEIN
from families.adversarial.penalties import GradientPenalty
from families.adversarial.terms import GameStep, GameView, Term
from families.gan.builder import GANBuilder, gan_recipe
from families.gan.growth import GrowingGAN, GrowingGenerator, GrowingNetwork, Stage, growth
from families.layers.equalised import GAIN, EqualisedConv2d, EqualisedLinear
from families.layers.growing import Blur, Down, MinibatchDeviation, PixelNorm, down, faded, pixel_norm
from families.layers.options import positive, positive_or_zero, switch, whole
from families.layers.scaling import halvings
from genbench.implicit import ImplicitModel

WIDEST = 4  # times the width at the finest level: where channels stop doubling
ADAM = partial(torch.optim.Adam, betas=(0.0, 0.99), eps=1e-8)


def channels(levels: int, width: int) -> Sequence[int]:
    """Return how many channels each level has, the coarsest first: doubled with each halving, up to four times."""
    return [width * min(2 ** (levels - 1 - level), WIDEST) for level in range(levels)]


def convolved(into: int, out: int, *, norm: bool) -> Sequence[nn.Module]:
    """Return a 3×3 convolution and its rectifier, with pixel norm behind where ``norm``."""
    layers: list[nn.Module] = [EqualisedConv2d(into, out, 3), nn.LeakyReLU(0.2)]
    return [*layers, PixelNorm()] if norm else layers


class Generator(GrowingGenerator):
    """A generator that grows: a dense layer to the coarsest map, then two convolutions a level (1710.10196, table 2).

    Args:
        shape: the shape ``(C, H, W)``.
        latents: the size of the code.
        levels: the number of levels.
        width: channels at the finest.
        first: the level that growth begins with.
    """

    def __init__(self, shape: tuple[int, int, int], latents: int, levels: int, width: int, first: int) -> None:
        super().__init__(first)
        whole(1, width=width)
        sizes = channels(levels, width)
        base = (sizes[0], *(side >> (levels - 1) for side in shape[1:]))
        start = EqualisedLinear(latents, math.prod(base), gain=GAIN / 4)
        mapped = (start, nn.Unflatten(1, base), nn.LeakyReLU(0.2), PixelNorm())
        self.blocks = nn.ModuleList([nn.Sequential(*mapped, *convolved(sizes[0], sizes[0], norm=True))])
        for into, out in itertools.pairwise(sizes):
            layers = [*convolved(into, out, norm=True), *convolved(out, out, norm=True)]
            self.blocks.append(nn.Sequential(nn.Upsample(scale_factor=2), *layers))
        self.ends = nn.ModuleList(EqualisedConv2d(size, shape[0], 1, gain=1.0) for size in sizes[first:])

    def forward(self, code: Tensor, level: int, alpha: float) -> Tensor:
        """Map codes ``(B, Z)`` to images of a level, as far faded in."""
        x = pixel_norm(code)
        below = x
        for block in self.blocks[: level + 1]:
            below, x = x, block(x)
        return self.image(x, below, level, alpha)

    def body(self, level: int) -> Sequence[nn.Module]:
        """Return the blocks up to ``level``."""
        return list(self.blocks[: level + 1])


class Critic(GrowingNetwork):
    """A critic that grows: two convolutions and a halving a level, then the minibatch's deviation and dense layers.

    Args:
        shape: the shape ``(C, H, W)``.
        levels: the number of levels.
        width: channels at the finest.
        first: the level that growth begins with.
        blurred: whether maps are blurred before they are halved.
        biased: whether the logit has a bias, of no use to a loss of differences alone.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        levels: int,
        width: int,
        first: int,
        *,
        blurred: bool = False,
        biased: bool = True,
    ) -> None:
        super().__init__(first)
        sizes = channels(levels, width)
        base = sizes[0] * math.prod(side >> (levels - 1) for side in shape[1:])
        last = [
            MinibatchDeviation(),
            *convolved(sizes[0] + 1, sizes[0], norm=False),
            nn.Flatten(),
            EqualisedLinear(base, sizes[0]),
            nn.LeakyReLU(0.2),
            EqualisedLinear(sizes[0], 1, gain=1.0, bias=biased),
        ]
        self.blocks = nn.ModuleList([nn.Sequential(*last)])
        for coarser, own in itertools.pairwise(sizes):
            blur = [Blur()] if blurred else []
            layers = [*convolved(own, own, norm=False), *blur, *convolved(own, coarser, norm=False)]
            self.blocks.append(nn.Sequential(*layers, Down()))
        self.ends = nn.ModuleList(
            nn.Sequential(EqualisedConv2d(shape[0], size, 1), nn.LeakyReLU(0.2)) for size in sizes[first:]
        )

    def forward(self, images: Tensor, level: int, alpha: float) -> Tensor:
        """Map images of a level, as far faded in, to logits ``(B,)``."""
        x = self.end(level)(images)
        for place in range(level, -1, -1):
            x = self.blocks[place](x)
            if place == level and self.fades(level, alpha):
                x = faded(self.end(level - 1)(down(images)), x, alpha)
        return x[:, 0]

    def body(self, level: int) -> Sequence[nn.Module]:
        """Return the blocks from ``level`` down."""
        return list(self.blocks[: level + 1])


class Drift(Term):
    """A term of the critic: the mean square of real logits, which a Wasserstein loss leaves free to wander.

    Args:
        weight: the weight of the term.
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    @property
    def setting(self) -> str:
        """What the term is in words, for a column of the table."""
        return f"drift {self.weight:g}"

    def critic(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the term, weighted."""
        return {} if step.real is None else {"drift": self.weight * step.real.logits.square().mean()}


class PGGAN(GrowingGAN):
    """A GAN that grows, of pixel norms and equalised rates."""

    def marks(self) -> Sequence[str]:
        """Return what sets the networks apart, in words."""
        return ["equalised rates, pixel norm, minibatch deviation"]


@gan_recipe(own_networks=True, lr=1e-3, width=16)
def pggan(builder: GANBuilder, *, penalty: float = 10.0, drift: float = 1e-3, growing: bool = True) -> ImplicitModel:
    """Progressive growing of GANs (1710.10196): from the coarsest sides to the data's, each level faded in.

    The critic minimises ``E C(y) - E C(x) + 10 E (‖∇C(x̂)‖ - 1)² + 0.001 E C(x)²``, the generator ``-E C(y)``; real
    images fade as fakes do. Pixel norm in the generator, the minibatch's deviation in the critic, equalised rates in
    both, no tanh.

    Departures: as many levels as the sides halve, 28 → 14 → 7, and shares of a budget where the paper has numbers of
    images; batches of one size; sixteen channels at the finest sides; images clamped to [-1, 1], as real ones are, by
    whose background alone a critic would tell them; an average of decay 0.99, where its runs of weeks have 0.999.

    Args:
        builder: what all recipes share; the networks are the paper's own, ``width`` the channels at full sides.
        penalty: the weight of the gradient penalty.
        drift: the weight of the mean square of real logits.
        growing: whether it grows; without, the last phase takes all of the budget.

    Raises:
        ValueError: for an option out of range.
    """
    positive(penalty=penalty)
    positive_or_zero(drift=drift)
    switch(growing=growing)
    levels = halvings(*builder.spec.shape[1:]) + 1
    stages = growth(levels) if growing else [Stage(levels - 1, False, 1.0)]
    first = stages[0].level
    return PGGAN(
        builder.spec,
        Generator(builder.spec.shape, builder.latents, levels, builder.width, first),
        Critic(builder.spec.shape, levels, builder.width, first, biased=drift > 0),
        builder.latents,
        stages=stages,
        finest=levels - 1,
        loss=WASSERSTEIN,
        penalty=GradientPenalty(penalty),
        terms=[Drift(drift)] if drift else [],
        rules=builder.rules(ADAM),
        directed=builder.latents,
    )
