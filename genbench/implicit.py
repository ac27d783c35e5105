"""What a model without a density answers ``log_likelihood`` with: noise on its pixels, and an integral over its own."""

from __future__ import annotations

from dataclasses import replace

import torch
from einops import rearrange, reduce
from torch import Generator, Tensor

from genbench.interface import GenerativeModel, LogLikelihood, frozen
from genbench.likelihood.bidirectional import below, pilot
from genbench.likelihood.effort import effort_named
from genbench.likelihood.observation import discretised_gaussian, sharpness
from genbench.likelihood.observation import draw as draw_observation
from genbench.seed import generator as seeded
from genbench.seed import normal
from genbench.spec import Batch, DataSpec, Splits

CHUNK = 250  # images decoded at once; part of what a generator's samples are
SEARCH_IMAGES = 64
SEARCH_RESTARTS = 2
SEARCH_STEPS = 100
SEARCH_RATE = 0.1
BLIND = "ais without gradient"  # the method's name where no chain ever had a gradient to follow
DIRECT = "direct"  # and where there is no noise to integrate over
LEAST_SIGMA = 0.1  # levels; below it every bin next to an exact image holds all of the probability anyway


class ImplicitModel(GenerativeModel):
    """A deterministic decoder of noise u ~ N(0, I), to which ``log_likelihood`` adds noise that samples do not have.

    A decoder without noise, a deterministic translation, has ``latents=0``: its samples are the same under every
    generator, and its likelihood is the observation model around what it decodes, computed without any chain.

    Observation model: ``P(x given u) = ∏ [Φ((x + ½ - m)/σ) - Φ((x - ½ - m)/σ)]`` over pixels, end bins open, with
    ``m = decode(u)`` and σ in levels. σ² is the mean squared residual of a search in u for validation images, found in
    :meth:`finish`. Everything random about a sample belongs to u; a uniform z is Φ(u). Only a hidden category, which
    has no gradient, stands beside it: samples draw it, the likelihood is the mean over its values.

    Args:
        spec: the spec of the data.
        latents: the size Z of u; 0 where what is decoded follows from what is given alone.
        given: what :meth:`decode` reads of its batch: ``"label"``, ``"source"``, names of fields.
        categories: the number of values, equally likely, of a category that decode reads as ``fields["category"]``,
            int64; 1 for none.

    Attributes:
        directed: the number of latents, the first of u, of which :meth:`decode` reads the direction alone and not how
            long they are, as a generator that normalises its codes does. It says where a search looks for u.

    Raises:
        ValueError: for a negative ``latents``, or a hidden category, which is noise, beside none.
    """

    variance: Tensor
    directed = 0

    def __init__(self, spec: DataSpec, latents: int, given: tuple[str, ...] = (), categories: int = 1) -> None:
        super().__init__(spec, given)
        if latents < 0 or (latents == 0 and categories > 1):
            raise ValueError(f"latents={latents}, categories={categories}: without noise, give latents=0, categories=1")
        self.latents = latents
        self.categories = categories
        # Until finish() has seen data: a uniform pixel's variance.
        self.register_buffer("variance", torch.tensor((spec.levels**2 - 1) / 12, dtype=torch.float64))

    def decode(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise ``(B, Z)`` and conditions of B rows to float images ``(B, C, H, W)`` in levels, not rounded.

        Called in evaluation mode. ``given.images`` may be anything: a decoder must not read them.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it decodes: write decode()")

    def render(self, u: Tensor, given: Batch) -> Tensor:
        """Return what a sample shows of u: :meth:`decode`, unless samples are truncated, which no likelihood sees."""
        return self.decode(u, given)

    def hidden(self, batch: Batch, generator: Generator) -> Batch:
        """Return ``batch`` with a category drawn for every row; as it is, and nothing drawn, without categories."""
        if self.categories == 1:
            return batch
        drawn = torch.randint(self.categories, (len(batch),), generator=generator, device=generator.device)
        return self.under(batch, drawn.to(self.device))

    def under(self, batch: Batch, category: Tensor) -> Batch:
        """Return ``batch`` with each row's category, int64 ``(B,)``, modulo their number; as it is without any."""
        if self.categories == 1:
            return batch
        return replace(batch, fields={**batch.fields, "category": category % self.categories})

    def draw(self, given: Batch, generator: Generator) -> Tensor:
        """Decode fresh noise: uint8 ``(B, C, H, W)``, levels rounded and cut off at both ends."""
        given = self.hidden(given, generator)
        chunks = []
        with torch.no_grad(), frozen(self):
            for start in range(0, len(given), CHUNK):
                rows = given.rows(slice(start, start + CHUNK))
                image = self.render(self.draw_noise(len(rows), generator), rows)
                chunks.append(image.round().clamp(0, self.spec.levels - 1).to(torch.uint8))
        return torch.cat(chunks) if chunks else torch.empty((0, *self.spec.shape), dtype=torch.uint8)

    def log_likelihood(
        self, batch: Batch, *, draws: int = 1, effort: str = "fast", generator: Generator | None = None
    ) -> LogLikelihood:
        """Anneal ``draws`` chains an image for log P(x): see :mod:`genbench.likelihood.bidirectional`.

        Without noise, ``latents=0``, the answer is ``log P(x given decode)`` itself, whatever ``draws`` and ``effort``:
        its method is ``"direct"``, and it has one draw.

        Args:
            batch: the images with their conditions.
            draws: the number K of weights, each the mean of those of two chains; the answer is their log-mean-exp.
            effort: the effort: ``"fast"``, 80 temperatures × 5 leapfrog steps; ``"standard"``, 500 × 10; ``"paper"``,
                5,000 × 10; each with ``"/2"`` behind it for half the work, search included, to see convergence, and
                ``"fast*2"`` and ``"fast*4"`` for more of it.
            generator: the source of all noise; without one, a fixed one.

        Raises:
            ValueError: for an unknown effort, or less than one draw.
        """
        if draws < 1:
            raise ValueError(f"draws={draws}: give at least 1")
        chosen = effort_named(effort)
        generator = generator or seeded(0, "ais")
        batch = self.checked(batch)
        if self.latents == 0:
            return LogLikelihood(self._direct(batch), "estimate", self.given, DIRECT, "added")
        with frozen(self):
            paths = pilot(self, batch, chosen, generator)
            chains = below(self, batch, paths, draws=draws, effort=chosen, generator=generator)
        # Blind chains hardly move: that their answer holds still says nothing, so it goes by another name.
        method = "ais" if chains.guided else BLIND
        answer = LogLikelihood.of_weights(chains.log_weights, "estimate", self.given, method, "added")
        return replace(answer, acceptance=chains.acceptance, step_size=chains.step_size)

    def _direct(self, batch: Batch) -> Tensor:
        """Return ``log P(x given decode)`` of a decoder without noise, float64 ``(B,)``."""
        empty = self.draw_noise(len(batch), seeded(0, DIRECT))
        with torch.no_grad(), frozen(self):
            chunks = torch.arange(len(batch), device=self.device).split(CHUNK)
            return torch.cat([self.observe(empty[part], batch.rows(part)) for part in chunks])

    def simulate(self, given: Batch, generator: Generator) -> tuple[Batch, Tensor]:
        """Draw images of the distribution that the likelihood is of, observation noise and rounding included.

        Args:
            given: the conditions, on the model's device; its images are not looked at.
            generator: the source of all noise.

        Returns:
            The batch ``given`` with these images uint8, and with the hidden category that was drawn, if there is one;
            and the u ``(B, Z)`` that made them, which is an exact draw from the posterior of each.
        """
        given = self.hidden(given, generator)
        u = self.draw_noise(len(given), generator)
        with torch.no_grad(), frozen(self):
            chunks = torch.arange(len(given), device=self.device).split(CHUNK)
            mean = torch.cat([self.decode(u[part], given.rows(part)) for part in chunks])
        images = draw_observation(mean.double(), self.variance.sqrt(), self.spec.levels, generator)
        return replace(given, images=images), u

    def draw_noise(self, n: int, generator: Generator) -> Tensor:
        """Draw the noise u of ``n`` images, ``(n, Z)``, in the precision of the weights."""
        weight = next(self.parameters(), None)
        u = normal((n, self.latents), generator, self.device)
        return u if weight is None else u.to(weight.dtype)

    def observe(self, u: Tensor, batch: Batch) -> Tensor:
        """Return ``log P(x given u)`` of each row under the added noise, float64 ``(B,)``."""
        mean = self.decode(u, batch)
        logs = discretised_gaussian(batch.images, mean, self.variance.sqrt(), self.spec.levels)
        return logs.flatten(1).sum(1, dtype=torch.float64)

    def sharpness(self, mean: Tensor, batch: Batch) -> Tensor:
        """Return minus the second derivative of ``log P(x given u)`` by each pixel of its ``mean``, ``(B, C·H·W)``."""
        return sharpness(batch.images, mean, self.variance.sqrt(), self.spec.levels).flatten(1)

    def finish(self, data: Splits, generator: Generator) -> None:
        """Set label frequencies and σ² on the validation split: by a search in u, or of all of it where u is empty.

        A translation whose validation images have no sources of their own keeps the σ² of a uniform pixel: nothing
        says what its output should have been, and no likelihood is asked of it.
        """
        super().finish(data, generator)
        sources = data.validation.sources
        if self.spec.translates(self.given) and (sources is None or len(sources) != len(data.validation)):
            return
        with frozen(self):
            if self.latents == 0:
                chunks = torch.arange(len(data.validation), device=data.validation.images.device).split(CHUNK)
                parts = [data.validation.rows(part).to(self.device) for part in chunks]
                with torch.no_grad():
                    residuals = [residual(self, self.draw_noise(len(part), generator), part) for part in parts]
                least = torch.cat(residuals)
            else:
                least = search(self, data.validation.rows(slice(SEARCH_IMAGES)).to(self.device), generator)
        self.variance.copy_(least.double().mean().clamp(min=LEAST_SIGMA**2))


def residual(model: ImplicitModel, u: Tensor, batch: Batch) -> Tensor:
    """Return the mean squared distance of each image of ``batch`` from what ``u`` decodes to, in levels²: ``(B,)``."""
    decoded = model.decode(u, batch).clamp(0, model.spec.levels - 1)
    return (decoded - batch.images.float()).square().flatten(1).mean(1)


def search(model: ImplicitModel, batch: Batch, generator: Generator) -> Tensor:
    """Search u for each image of ``batch``; return the mean squared residual it leaves there, in levels²: ``(B,)``.

    Adam from a few draws of the prior an image, at least one under each value of a hidden category, descends ``½ ‖u‖² +
    C·H·W · residual / (2σ²)``, σ² the mean over images of the least residual so far. So u is held by the prior: a
    decoder with noise of each pixel's own could else reach any image, by noise that it never draws. Where the decoder
    is piecewise constant in u and has no gradient, the best of the draws stays.
    """
    copies = model.categories * max(SEARCH_RESTARTS // model.categories, 1)
    place = torch.arange(copies * len(batch), device=model.device)
    rows = model.under(batch.rows(place % len(batch)), place // len(batch))
    u = model.draw_noise(len(rows), generator).requires_grad_()
    optimizer = torch.optim.Adam([u], lr=SEARCH_RATE)
    with torch.no_grad():
        best, length = residual(model, u, rows), _length(u)
    with torch.enable_grad():
        for _ in range(SEARCH_STEPS):
            weight = _weight(model, best, copies)
            now = residual(model, u, rows)
            nearer = weight * now.detach() + _length(u) < weight * best + length
            best, length = torch.where(nearer, now.detach(), best), torch.where(nearer, _length(u), length)
            if not now.requires_grad:
                break
            (slope,) = torch.autograd.grad(weight * now.sum(), u)
            u.grad = slope + u.detach()
            optimizer.step()
    each = "(copy image) -> copy image"
    cost = rearrange(_weight(model, best, copies) * best + length, each, copy=copies)
    return rearrange(best, each, copy=copies).gather(0, cost.argmin(0, keepdim=True))[0]


def _weight(model: ImplicitModel, residuals: Tensor, copies: int) -> Tensor:
    """Return ``C·H·W / (2σ²)``, σ² the mean over images of the least residual of their copies."""
    variance = reduce(residuals, "(copy image) -> image", "min", copy=copies).mean()
    return model.spec.dimensions / (2 * variance.clamp(min=LEAST_SIGMA**2))


def _length(u: Tensor) -> Tensor:
    """Return ``½ ‖u‖²`` of each row."""
    return u.detach().square().sum(1) / 2
