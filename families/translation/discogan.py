"""Unpaired translation by networks without skips, critics' features that match, and the way there and back."""

from __future__ import annotations

from functools import partial
from typing import cast

import torch
from torch import Generator, Tensor, nn

from families.adversarial.losses import NON_SATURATING, slow_critic, weighted_generator
from families.adversarial.terms import GameStep, GameView, Term
from families.layers.convolutional import doubling, halving
from families.layers.distances import l2
from families.layers.evaluation import restated
from families.layers.options import positive, positive_or_zero, share, whole
from families.layers.scaling import halved, scales
from families.translation.checks import unpaired
from families.translation.critics import GlobalCritic
from families.translation.cyclic import Cyclic
from families.translation.model import MakeOptimizer
from genbench.interface import GenerativeModel, Step
from genbench.spec import Batch, DataSpec, Splits

GAME = 0.1  # weight of the generators' logistic side
LAYERS = 3  # hidden layers of a critic, the last, whose features are matched
CRITICS_EVERY = 3  # batches
ROWS = 256  # images that are normalised together, once training is over
FIRST = 0.1  # of the phase, in which the way there and back hardly counts


def discogan(
    spec: DataSpec,
    *,
    width: int = 32,
    bottleneck: int = 0,
    cycle: float = 0.5,
    start: float = 0.01,
    features: float = 0.9,
    lr: float = 2e-4,
) -> GenerativeModel:
    """DiscoGAN (1703.05192): two encoder-decoders, two critics of whole images, ``F(G(x)) = x``; no pair is ever seen.

    Generators minimise, both ways, ``(1 - r) (0.1 E sp(-C(G(x))) + 0.9 Σ ‖E f(y) - E f(G(x))‖²) + r ‖F(G(x)) - x‖²``
    with images on [0, 1] in the last distance, squares as means, f the critic's last three hidden layers and E over the
    batch, so that nothing compares a translation with a target; r is 0.01 in the first tenth, then 0.5. Critics
    minimise half of ``E sp(-C(y)) + E sp(C(G(x)))``. The match of features, its weights and r are the authors' code's;
    the paper prints the game and the reconstruction alone.

    Adam(2e-4, (0.5, 0.999)) with weight decay 1e-5 (the code's), critics on every third batch. Departures: generators
    learn on every batch, in the code on the other two of three; r rises at a tenth of the budget, in the code after
    10,000 updates; 32 channels for 64; weights start by their fan-in; the bottleneck is not normalised, whose maps have
    a single place; statistics of batches for sampling are taken of the training sources once training is over, since
    the running ones are half of translations' too.

    Args:
        spec: the spec of the data, two unpaired domains of one height and width.
        width: channels at half the resolution, of all networks.
        bottleneck: numbers that all of an image goes through in each translator, 100 in the code's larger one; 0 for
            maps at the coarsest scale.
        cycle: the share r of the way there and back.
        start: r in the first tenth of training.
        features: the weight of the match of features.
        lr: the learning rate.

    Raises:
        ValueError: for a spec of pairs, without a source or with one of other sides; for an option out of range.
    """
    source = unpaired(spec, "discogan")
    positive(lr=lr)
    return DiscoGAN(
        spec,
        EncoderDecoder(source, spec.shape, width, bottleneck),
        EncoderDecoder(spec.shape, source, width, bottleneck),
        GlobalCritic(*spec.shape, width, nn.BatchNorm2d),
        GlobalCritic(*source, width, nn.BatchNorm2d),
        cycle=cycle,
        start=start,
        features=features,
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999), weight_decay=1e-5),
    )


class DiscoGAN(Cyclic):
    """A game both ways that shares its weight with the way there and back: ``(1 - r) · games + r · cycle``.

    Args:
        spec: the spec of the data.
        generator: source → image, what samples come from.
        back: image → source.
        critic: the critic of images, which shows its hidden layers.
        back_critic: the critic of sources, which does too.
        cycle: the share r.
        start: r in the first tenth of the phase.
        features: the weight of the match of features.
        optimizer: a function that makes the optimiser of both turns.

    Raises:
        ValueError: for shares outside [0, 1), or a negative weight.
    """

    def __init__(
        self,
        spec: DataSpec,
        generator: nn.Module,
        back: nn.Module,
        critic: nn.Module,
        back_critic: nn.Module,
        *,
        cycle: float,
        start: float,
        features: float,
        optimizer: MakeOptimizer,
    ) -> None:
        share(cycle=cycle, start=start)
        super().__init__(
            spec,
            generator,
            back,
            critic,
            back_critic,
            loss=weighted_generator(slow_critic(NON_SATURATING), GAME),
            distance=unit_squares,
            cycle=cycle,
            terms=[MatchedFeatures(features)],
            optimizer=optimizer,
            critic_every=CRITICS_EVERY,
            critics_first=True,
        )
        self.start = start

    @property
    def setting(self) -> str:
        """The share of the way there and back, and the weight of features, in words for a column of the table."""
        return f"{self.start:g} then {self.cycle:g} cycle, {self.terms[0].setting}"

    def weights(self, step: Step) -> tuple[float, float]:
        """Return the weight of both games, terms included, and that of the cycle."""
        r = self.start if step.fraction < FIRST else self.cycle
        return 1 - r, r

    def finish(self, data: Splits, generator: Generator) -> None:
        """Normalise by what samples are made of: in training half of each network's batches were translations."""
        train = data.train
        sources, images = (
            all_of.chunk(-(-len(all_of) // ROWS)) for all_of in (cast("Tensor", train.sources), train.images)
        )  # even parts: one row alone has no variance
        restated(
            self.generator, (self.source(Batch(train.images[:0], sources=part).to(self.device)) for part in sources)
        )
        restated(self.back, (self.target(Batch(part).to(self.device)) for part in images))
        super().finish(data, generator)


def unit_squares(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean squared difference of images on [-1, 1], were they on [0, 1]."""
    return l2(one, other) / 4


class MatchedFeatures(Term):
    """``w Σ ‖E f(y) - E f(ŷ)‖²`` over the critic's last three hidden layers, E over the batch; for the generator.

    Args:
        weight: the weight w.

    Raises:
        ValueError: for a negative weight.
    """

    needs_real = True

    def __init__(self, weight: float) -> None:
        super().__init__()
        positive_or_zero(features=weight)
        self.weight = weight

    @property
    def setting(self) -> str:
        """The weight in words."""
        return f"{self.weight:g} features"

    def generator(self, game: GameView, step: GameStep) -> dict[str, Tensor]:
        """Return the weighted distance of mean features."""
        if step.real is None:
            raise ValueError("real=None: features are matched with those of images of the target domain")
        layers = zip(step.fake.hidden[-LAYERS:], step.real.hidden[-LAYERS:], strict=True)
        return {"features": self.weight * torch.stack([l2(one.mean(0), other.mean(0)) for one, other in layers]).sum()}


class EncoderDecoder(nn.Module):
    """4×4 convolutions that halve and transposed ones that double; no scale is handed what the way down saw.

    Sides halve while they stay at least 4, once in any case: 28 → 14 → 7. LeakyReLU(0.2) on the way down, ReLU on the
    way up, batch normalisation but behind the first convolution, the bottleneck and the last; tanh at the end.

    Args:
        source: the shape ``(C, H, W)`` of what comes in.
        shape: the shape of the image, of the same H and W.
        width: channels at half the resolution, doubled with every further halving.
        bottleneck: the numbers between; 0 for none.

    Raises:
        ValueError: for a width below 1 or a bottleneck below 0.
    """

    latents = 0

    def __init__(
        self, source: tuple[int, int, int], shape: tuple[int, int, int], width: int, bottleneck: int = 0
    ) -> None:
        super().__init__()
        whole(1, width=width)
        whole(0, bottleneck=bottleneck)
        times = max(scales(*shape[1:]), 1)
        sides = [halved(shape[1:], i) for i in range(times + 1)]
        maps = [width << i for i in range(times)]
        down: list[nn.Module] = [halving(source[0], width, sides[0]), nn.LeakyReLU(0.2)]
        up: list[nn.Module] = [doubling(width, shape[0], sides[0]), nn.Tanh()]
        for i in range(1, times):
            down += [halving(maps[i - 1], maps[i], sides[i], bias=False), nn.BatchNorm2d(maps[i]), nn.LeakyReLU(0.2)]
            double = doubling(maps[i], maps[i - 1], sides[i], bias=False)
            up = [double, nn.BatchNorm2d(maps[i - 1]), nn.ReLU(), *up]
        if bottleneck:
            down += [nn.Conv2d(maps[-1], bottleneck, sides[-1]), nn.LeakyReLU(0.2)]
            wide = nn.ConvTranspose2d(bottleneck, maps[-1], sides[-1], bias=False)
            up = [wide, nn.BatchNorm2d(maps[-1]), nn.ReLU(), *up]
        self.encoder, self.decoder = nn.Sequential(*down), nn.Sequential(*up)

    def forward(self, source: Tensor, u: Tensor | None = None) -> Tensor:
        """Map sources ``(B, C', H, W)`` to images ``(B, C, H, W)``, both on [-1, 1]; ``u`` is empty."""
        return self.decoder(self.encoder(source))
