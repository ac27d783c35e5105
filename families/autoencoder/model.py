"""Autoencoders: encoder × decoder × prior × divergence × output.

    log P(x) ≥ E_q(z given x)[log p(x given z)] - KL(q(z given x) ‖ p(z))           (the ELBO, 1312.6114)
    log P(x) ≥ E[log 1/K Σ p(x given z_k) p(z_k) / q(z_k given x)],  z_k ~ q         (IWAE, 1509.00519)

Every part sees what the batch is given beside its images, so that a conditional variant is other parts in the same
model. What a variant adds is how it learns (``phases``, ``finish``); the bound, sampling and all abilities stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn

from families.autoencoder.abilities import Encoded
from families.autoencoder.distributions import Gaussian
from families.autoencoder.networks import Decoder
from families.layers.coded import AT_ONCE, row_chunks
from families.layers.evaluation import evaluation, weigh
from families.layers.options import one_of, positive
from families.layers.training import one_turn
from families.outputs import Output
from families.outputs.start import begin, fit_start
from genbench.interface import LogLikelihood, Phase, Step
from genbench.seed import uniform
from genbench.spec import Batch, DataSpec, Splits

CLIP = 1.0  # largest 2-norm of a gradient
MEDIAN = "median"
DRAWN = "drawn"
COLDEST = 1e-9  # temperature at which a mixture draws its likeliest component


@dataclass(frozen=True)
class Drawing:
    """The way in which samples show the pixels of a code, which is drawn from the prior whatever it is.

    Args:
        pixels: ``"median"``, where each pixel shows the median of its distribution, as papers decode; or ``"drawn"``,
            where the noise that the likelihood counts is drawn too.
        temperature: how far drawn pixels stray: 1 draws from the model, less draws nearer to each pixel's median where
            the output is a logistic, to its likeliest level where it is categorical or a Bernoulli, and to its
            likeliest component's mean where it is a mixture.

    Raises:
        ValueError: for other pixels, or a temperature that is not positive, or that medians would not feel.
    """

    pixels: str = MEDIAN
    temperature: float = 1.0

    def __post_init__(self) -> None:
        one_of((MEDIAN, DRAWN), pixels=self.pixels)
        positive(temperature=self.temperature)
        if self.pixels == MEDIAN and self.temperature != 1:
            raise ValueError(
                f"temperature={self.temperature}: pixels are medians, which it does not move; give pixels='drawn' too"
            )


MEDIANS = Drawing()


class LatentModel(Encoded):
    """A model ``P(x) = ∫ p(x given z) p(z) dz`` over integer levels, bounded by importance sampling from an encoder.

    The decoder's last bias begins at the output's ``start``; when training begins, at the one that is fitted to the
    pixels of the training images, by :meth:`enter`, which the first phase of a variant calls.

    Args:
        spec: the spec of the data.
        encoder: ``(images on [-1, 1], given) → distribution`` over codes: what proposes them.
        decoder: ``(codes, given) → parameters`` of the output, ``(B, P, H, W)``.
        prior: ``given → distribution`` over codes.
        output: distribution of a pixel given its parameters.
        given: what the parts read of a batch beside its images.
        lr: Adam's learning rate, warmed up and then brought down along a cosine.
        drawing: the way in which samples show pixels; :attr:`pixels` and :attr:`temperature` change it.
    """

    def __init__(
        self,
        spec: DataSpec,
        encoder: nn.Module,
        decoder: Decoder,
        prior: nn.Module,
        output: Output,
        *,
        given: tuple[str, ...] = (),
        lr: float,
        drawing: Drawing = MEDIANS,
    ) -> None:
        super().__init__(spec, given)
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior
        self.output = output
        self.lr = lr
        self.pixels = drawing.pixels
        self.temperature = drawing.temperature
        begin(decoder.bias, output.start(spec.shape[0]))

    def enter(self, data: Splits, step: Step) -> None:
        """Fit where the decoder's last layer begins to the training images."""
        fit_start(self.decoder.bias, self.output, data.train.images, step.generator)

    def reconstruction(self, batch: Batch, codes: Tensor) -> Tensor:
        """Return ``log p(x given z)`` in nats, float64 ``(B,)``, from codes ``(B, Z)``."""
        return self.output.log_prob(self.decoder(codes, batch), batch.images).sum((1, 2), dtype=torch.float64)

    def log_weights(self, batch: Batch, draws: int, generator: Generator) -> Tensor:
        """Return ``log p(x given z) p(z) / q(z given x)`` of codes from q, float64 ``(draws, B)``: ``E[w] = P(x)``."""
        posterior = self.posterior(batch)
        codes = posterior.draw(generator, (draws,))
        ratio = self.prior(batch).log_prob(codes) - posterior.log_prob(codes)
        many = batch.rows(torch.arange(len(batch), device=batch.images.device).repeat(draws))
        return ratio.double() + self.reconstruction(many, codes.flatten(0, 1)).view(draws, -1)

    def log_likelihood(
        self, batch: Batch, *, draws: int = 1, effort: str = "fast", generator: Generator | None = None
    ) -> LogLikelihood:
        """Return a lower bound: with one draw an unbiased estimate of the ELBO, with more the IWAE bound."""
        batch = self.checked(batch)
        with evaluation(self):
            weights = weigh(self.log_weights, batch, draws, generator, AT_ONCE)
        return LogLikelihood.of_weights(weights, "bound", self.given, "elbo" if draws == 1 else "iwae")

    def draw(self, given: Batch, generator: Generator) -> Tensor:
        """Draw a code from the prior, and show every pixel's median, or draw it at the model's temperature.

        Pixels that are drawn at a temperature of 1 are what the likelihood is of.
        """
        noise = None if self.pixels == MEDIAN else generator
        with evaluation(self):
            batches = [given.rows(rows) for rows in row_chunks(given)]
            return torch.cat([self.show(self.prior(batch).draw(generator), batch, noise) for batch in batches])

    def show(self, codes: Tensor, given: Batch, generator: Generator | None) -> Tensor:
        """Draw images from the output distribution at the model's temperature; without a generator, return the medians.

        They are each channel's own. A joint output has no median, and its channels' need not go together: then every
        pixel shows the likeliest component's mean, each channel's given the channels before it.
        """
        channels, height, width = self.spec.shape
        shape = (len(codes), self.output.uniforms(channels), height, width)
        if generator is not None:
            uniforms = uniform(shape, generator, self.device)
            return self.output.sample(self.decoder(codes, given), uniforms, self.temperature)
        half = torch.full(shape, 0.5, device=self.device)
        temperature = COLDEST if self.output.joint else 1.0
        return self.output.sample(self.decoder(codes, given), half, temperature)


class Autoencoder(LatentModel):
    """A latent-variable model that learns by the ELBO.

    Args:
        spec, encoder, decoder, prior, output, given, lr, drawing: the same as for :class:`LatentModel`.
        divergence: ``(posterior, prior, codes) → (B,)`` nats, see ``divergences``.
    """

    def __init__(
        self,
        spec: DataSpec,
        encoder: nn.Module,
        decoder: Decoder,
        prior: nn.Module,
        divergence: Callable[[Gaussian, Gaussian, Tensor], Tensor],
        output: Output,
        *,
        given: tuple[str, ...] = (),
        lr: float,
        drawing: Drawing = MEDIANS,
    ) -> None:
        super().__init__(spec, encoder, decoder, prior, output, given=given, lr=lr, drawing=drawing)
        self.divergence = divergence

    def elbo(self, batch: Batch, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return both terms at one code an image, ``log p(x given z)`` and the divergence: nats, each ``(B,)``."""
        posterior = self.encoder(self.scaled(batch), batch)
        codes = posterior.draw(generator)
        return self.reconstruction(batch, codes), self.divergence(posterior, self.prior(batch), codes)

    def phases(self) -> Sequence[Phase]:
        """Return one turn on the negative ELBO, in nats a dimension."""
        (phase,) = one_turn(self, self._loss, lr=self.lr, clip=CLIP, name="elbo")
        return [replace(phase, enter=self.enter)]

    def _loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        terms = self.elbo(batch, step.generator)
        reconstruction, divergence = (term.mean() / self.spec.dimensions for term in terms)
        return {"loss": divergence - reconstruction, "reconstruction": reconstruction, "divergence": divergence}
