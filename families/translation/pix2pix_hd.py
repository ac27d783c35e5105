"""Paired translation from coarse to fine: a network at half size, one that refines it, critics at several scales."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from families.adversarial.game import Game
from families.adversarial.losses import LEAST_SQUARES_WHOLE, slow_critic
from families.adversarial.patch import ROOM, PatchCritic, patch_of
from families.adversarial.terms import Term
from families.layers.distances import l1
from families.layers.instance_norm import instance
from families.layers.options import one_of, positive, whole
from families.layers.perceptual import Levels
from families.layers.scaling import halved
from families.layers.training import half_then_linear
from families.translation.checks import pairs, wide
from families.translation.critics import MultiScale, half_size
from families.translation.model import Schedule, generator_side
from families.translation.paired import Paired
from families.translation.resnet import Decoder, Encoder, Translator
from families.translation.terms import Distance, FeatureMatching
from genbench.interface import GenerativeModel, Phase, Step, Turn
from genbench.spec import Batch, DataSpec

LOSS = slow_critic(LEAST_SQUARES_WHOLE)  # at one scale
GLOBAL, ENHANCER = 0.3, 0.1  # shares of the budget before all learns
RELUS = {f"relu{block}_1": 2.0**-halvings for block, halvings in zip(range(1, 6), (5, 4, 3, 2, 0), strict=True)}


class CoarseToFine(nn.Module):
    """``G2(x, G1's last maps)``, where G1 translates the source at half its size.

    Args:
        coarse: G1, whose own image only its own phase sees.
        encoder: the way down of G2, halving once, to maps of the shape of G1's last ones, to which these are added.
        decoder: the way up of G2.
    """

    latents = 0

    def __init__(self, coarse: Translator, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.coarse, self.encoder, self.decoder = coarse, encoder, decoder

    @property
    def enhancer(self) -> Sequence[nn.Module]:
        """G2, the layers at full size."""
        return [self.encoder, self.decoder]

    @property
    def joint(self) -> Sequence[nn.Module]:
        """What the image is made by: G2, and G1 without the last layer, which only its own image comes through."""
        return [self.coarse.encoder, self.coarse.decoder.blocks, self.coarse.decoder.up, *self.enhancer]

    def forward(self, source: Tensor, u: Tensor | None = None) -> Tensor:
        """Map sources ``(B, C', H, W)`` to images ``(B, C, H, W)``, both on [-1, 1]; there is no noise."""
        maps = self.coarse.decoder.maps(self.coarse.encoder(half_size(source)))
        return self.decoder(self.encoder(source) + maps)


class Pix2PixHD(Paired):
    """A translator of pairs in three phases: G1 at half size, then G2 alone, then both; in each its critics, too."""

    generator: CoarseToFine
    critic: MultiScale

    @property
    def coarse_game(self) -> Game:
        """The game of images of half size: G1 against the critics from the second scale on."""
        critic = MultiScale(list(self.critic.critics)[1:])
        return Game(self.generator.coarse, critic, loss=critic.summed(LOSS), terms=cast("Sequence[Term]", self.terms))

    def phases(self) -> Sequence[Phase]:
        """Return the phases ``global``, ``enhancer`` and ``joint``; the rate falls in the first and in the last."""
        network, game = self.generator, self.coarse_game
        coarse = [
            self._turn("critic", self.coarse_critic_loss, self.critic_optimizer, self.schedule, learns=[game.critic]),
            self._turn("generator", self.coarse_generator_loss, self.optimizer, self.schedule, learns=[network.coarse]),
        ]
        phases = [
            Phase("global", GLOBAL, coarse),
            Phase("enhancer", ENHANCER, self._round(network.enhancer, None)),
            Phase("joint", 1 - GLOBAL - ENHANCER, self._round(network.joint, self.schedule)),
        ]
        return self._in_front(phases)

    def _round(self, learns: Sequence[nn.Module], schedule: Schedule | None) -> Sequence[Turn]:
        return [
            self._turn("critic", self.critic_loss, self.critic_optimizer, schedule),
            self._turn("generator", self.generator_loss, self.optimizer, schedule, learns=learns),
        ]

    def coarse_critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the critics' side of the game of images of half size."""
        game, source, target = self.coarse_game, half_size(self.source(batch)), half_size(self.target(batch))
        with torch.no_grad():
            fakes = self.generator.coarse(source)
        real, fake = game.scored(target, source), game.scored(fakes, source)
        return game.critic_loss(real, fake, step, source=source, target=target)

    def coarse_generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return G1's side of it."""
        source, target = half_size(self.source(batch)), half_size(self.target(batch))
        fake = self.generator.coarse(source)
        return generator_side(self.coarse_game, fake, target, step, source=source, given=source)


def pix2pix_hd(
    spec: DataSpec,
    *,
    width: int = 16,
    blocks: int = 3,
    scales: int = 2,
    features: float = 10.0,
    perceptual: str = "",
    content: float = 10.0,
    lr: float = 2e-4,
) -> GenerativeModel:
    """pix2pixHD (1711.11585): a coarse and a fine translator, critics at K scales, and their features matched.

    Over scales k, of images and sources halved k times, and over hidden layers i of the critics, the generator
    minimises ``Σ_k E (C_k(x, ŷ) - 1)² + 10 Σ_k Σ_i |f_ki(x, ŷ) - f_ki(x, y)|``, in which f of the real pair is fixed;
    critics minimise half of ``Σ_k E (C_k(x, y) - 1)² + E C_k(x, ŷ)²``. There is no distance of pixels. With
    ``perceptual="vgg19"`` the generator minimises ``10 Σ_l w_l |φ_l(ŷ) - φ_l(y)|`` beside it, over the first ReLU of
    each of VGG-19's five blocks, w = 1/32, 1/16, 1/8, 1/4 and 1.

    G1 is a residual translator of the source at half size. G2 halves the source once, adds G1's last maps, and comes
    back up by way of residual blocks. G1 learns first (``global``, .3 of the budget), by images of half size and the
    critics from the second scale on; then G2 with G1 fixed (``enhancer``, .1); then both (``joint``).

    Adam(2e-4, (0.5, 0.999)); the rate is constant over half of the first and of the last phase, then falls to 0.
    Departures: K = 2 for the paper's 3, which 28 px have no room for, and patches of three layers; 16, 32 and 32
    channels of G2, G1 and critics for the paper's 32, 64 and 64; critics of one structure at every scale, as in the
    paper, where the coarsest has room for the finest's patch; sums over layers and scales as in the paper, where the
    authors' code divides by K; G1's shares of the budget, which has a run of its own there; no instance maps;
    VGG-19's features are on a scale of their own.

    Args:
        spec: the spec of the data, with a source of the image's height and width, 8 px or more.
        width: channels of G2 at the image's sides; G1 at its own and the critics have twice as many.
        blocks: residual blocks of G1 and of G2.
        scales: the number K of critics, 2 or more.
        features: the weight of the matched features; 0 for the game alone.
        perceptual: ``"vgg19"`` for the distance of its features, which needs its weights; ``""`` for none.
        content: the weight of that distance.
        lr: the learning rate.

    Raises:
        ValueError: for a spec without pairs, with a source of another size or images of less than 8 px; for an option
            out of range.
    """
    source = pairs(spec, "pix2pix-hd")
    wide(spec, "pix2pix-hd", 8)
    positive(lr=lr)
    whole(2, scales=scales)
    sides = spec.shape[1:]
    if min(halved(sides, scales - 1)) < 2:
        raise ValueError(f"scales={scales}: the last critic would see sides below 2; give fewer for images of {sides}")
    half = halved(sides, 1)
    largest = patch_of(min(sides))
    roomy = min(halved(sides, scales - 1)) >= ROOM[largest]
    patch = largest if roomy else None  # what each scale takes by itself
    one_of(("", "vgg19"), perceptual=perceptual)
    perception = Levels(perceptual, RELUS, spec.shape) if perceptual else None
    critic = MultiScale.of(
        lambda height, breadth: PatchCritic(
            source[0] + spec.shape[0], height, breadth, 2 * width, instance, patch=patch
        ),
        sides,
        scales,
    )
    coarse = Translator(
        Encoder((source[0], *half), 2 * width, blocks, instance, "reflect"),
        Decoder((spec.shape[0], *half), 2 * width, 0, instance, "reflect"),
    )
    generator = CoarseToFine(
        coarse,
        Encoder(source, width, 0, instance, "reflect", halvings=1),
        Decoder(spec.shape, width, blocks, instance, "reflect", halvings=1),
    )
    return Pix2PixHD(
        spec,
        generator,
        critic,
        loss=critic.summed(LOSS),
        terms=[
            FeatureMatching(features),
            *([] if perception is None else [Distance("content", content, perception.compared(l1))]),
        ],
        optimizer=partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999)),
        schedule=half_then_linear,
        perception=perception,
    )
