"""Autoencoders: encoder × decoder × prior × divergence × output.

    log P(x) ≥ E_q(z given x)[log p(x given z)] - KL(q(z given x) ‖ p(z))           (the ELBO, 1312.6114)
    log P(x) ≥ E[log 1/K Σ p(x given z_k) p(z_k) / q(z_k given x)],  z_k ~ q         (IWAE, 1509.00519)

Every part sees what the batch is given beside its images, so that a conditional variant is other parts in the same
model. A variant whose training takes turns (an adversary on the codes) overrides ``phases`` alone; the bound and
sampling stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Generator, Tensor, nn

from families.autoencoder.gaussian import Gaussian
from families.layers.evaluation import chunks, evaluation, log_mean_weight
from families.layers.scaling import to_unit
from families.layers.training import one_turn
from families.outputs import Output
from genbench.interface import Batch, DataSpec, GenerativeModel, LogLikelihood, Phase, Step
from genbench.seed import generator as seeded
from genbench.seed import normal, uniform

AT_ONCE = 256
LOG_STD_RANGE = 10.0


class Encoder(nn.Module):
    """``q(z given x) = N(μ(x), σ(x)²)`` from a network that answers ``2Z`` numbers an image.

    ``log σ`` is kept within ±10 softly: an untrained or strayed network cannot overflow.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, given: Batch) -> Gaussian:
        """Images ``(B, C, H, W)`` on [-1, 1] to a Gaussian over codes ``(B, Z)``."""
        mean, raw = self.network(x).chunk(2, 1)
        return Gaussian(mean, LOG_STD_RANGE * torch.tanh(raw / LOG_STD_RANGE))


class Decoder(nn.Module):
    """Codes to the output's parameters, from a network that looks at the code alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor, given: Batch) -> Tensor:
        """Codes ``(B, Z)`` to parameters ``(B, P, H, W)``."""
        return self.network(z)


class Autoencoder(GenerativeModel):
    """A latent-variable model with an encoder.

    Args:
        spec: the data.
        encoder: ``(images on [-1, 1], given) → Gaussian``, the posterior.
        decoder: ``(codes, given) → parameters`` of the output, ``(B, P, H, W)``.
        prior: ``given → Gaussian`` over codes.
        divergence: ``(posterior, prior, codes) → (B,)`` nats, see ``divergences``.
        output: distribution of a pixel given its parameters.
        lr: Adam's learning rate, warmed up and then brought down along a cosine.
        clip: largest 2-norm of a gradient.
    """

    def __init__(
        self,
        spec: DataSpec,
        encoder: nn.Module,
        decoder: nn.Module,
        prior: nn.Module,
        divergence: Callable[[Gaussian, Gaussian, Tensor], Tensor],
        output: Output,
        *,
        lr: float,
        clip: float = 1.0,
    ) -> None:
        super().__init__(spec)
        self.encoder, self.decoder, self.prior = encoder, decoder, prior
        self.divergence, self.output, self.lr, self.clip = divergence, output, lr, clip

    def posterior(self, batch: Batch) -> Gaussian:
        """``q(z given x)`` of every image."""
        dtype = next(self.parameters()).dtype
        return self.encoder(to_unit(batch.images, self.spec.levels).to(dtype), batch)

    def reconstruction(self, batch: Batch, codes: Tensor) -> Tensor:
        """``log p(x given z)``, float64 ``(B,)``, from codes ``(B, Z)``."""
        return self.output.log_prob(self.decoder(codes, batch), batch.images).sum((1, 2), dtype=torch.float64)

    def elbo(self, batch: Batch, generator: Generator) -> tuple[Tensor, Tensor]:
        """Both terms at one code an image, ``log p(x given z)`` and the divergence: nats, each ``(B,)``."""
        posterior = self.posterior(batch)
        codes = posterior.at(normal(posterior.mean.shape, generator, self.device).to(posterior.mean.dtype))
        return self.reconstruction(batch, codes), self.divergence(posterior, self.prior(batch), codes)

    def phases(self) -> Sequence[Phase]:
        """One turn on the negative ELBO, in nats a dimension."""
        return one_turn(self, self._loss, lr=self.lr, clip=self.clip, name="elbo")

    def _loss(self, batch: Batch, step: Step) -> dict[str, Tensor]:
        terms = self.elbo(batch, step.generator)
        reconstruction, divergence = (term.mean() / self.spec.dimensions for term in terms)
        return {"loss": divergence - reconstruction, "reconstruction": reconstruction, "divergence": divergence}

    def log_weights(self, batch: Batch, draws: int, generator: Generator) -> Tensor:
        """``log p(x given z) p(z) / q(z given x)`` of codes from q, float64 ``(draws, B)``: ``E[w] = P(x)``."""
        posterior = self.posterior(batch)
        noise = normal((draws, *posterior.mean.shape), generator, self.device)
        codes = posterior.at(noise.to(posterior.mean.dtype))
        ratio = self.prior(batch).log_prob(codes) - posterior.log_prob(codes)
        many = batch.rows(torch.arange(len(batch), device=batch.images.device).repeat(draws))
        return ratio.double() + self.reconstruction(many, codes.flatten(0, 1)).view(draws, -1)

    def log_likelihood(
        self, batch: Batch, *, draws: int = 1, effort: str = "fast", generator: Generator | None = None
    ) -> LogLikelihood:
        """A lower bound: with one draw an unbiased estimate of the ELBO, with more the IWAE bound."""
        with evaluation(self):
            nats = log_mean_weight(self.log_weights, batch.to(self.device), draws, generator, AT_ONCE)
        return LogLikelihood(nats, "bound", method="elbo" if draws == 1 else "iwae", draws=draws)

    def sample(
        self,
        n: int,
        *,
        labels: Tensor | None = None,
        sources: Tensor | None = None,
        fields: Mapping[str, Tensor] | None = None,
        generator: Generator,
    ) -> Tensor:
        """A code from the prior, then every pixel from its output distribution: what the likelihood is of."""
        blank = torch.zeros(n, *self.spec.shape, dtype=torch.uint8, device=self.device)
        given = Batch(blank, labels, sources, fields or {}).to(self.device)
        with evaluation(self):
            return torch.cat([self._draw(given.rows(rows), generator) for rows in row_chunks(given)])

    def _draw(self, given: Batch, generator: Generator) -> Tensor:
        prior = self.prior(given)
        codes = prior.at(normal(prior.mean.shape, generator, self.device).to(prior.mean.dtype))
        return self._pixels(self.decoder(codes, given), generator)

    def reconstruct(self, batch: Batch, *, generator: Generator | None = None) -> Tensor:
        """Images, uint8 ``(B, C, H, W)``, drawn given each image's mean code; without a generator, always the same."""
        source = generator or seeded(0, "reconstruct")
        with evaluation(self):
            parts = [batch.rows(rows) for rows in row_chunks(batch)]
            return torch.cat([self._pixels(self.decoder(self.posterior(b).mean, b), source) for b in parts])

    def _pixels(self, parameters: Tensor, generator: Generator) -> Tensor:
        channels, height, width = self.spec.shape
        shape = (len(parameters), self.output.uniforms(channels), height, width)
        return self.output.sample(parameters, uniform(shape, generator, self.device))


def row_chunks(batch: Batch) -> Sequence[Tensor]:
    """Rows of ``batch`` that are decoded at once."""
    rows = torch.arange(len(batch), device=batch.images.device)
    return rows.split(chunks(len(batch), AT_ONCE))
