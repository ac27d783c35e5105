"""Coupled GANs: two domains learned apart by networks that share all but their last, or first, layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

import torch
from torch import Generator, Tensor, nn

from families.adversarial.dcgan import Critic, unnormalised
from families.adversarial.dcgan import Generator as Network
from families.adversarial.game import Game, combined
from families.adversarial.losses import NON_SATURATING
from families.gan.builder import ADAM, GANBuilder, gan_recipe
from families.gan.codes import Code
from families.gan.model import GAN
from families.layers.evaluation import evaluation
from families.layers.options import positive_or_zero, switch
from families.layers.scaling import to_levels, to_uint8, to_unit
from genbench.interface import Step
from genbench.spec import SOURCE_LEVELS, Batch

DOMAINS = 2  # images, then sources
PREFIXES = ("", "source_")  # of what is logged
END = 2  # layers that are a domain's own: the last convolution and its tanh, the first one and its rectifier


class CoupledGenerator(nn.Module):
    """One trunk from codes to maps, and an end for each domain.

    Args:
        networks: a generator for each domain, of the same width; the trunk is the first one's.
        shared: whether there is one trunk; without it each domain has its own, and nothing couples them.
    """

    def __init__(self, networks: Sequence[Network], *, shared: bool = True) -> None:
        super().__init__()
        self.ends = nn.ModuleList(network.layers[-END:] for network in networks)
        for network in networks:
            del network.layers[-END:]
        self.trunks = nn.ModuleList(networks[:1] if shared else networks)

    def forward(self, code: Tensor, domain: int = 0) -> Tensor:
        """Map codes ``(B, features)`` to images of a domain on [-1, 1]."""
        return self.ends[domain](self.trunks[min(domain, len(self.trunks) - 1)](code))


class CoupledCritic(nn.Module):
    """A stem for each domain, and one trunk behind them.

    Args:
        networks: a critic for each domain, of the same width; the trunk is the first one's.
        shared: whether there is one trunk.
    """

    def __init__(self, networks: Sequence[Critic], *, shared: bool = True) -> None:
        super().__init__()
        layers = [cast("nn.Sequential", network.layers) for network in networks]
        self.stems = nn.ModuleList(one[:END] for one in layers)
        for one in layers:
            del one[:END]
        self.trunks = nn.ModuleList(networks[:1] if shared else networks)
        self.setting = "a stem a domain, " + ("one trunk" if shared else "trunks apart")

    def forward(self, images: Tensor, domain: int = 0) -> tuple[Tensor, Tensor]:
        """Map images ``(B, C, H, W)`` of a domain to logits ``(B,)`` and features ``(B, F)``."""
        return self.trunks[min(domain, len(self.trunks) - 1)](self.stems[domain](images))


class CoGAN(GAN):
    """Two games, over images and over sources, whose fakes come from one z.

    Nothing in the losses ties an image to its source, whether training is of pairs or not: their means are apart.
    """

    generator: CoupledGenerator
    critic: CoupledCritic

    def games(self) -> Sequence[Game]:
        """Return the game of each domain, images first."""
        return [
            Game(self.generator, cast("nn.Module", partial(self.critic, domain=domain)), loss=self.loss)
            for domain in range(DOMAINS)
        ]

    def critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the sum of both critics' sides, each domain in passes of its own."""
        code = self.code(self.draw_noise(len(batch), step.generator), batch)
        logs = {}
        for domain, game in enumerate(self.games()):
            with torch.no_grad():
                fakes = self.generator(code, domain)
            real = game.scored(self._shown(self._images(batch, domain), step))
            logs[PREFIXES[domain]] = game.critic_loss(real, game.scored(self._shown(fakes, step)), step)
        return combined(logs)

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the sum of both generators' sides, on fakes of the same z."""
        code = self.code(self.draw_noise(len(batch), step.generator), batch)
        logs = {}
        for domain, game in enumerate(self.games()):
            fakes = self._shown(self.generator(code, domain), step)
            logs[PREFIXES[domain]] = game.generator_loss(game.scored(fakes), step)
        return combined(logs)

    def pairs(self, n: int, *, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return images and the sources of the same z, uint8 ``(n, C, H, W)`` and ``(n, C', H, W)``."""
        network = self.generator if self.average is None else self.average.copies["generator"]
        levels = (self.spec.levels, SOURCE_LEVELS)
        with evaluation(self):
            code = self.code(self.draw_noise(n, generator), self.conditions(n, generator=generator))
            made = [network(code, domain) for domain in range(DOMAINS)]
        images, sources = (to_uint8(to_levels(one, top), top) for one, top in zip(made, levels, strict=True))
        return images, sources

    def _images(self, batch: Batch, domain: int) -> Tensor:
        if domain == 0:
            return self._real(batch)
        if batch.sources is None:
            raise ValueError("sources=None: this model learns images and sources side by side")
        return to_unit(batch.sources, SOURCE_LEVELS).to(next(self.parameters()).dtype)


@gan_recipe(own_networks=True, lr=2e-4)
def co_gan(builder: GANBuilder, *, shared: bool = True, decay: float = 5e-4) -> GAN:
    """Coupled GANs (1606.07536): two logistic games whose generators share all but their last layer.

    ``images`` are the first domain and ``sources`` the second. Both generators take the same z; their trunk is one
    module, as is the critics' behind a first convolution a domain. What the domains have in common must come from the
    trunk, so that the two images of a z belong together, though no pair is ever seen. Samples and the likelihood are
    of the first domain.

    Departures: the shared networks, with ReLU where the paper has PReLU; the generator's loss is the non-saturating
    one, as in the authors' code; Gaussian noise; samples of a moving average.

    Args:
        builder: what all recipes share.
        shared: whether trunks are shared; without it these are two GANs, whose images of one z have nothing in common.
        decay: the weight decay of all weights.

    Raises:
        ValueError: for data without sources, or with sources of another height or width; for an option out of range.
    """
    switch(shared=shared)
    positive_or_zero(decay=decay)
    source, shape = builder.spec.source, builder.spec.shape
    if source is None:
        raise ValueError("source=None: co-gan learns images and sources, and this data set has none")
    if source[1:] != shape[1:]:
        raise ValueError(f"source={source}: co-gan needs the image's height and width, {shape[1:]}")
    code = Code(builder.latents)
    generators = [Network(one, code.features, builder.width) for one in (shape, source)]
    critics = [Critic(one, builder.width, unnormalised) for one in (shape, source)]
    critic = CoupledCritic(critics, shared=shared)
    critic.setting += f", weight decay {decay:g}" if decay else ""
    return builder.build(
        NON_SATURATING,
        code=code,
        generator=CoupledGenerator(generators, shared=shared),
        critic=critic,
        optimizer=partial(ADAM, weight_decay=decay),
        kind=CoGAN,
    )
