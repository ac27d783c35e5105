"""Progressive growing: networks that begin at the coarsest sides and get a block at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from families.adversarial.augment import augmentation
from families.adversarial.losses import WASSERSTEIN
from families.adversarial.penalties import GradientPenalty
from families.adversarial.terms import GameStep, GameView, Term
from families.gan.builder import GANBuilder, gan_recipe
from families.gan.growth import GrowingGAN, GrowingNetwork, Stage, growth
from families.layers.equalised import GAIN, EqualisedConv2d, EqualisedLinear
from families.layers.growing import Blur, MinibatchDeviation, PixelNorm, down, faded, pixel_norm, up
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


class Generator(GrowingNetwork):
    """A generator that grows: a dense layer to the coarsest map, then two convolutions a level (1710.10196, table 2).

    Args:
        shape: the shape ``(C, H, W)``.
        latents: the size of the code.
        levels: the number of levels.
        width: channels at the finest.
    """

    def __init__(self, shape: tuple[int, int, int], latents: int, levels: int, width: int) -> None:
        super().__init__()
        whole(1, width=width)
        sizes = channels(levels, width)
        base = (sizes[0], *(side >> (levels - 1) for side in shape[1:]))
        start = EqualisedLinear(latents, math.prod(base), gain=GAIN / 4)
        first = nn.Sequential(start, nn.Unflatten(1, base), nn.LeakyReLU(0.2), PixelNorm())
        self.blocks = nn.ModuleList([nn.Sequential(*first, *convolved(sizes[0], sizes[0], norm=True))])
        for into, out in itertools.pairwise(sizes):
            layers = [*convolved(into, out, norm=True), *convolved(out, out, norm=True)]
            self.blocks.append(nn.Sequential(nn.Upsample(scale_factor=2), *layers))
        self.to_rgb = nn.ModuleList(EqualisedConv2d(size, shape[0], 1, gain=1.0) for size in sizes)

    def forward(self, code: Tensor, level: int, alpha: float) -> Tensor:
        """Map codes ``(B, Z)`` to images of a level, as far faded in."""
        x = pixel_norm(code)
        below = x
        for block in self.blocks[: level + 1]:
            below, x = x, block(x)
        images = self.to_rgb[level](x)
        if level == 0 or alpha == 1:
            return images
        return faded(up(self.to_rgb[level - 1](below)), images, alpha)

    def used(self, level: int, fading: bool) -> Sequence[nn.Module]:
        """Return the blocks up to ``level`` and what makes images of the last, of the last two where it fades in."""
        return [*self.blocks[: level + 1], *self.to_rgb[level - fading : level + 1]]


class Critic(GrowingNetwork):
    """A critic that grows: two convolutions and a halving a level, then the minibatch's deviation and dense layers.

    Args:
        shape: the shape ``(C, H, W)``.
        levels: the number of levels.
        width: channels at the finest.
        first: the level that growth begins with: coarser images are never read.
        blurred: whether maps are blurred before they are halved.
    """

    def __init__(
        self, shape: tuple[int, int, int], levels: int, width: int, *, first: int = 0, blurred: bool = False
    ) -> None:
        super().__init__()
        self.first = first
        sizes = channels(levels, width)
        base = sizes[0] * math.prod(side >> (levels - 1) for side in shape[1:])
        last = [
            MinibatchDeviation(),
            *convolved(sizes[0] + 1, sizes[0], norm=False),
            nn.Flatten(),
            EqualisedLinear(base, sizes[0]),
            nn.LeakyReLU(0.2),
            EqualisedLinear(sizes[0], 1, gain=1.0),
        ]
        self.blocks = nn.ModuleList([nn.Sequential(*last)])
        for coarser, own in itertools.pairwise(sizes):
            blur = [Blur()] if blurred else []
            layers = [*convolved(own, own, norm=False), *blur, *convolved(own, coarser, norm=False)]
            self.blocks.append(nn.Sequential(*layers, nn.AvgPool2d(2)))
        self.from_rgb = nn.ModuleList(
            nn.Sequential(EqualisedConv2d(shape[0], size, 1), nn.LeakyReLU(0.2)) for size in sizes[first:]
        )

    def forward(self, images: Tensor, level: int, alpha: float) -> Tensor:
        """Map images of a level, as far faded in, to logits ``(B,)``."""
        read = self.from_rgb[level - self.first]
        x = read(images)
        for place in range(level, -1, -1):
            x = self.blocks[place](x)
            if place == level > self.first and alpha < 1:
                x = faded(self.from_rgb[level - self.first - 1](down(images)), x, alpha)
        return x[:, 0]

    def used(self, level: int, fading: bool) -> Sequence[nn.Module]:
        """Return the blocks from ``level`` down and what reads images of the first, of the first two as it fades in."""
        end = level - self.first + 1
        return [*self.blocks[: level + 1], *self.from_rgb[end - 1 - fading : end]]


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

    @property
    def setting(self) -> str:
        """What the recipe prescribes beside its loss, for a column of the table."""
        rule = self.optimizer([Parameter(torch.zeros(1))])
        betas = " ".join(f"{beta:g}" for beta in rule.defaults["betas"])
        parts = [f"grown in {len(self.stages)} phases", "equalised rates, pixel norm, minibatch deviation"]
        parts += [f"Adam {rule.defaults['lr']:g}, β {betas}"]
        own = (self.penalty, *self.terms, self.augment)
        parts += [text for part in own if (text := getattr(part, "setting", ""))]
        return "; ".join([*parts, *(["no average"] if self.average is None else [])])


@gan_recipe(own_networks=True, lr=1e-3, width=16)
def pggan(builder: GANBuilder, *, penalty: float = 10.0, drift: float = 1e-3, growing: bool = True) -> ImplicitModel:
    """Progressive growing of GANs (1710.10196): from the coarsest sides to the data's, each level faded in.

    The critic minimises ``E C(y) - E C(x) + 10 E (‖∇C(x̂)‖ - 1)² + 0.001 E C(x)²``, the generator ``-E C(y)``; real
    images fade as fakes do. Pixel norm in the generator, the minibatch's deviation in the critic, equalised rates in
    both, no tanh.

    Departures: as many levels as the sides halve, 28 → 14 → 7, and shares of a budget where the paper has numbers of
    images; batches of one size; an average of decay 0.99, where its runs of weeks have 0.999.

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
    return PGGAN(
        builder.spec,
        Generator(builder.spec.shape, builder.latents, levels, builder.width),
        Critic(builder.spec.shape, levels, builder.width),
        builder.latents,
        stages=stages,
        finest=levels - 1,
        loss=WASSERSTEIN,
        penalty=GradientPenalty(penalty),
        terms=[Drift(drift)] if drift else [],
        optimizer=partial(ADAM, lr=builder.lr),
        critic_optimizer=partial(ADAM, lr=builder.critic_lr or builder.lr),
        critic_steps=builder.critic_steps,
        average=builder.average,
        augment=augmentation(builder.augment),
    )
