"""Paired translation by a conditional GAN and an L1 distance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from families.adversarial.game import Game
from families.adversarial.losses import NON_SATURATING, Loss
from families.adversarial.patch import PatchCritic
from families.adversarial.terms import Scored
from families.layers.options import positive
from families.layers.scaling import to_levels, to_unit
from families.translation.unet import UNet
from genbench.implicit import ImplicitModel
from genbench.interface import GenerativeModel, Phase, Step, Turn
from genbench.seed import normal
from genbench.spec import Batch, DataSpec

SOURCE_LEVELS = 256


class Pix2Pix(ImplicitModel):
    """A translator of a source x to its image y by a game and an L1 distance (1611.07004, equation 4).

    ``G = argmin_G max_D L_GAN(G, D) + λ E ‖y - G(x, z)‖₁``.

    The critic scores an image beside its source. z is the generator's dropout, whose masks are functions of u, in
    training and in sampling. They are piecewise constant in u, so that the likelihood has no gradient there and
    annealed importance sampling moves by Hamiltonian transitions under the prior's gradient alone, which are valid, and
    refused or accepted by the whole of π_β. Images and L1 are on [-1, 1].

    Args:
        spec: the spec of the data.
        generator: ``(source, u)`` → image; has ``latents``.
        critic: ``(image, source)`` → logits.
        loss: both sides of the game.
        weight: the weight λ.
        optimizer: a function that makes both optimisers.
    """

    def __init__(
        self,
        spec: DataSpec,
        generator: UNet,
        critic: nn.Module,
        *,
        loss: Loss,
        weight: float,
        optimizer: Callable[[Iterable[Parameter]], Optimizer],
    ) -> None:
        super().__init__(spec, generator.latents, given=("source",))
        self.generator = generator
        self.critic = critic
        self.loss = loss
        self.weight = weight
        self.optimizer = optimizer

    @property
    def game(self) -> Game:
        """The game between the translator and the critic of images beside their sources."""
        return Game(self.generator, self.critic, loss=self.loss)

    def phases(self) -> Sequence[Phase]:
        """Return the one phase: a critic's and a generator's step on each batch."""
        critic = Turn("critic", [self.critic], self.critic_loss, self.optimizer)
        generator = Turn("generator", [self.generator], self.generator_loss, self.optimizer)
        return [Phase("adversarial", 1.0, [critic, generator])]

    def translate(self, batch: Batch, step: Step) -> Tensor:
        """Return each source's image on [-1, 1], under fresh masks."""
        u = normal((len(batch), self.latents), step.generator, self.device)
        return self.generator(_source(batch), u)

    def scored(self, images: Tensor, batch: Batch) -> Scored:
        """Return what the critic says of images on [-1, 1] beside their sources."""
        return self.game.scored(images, _source(batch))

    def critic_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return half the critic's side of the loss, which slows it beside the generator (section 3.3)."""
        with torch.no_grad():
            fakes = self.translate(batch, step)
        real = self.scored(to_unit(batch.images, self.spec.levels), batch)
        fake = self.scored(fakes, batch)
        logs = self.game.critic_loss(real, fake, step)
        return {"loss": logs["loss"] / 2, "real": logs["real"], "fake": logs["fake"]}

    def generator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return the generator's side of the loss and λ times the mean absolute error."""
        fake = self.translate(batch, step)
        adversarial = self.game.generator_loss(self.scored(fake, batch), step)["loss"]
        distance = F.l1_loss(fake, to_unit(batch.images, self.spec.levels))
        return {"loss": adversarial + self.weight * distance, "adversarial": adversarial, "l1": distance}

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Map masks from u and sources from ``given`` to images ``(B, C, H, W)`` in levels."""
        return to_levels(self.generator(_source(given).to(u.dtype), u), self.spec.levels)


def _source(batch: Batch) -> Tensor:
    if batch.sources is None:
        raise ValueError("sources=None: this model translates from the source of every image")
    return to_unit(batch.sources, SOURCE_LEVELS)


def pix2pix(
    spec: DataSpec,
    *,
    width: int = 32,
    weight: float = 100.0,
    dropout: float = 0.5,
    lr: float = 2e-4,
) -> GenerativeModel:
    """Image-to-image translation (1611.07004): U-Net, PatchGAN on pairs, 100·L1, dropout as the noise.

    Adam(2e-4, (0.5, 0.999)), one step of each network in turn, as in the paper. Departures: batches are larger than the
    paper's 1 to 10, and samples use batch normalisation's running statistics where the paper uses those of the test
    batch (instance normalisation at its batch of 1), since a sample must not depend on its neighbours. Weights start by
    their fan-in, since the paper's N(0, 0.02²) suits layers of a thousand inputs. The network is as deep as the shape
    halves, dropout sits where :class:`UNet` says, and the patch is 16×16 for sides from 16 (the paper's smaller
    PatchGAN; 70×70 is meant for 256 pixels).

    Args:
        spec: the spec of the data, with a source of the image's height and width.
        width: channels at half the resolution; the paper's is 64.
        weight: the weight λ of the L1 distance.
        dropout: the rate p.
        lr: the learning rate.

    Raises:
        ValueError: for a spec without a source, or with one of another size; for an option out of range.
    """
    if spec.source is None:
        raise ValueError("source=None: pix2pix translates from a source image, and this data set has none")
    if spec.source[1:] != spec.shape[1:]:
        raise ValueError(f"source={spec.source}: pix2pix needs the image's height and width, {spec.shape[1:]}")
    if not spec.paired:
        raise ValueError("paired=False: pix2pix learns from pairs of source and image")
    positive(lr=lr)
    if not 0 <= weight < float("inf"):
        raise ValueError(f"weight={weight}: give 0 (the critic alone) or more")
    generator = UNet(spec.source[0], spec.shape, width, dropout)
    critic = PatchCritic(spec.source[0] + spec.shape[0], *spec.shape[1:], width)
    optimizer = partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999))
    return Pix2Pix(spec, generator, critic, loss=NON_SATURATING, weight=weight, optimizer=optimizer)
