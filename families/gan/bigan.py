"""Bidirectional GAN: an encoder learns to undo the generator, because the critic sees images with their codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from families.adversarial.losses import Loss, logistic_critic, logistic_fake, logistic_real
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.heads import Head
from families.gan.model import GAN
from families.layers.coded import Coded, StandardNormal
from families.layers.convolutional import ImageEncoder, he
from families.layers.options import whole
from families.layers.scaling import to_uint8
from genbench.interface import Phase, Step
from genbench.spec import Batch


def exchanged_coders(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``-E log(1 - D(x, E(x))) - E log D(G(z), z)``: the critic's side with its targets exchanged."""
    return logistic_fake(real) + logistic_real(fake)


EXCHANGED = Loss(
    logistic_critic, exchanged_coders, relativistic=True, real_share=logistic_real, fake_share=logistic_fake
)


class PairHead(Head):
    """A head in which image and code meet in hidden layers, whose output joins the image's own logit.

    ``logit + v · a(W₂ a(W₁ [features, a(W₀ z)]))`` with a the LeakyReLU(0.2): a sum of a score of the image and a score
    of the code could not see which belong together.

    Args:
        features: the number F of features.
        latents: the size Z of codes.
        hidden: units of each layer.

    Raises:
        ValueError: for less than one hidden unit.
    """

    def __init__(self, features: int, latents: int, hidden: int) -> None:
        super().__init__()
        whole(1, hidden=hidden)
        self.setting = f"codes beside images, {hidden} units"
        self.code = nn.Sequential(he(nn.Linear(latents, hidden)), nn.LeakyReLU(0.2))
        self.pair = nn.Sequential(
            he(nn.Linear(features + hidden, hidden)),
            nn.LeakyReLU(0.2),
            he(nn.Linear(hidden, hidden)),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, 1, bias=False),
        )

    def forward(self, logit: Tensor, features: Tensor, given: Any) -> Tensor:  # noqa: ANN401 - codes, no batch
        """Map logits ``(B,)``, features ``(B, F)`` and codes ``(B, Z)`` to scores ``(B,)``."""
        return logit + self.pair(torch.cat([features, self.code(given)], 1))[:, 0]


class BiGAN(GAN, Coded):
    """A GAN whose critic scores pairs: (x, E(x)) of real images, (G(z), z) of fakes.

    Args:
        encoder: E, images on [-1, 1] → codes ``(B, Z)``.
        parts: what :class:`GAN` takes, in its order.
        options: what else :class:`GAN` takes.
    """

    encoder: nn.Module

    def __init__(self, *parts: Any, encoder: nn.Module, **options: Any) -> None:  # noqa: ANN401 - handed on
        super().__init__(*parts, beside={"encoder": encoder}, **options)

    def phases(self) -> Sequence[Phase]:
        """Return the one phase: the critic, then the coders, generator and encoder together."""
        (phase,) = super().phases()
        critic, coders = phase.turns
        return [replace(phase, turns=[critic, replace(coders, name="coders")])]

    def critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the critic's side on real images with their codes and on fakes with theirs, both without gradient."""
        given, u = self._drawn(batch, step)
        images = self._real(batch)
        with torch.no_grad():
            codes, fakes = self.encoder(images), self.generate(u, given)
        game = self.game
        real = game.scored(self._shown(images, step), codes)
        fake = game.scored(self._shown(fakes, step), u)
        return game.critic_loss(real, fake, step, u=u)

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the coders' side: the encoder's pairs are to pass for fakes, the generator's for real ones."""
        given, u = self._drawn(batch, step)
        images = self._real(batch)
        game = self.game
        real = game.scored(self._shown(images, step), self.encoder(images))
        fake = game.scored(self._shown(self.generate(u, given), step), u)
        return game.generator_loss(fake, step, real=real, u=u)

    def encode(self, batch: Batch) -> Tensor:
        """Return E(x) of every image, ``(B, Z)``, by the average if there is one."""
        encoder = self.encoder if self.average is None else self.average.copies["encoder"]
        return encoder(self.scaled(batch))

    def show(self, codes: Tensor, given: Batch, generator: Generator | None) -> Tensor:
        """Return G(z) of codes, uint8 ``(B, C, H, W)``."""
        return to_uint8(self.decode(codes, given), self.spec.levels)

    def prior(self, given: Batch) -> StandardNormal:
        """Return N(0, I), whatever is given."""
        return StandardNormal.of(self, len(given), self.latents)


@gan_recipe(lr=1e-3)
def bigan(builder: GANBuilder, *, hidden: int = 256, depth: int = 1) -> GAN:
    """Bidirectional GAN (1605.09782): generator G and encoder E against a critic of pairs.

    The critic minimises ``-E log D(x, E(x)) - E log(1 - D(G(z), z))``, G and E, in one step, the same with its targets
    exchanged. Where neither can be told from the other E undoes G, though nothing compares an image with its copy.

    Departures: the shared convolutional networks and a convolutional encoder with a linear end, where the paper's are
    dense for digits; z is Gaussian where its is uniform, hence no squashing of codes; the image's own logit stands
    beside the pair's; no weight decay; rates stay as they are, where its fall in the second half; samples, codes and
    reconstructions come from a moving average.

    Args:
        builder: what all recipes share.
        hidden: units of the layers in which the critic joins image and code.
        depth: residual blocks a scale of the encoder.

    Raises:
        ValueError: for an option out of range.
    """
    whole(0, depth=depth)
    critic = builder.critic()
    encoder = ImageEncoder(builder.spec.shape, max(builder.width // 2, 1), depth, builder.latents, last=he)
    head = PairHead(critic.features, builder.latents, hidden)
    return builder.build(EXCHANGED, critic=critic, head=head, optimizer=ADAM, kind=partial(BiGAN, encoder=encoder))
