"""Log P(x) of an implicit model: from below, and for images that it made itself from above too.

Annealed importance sampling starts from the prior and is a lower bound on log P(x) in the mean. How far below, the
value does not say. For an image that was simulated, x from P(x given u), the u that made it is an exact draw from the
posterior, from which the same path taken backward gives an upper bound: the truth lies between the two, and their
distance, the gap of bidirectional Monte Carlo, bounds the error of both (1511.02543; for decoders 1611.04273).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from einops import rearrange
from torch import Generator, Tensor

from genbench.interface import log_mean_exp
from genbench.likelihood.ais import Annealed, Steps, ais, tune
from genbench.likelihood.effort import Effort
from genbench.spec import Batch

AT_ONCE = 256  # chains, whose images and gradients fit memory
PILOT = 4  # a run has so many times its pilot's temperatures


class Decoder(Protocol):
    """What chains use of an implicit model (:class:`genbench.implicit.ImplicitModel`): from noise u to likelihoods."""

    categories: int

    @property
    def device(self) -> torch.device:
        """The device that the decoder computes on."""
        ...

    def under(self, batch: Batch, category: Tensor) -> Batch:
        """Return ``batch`` with each row's hidden category, int64 ``(B,)``."""
        ...

    def draw_noise(self, n: int, generator: Generator) -> Tensor:
        """Draw the noise from which ``n`` images are made, ``(n, Z)``."""
        ...

    def observe(self, u: Tensor, batch: Batch) -> Tensor:
        """Return ``log P(x given u)`` of each row, float64 ``(B,)``."""
        ...

    def simulate(self, given: Batch, generator: Generator) -> tuple[Batch, Tensor]:
        """Draw images that the model makes under conditions; return them with the noise that made them."""
        ...


@dataclass(frozen=True)
class Chains:
    """The result of the K chains of each image.

    Args:
        log_weights: the log-weights, float64 ``(K, B)``: the mean weight is P(x) forward, 1 / P(x) backward.
        acceptance: the share of an image's transitions that were accepted ``(B,)``.
        step_size: the geometric mean of an image's leapfrog steps ``(B,)``.
        guided: whether the likelihood had a gradient in u.
    """

    log_weights: Tensor
    acceptance: Tensor
    step_size: Tensor
    guided: bool


def pilot(model: Decoder, batch: Batch, effort: Effort, generator: Generator) -> Steps:
    """Return step sizes for each image under each hidden category, by a chain each; categories are innermost."""
    place = torch.arange(len(batch) * model.categories, device=model.device)
    parts = []
    for part in place.split(AT_ONCE):
        rows = model.under(batch.rows(part // model.categories), part)
        steps = tune(
            lambda u, rows=rows: model.observe(u, rows),  # type: ignore[misc]
            model.draw_noise(len(rows), generator),
            temperatures=max(effort.temperatures // PILOT, 2),
            leapfrog=effort.leapfrog,
            generator=generator,
        )
        parts.append(steps.logs)
    return Steps(torch.cat(parts, 1))


def below(model: Decoder, batch: Batch, steps: Steps, *, draws: int, effort: Effort, generator: Generator) -> Chains:
    """Run ``draws`` chains an image forward from the prior, each summed over the values of a hidden category.

    Args:
        model: the model, frozen, in evaluation mode.
        batch: the images with their conditions, on the model's device.
        steps: the step sizes that :func:`pilot` found on this batch.
        draws: the number K of chains an image.
        effort: the numbers of temperatures and leapfrog steps.
        generator: the source of all noise.
    """
    values = model.categories
    place = torch.arange(len(batch) * draws * values, device=model.device)
    image = place // (draws * values)
    start = model.draw_noise(len(place), generator)
    owner = image * values + place % values
    annealed = _run(model, model.under(batch.rows(image), place), start, steps, owner, effort, generator)
    weights = rearrange(annealed.log_weights, "(image draw value) -> image draw value", draw=draws, value=values)
    return _by_image(log_mean_exp(weights, 2), annealed)


def above(
    model: Decoder, batch: Batch, u: Tensor, steps: Steps, *, draws: int, effort: Effort, generator: Generator
) -> Chains:
    """Run chains backward from the noise that made each image of ``batch``: see :meth:`Decoder.simulate`.

    All K chains of an image start there, each on its own a draw from the posterior, so that the mean of their weights
    is still 1 / P(x) in expectation. A hidden category stays the one that was drawn.
    """
    image = torch.arange(len(batch), device=model.device).repeat_interleave(draws)
    owner = image * model.categories
    if model.categories > 1:
        owner = owner + batch.fields["category"][image]
    annealed = _run(model, batch.rows(image), u[image], steps, owner, effort, generator, backward=True)
    return _by_image(rearrange(annealed.log_weights, "(image draw) -> image draw", draw=draws), annealed)


def bidirectional(
    model: Decoder, given: Batch, *, draws: int, effort: Effort, generator: Generator
) -> tuple[Chains, Chains]:
    """Run the chains below and above log P(x) of images that the model makes under the conditions of ``given``.

    Args:
        model: the model, frozen, in evaluation mode.
        given: the conditions, on the model's device; its images are not looked at.
        draws: the number K of chains an image, of each kind.
        effort: the numbers of temperatures and leapfrog steps, of each kind.
        generator: the source of all noise, the images' included.
    """
    batch, u = model.simulate(given, generator)
    steps = pilot(model, batch, effort, generator)
    lower = below(model, batch, steps, draws=draws, effort=effort, generator=generator)
    return lower, above(model, batch, u, steps, draws=draws, effort=effort, generator=generator)


def _run(
    model: Decoder,
    rows: Batch,
    start: Tensor,
    steps: Steps,
    owner: Tensor,
    effort: Effort,
    generator: Generator,
    backward: bool = False,
) -> Annealed:
    """Run chains, as many at once as fit memory; ``owner`` says whose step sizes each takes."""
    parts = []
    for part in torch.arange(len(rows), device=start.device).split(AT_ONCE):
        some = rows.rows(part)
        parts.append(
            ais(
                lambda u, some=some: model.observe(u, some),  # type: ignore[misc]
                start[part],
                steps=steps.rows(owner[part]),
                temperatures=effort.temperatures,
                leapfrog=effort.leapfrog,
                generator=generator,
                backward=backward,
            )
        )
    return Annealed(
        torch.cat([part.log_weights for part in parts]),
        torch.cat([part.states for part in parts]),
        torch.cat([part.acceptance for part in parts]),
        torch.cat([part.step_sizes for part in parts]),
        all(part.guided for part in parts),
    )


def _by_image(log_weights: Tensor, annealed: Annealed) -> Chains:
    """Return log-weights ``(B, K)`` and the chains that they are of, image by image."""
    acceptance = annealed.acceptance.view(len(log_weights), -1).mean(1)
    step_size = annealed.step_sizes.log().view(len(log_weights), -1).mean(1).exp()
    return Chains(log_weights.T, acceptance, step_size, annealed.guided)
