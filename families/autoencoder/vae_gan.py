"""VAE/GAN, autoencoding beyond pixels (1512.09300): likeness is measured in what a discriminator sees."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Generator, Tensor, nn

from families.adversarial.dcgan import Critic
from families.adversarial.dcgan import Generator as ImageGenerator
from families.adversarial.game import Game
from families.adversarial.losses import NON_SATURATING
from families.autoencoder.abilities import Encoded
from families.autoencoder.divergences import kl
from families.autoencoder.latents import code_size
from families.autoencoder.networks import Encoder
from families.autoencoder.priors import StandardNormal
from families.layers.convolutional import ImageEncoder
from families.layers.options import positive, whole
from families.layers.scaling import to_levels, to_uint8
from families.layers.training import warm_turn
from families.outputs.base import at_least_single
from genbench.implicit import ImplicitModel
from genbench.interface import Phase, Step
from genbench.spec import Batch, DataSpec


class VAEGAN(Encoded, ImplicitModel):
    """Encoder, decoder and discriminator, each of which descends its own sum of three losses.

    With x̃ the reconstruction from a code of q(z given x), x_p the image of a code of N(0, I), and D_l the
    discriminator's features,

        L_prior = KL(q(z given x) ‖ N(0, I))
        L_like  = -log N(D_l(x); D_l(x̃), σ² I) = ‖D_l(x) - D_l(x̃)‖² / 2σ² + const
        L_GAN   = log D(x) + log(1 - D(x̃)) + log(1 - D(x_p))

    the encoder descends ``L_prior + L_like``, the discriminator ``-L_GAN``, and the decoder
    ``γ L_like - log D(x̃) - log D(x_p)``. The paper's decoder descends log(1 - D) there; with it the discriminator was
    sure of every fake after a hundred batches of digits, and samples had no gradient left. The paper's σ is 1; then
    three thousand features cost hundreds of nats, beside which the encoder did not heed the prior in a short run: after
    600 batches of digits codes lay up to 1 off in the mean and 0.2 to 2.9 in variance, and samples were broken strokes.

    Args:
        spec: the spec of the data.
        encoder: ``(images on [-1, 1], given) → Gaussian`` over codes.
        generator: codes → images on [-1, 1]: the decoder.
        critic: images on [-1, 1] → ``(logit, features)``: the discriminator.
        latents: the size ``Z`` of a code.
        gamma: γ, likeness against the game in the decoder.
        spread: σ, standard deviation of a feature round its reconstruction's.
        lr: the learning rate of all three, warmed up and then brought down along a cosine.
        betas: Adam's β₁ and β₂ of all three.
    """

    def __init__(
        self,
        spec: DataSpec,
        encoder: nn.Module,
        generator: nn.Module,
        critic: nn.Module,
        *,
        latents: int,
        gamma: float,
        spread: float,
        lr: float,
        betas: tuple[float, float],
    ) -> None:
        super().__init__(spec, latents)
        self.encoder = encoder
        self.generator = generator
        self.critic = critic
        self.prior = StandardNormal(latents)
        self.gamma = gamma
        self.spread = spread
        self.lr = lr
        self.betas = betas

    def phases(self) -> Sequence[Phase]:
        """Return the one phase: encoder, decoder, discriminator, one after the other on every batch."""
        adam = partial(torch.optim.Adam, lr=self.lr, betas=self.betas)
        turns = [
            warm_turn("encoder", [self.encoder], self.encoder_loss, adam),
            warm_turn("decoder", [self.generator], self.decoder_loss, adam),
            warm_turn("discriminator", [self.critic], self.discriminator_loss, adam),
        ]
        return [Phase("adversarial", 1.0, turns)]

    @property
    def game(self) -> Game:
        """The game between decoder and discriminator."""
        return Game(self.generator, self.critic, loss=NON_SATURATING)

    def likeness(self, features: Tensor, reconstructed: Tensor) -> Tensor:
        """Return ``L_like`` but for its constant: ``‖D_l(x) - D_l(x̃)‖² / 2σ²``, the mean over images."""
        return 0.5 * ((features - reconstructed) / self.spread).square().sum(1).mean()

    def encoder_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``L_prior + L_like``."""
        posterior = self.encoder(self.scaled(batch), batch)
        codes = posterior.draw(step.generator)
        features = self.game.scored(self.scaled(batch)).features
        reconstructed = self.game.scored(self.generator(codes)).features
        divergence = kl(posterior, self.prior(batch), codes).mean()
        likeness = self.likeness(features, reconstructed)
        return {"loss": divergence + likeness, "divergence": divergence, "likeness": likeness}

    def decoder_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``γ L_like - log D(x̃) - log D(x_p)``."""
        reconstructions, samples = self._fakes(batch, step)
        features = self.game.scored(self.scaled(batch)).features
        again = self.game.scored(reconstructions)
        likeness = self.likeness(features.detach(), again.features)
        game = self.game.generator_loss(again, step)["loss"]
        game = game + self.game.generator_loss(self.game.scored(samples), step)["loss"]
        return {"loss": self.gamma * likeness + game, "likeness": likeness, "game": game}

    def discriminator_loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        """Return ``-L_GAN``: real images against reconstructions and samples; log the mean logits."""
        with torch.no_grad():
            reconstructions, samples = self._fakes(batch, step)
        real = self.game.scored(self.scaled(batch))
        again = self.game.scored(reconstructions)
        drawn = self.game.scored(samples)
        logs = self.game.critic_loss(real, again, step, decoys=[(1.0, drawn)])
        return {
            "loss": logs["loss"],
            "real": logs["real"],
            "reconstruction": logs["fake"],
            "sample": drawn.logits.mean(),
        }

    def _fakes(self, batch: Batch, step: Step) -> tuple[Tensor, Tensor]:
        """Return reconstructions and as many images of the prior's codes; no gradient reaches the encoder."""
        with torch.no_grad():
            codes = self.posterior(batch).draw(step.generator)
        drawn = self.prior(batch).draw(step.generator)
        return self.generator(codes), self.generator(drawn)

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Map codes from N(0, I), ``(B, Z)``, to images ``(B, C, H, W)`` in levels."""
        return to_levels(at_least_single(self.generator(u)), self.spec.levels)

    def show(self, codes: Tensor, given: Batch, generator: Generator | None) -> Tensor:
        """Return the image of each code; there is nothing to draw."""
        return to_uint8(self.decode(codes, given), self.spec.levels).reshape(-1, *self.spec.shape)


def vae_gan(
    spec: DataSpec,
    *,
    width: int = 32,
    latents: int | None = None,
    gamma: float = 0.2,
    spread: float = 4.5,
    lr: float = 1e-3,
) -> VAEGAN:
    """A VAE whose reconstructions are compared in a discriminator's features and scored by it (1512.09300).

    Departures: generator and discriminator are the networks that GANs here share, of which the features are the last
    hidden layer; Adam along a cosine for RMSprop; the decoder's game is the non-saturating one; features have a
    standard deviation of their own (for the reasons see ``VAEGAN``). Encoder, decoder and discriminator step in turn on
    a batch, each on what the steps before it left, where the paper takes all three gradients at once; batch
    normalisation uses each batch's own statistics in training (real images, reconstructions and samples apart) and
    running ones afterwards.

    Args:
        spec: any shape and levels.
        width: channels at half the resolution, of all three networks.
        latents: the size ``Z`` of a code; where not set, it goes with the root of the image's values, 16 at 1×28×28.
        gamma: γ, weight of likeness against the game in the decoder. Likeness is a sum over all features of an
            image and the game is two numbers an image, so that 1 leaves the game little to say: after 300 batches of
            3,500 digits, one seed, FID was 543 at 0.05, 536 at 0.2 and 583 at 1.
        spread: σ, standard deviation of a feature round its reconstruction's.
        lr: the learning rate.

    Raises:
        ValueError: for options out of range.
    """
    positive(lr=lr, gamma=gamma, spread=spread)
    whole(1, width=width)
    size = code_size(latents, spec.shape, 16)
    return VAEGAN(
        spec,
        Encoder(ImageEncoder(spec.shape, max(width // 2, 1), 0, 2 * size)),
        ImageGenerator(spec.shape, size, width),
        Critic(spec.shape, width),
        latents=size,
        gamma=gamma,
        spread=spread,
        lr=lr,
        betas=(0.5, 0.999),
    )
