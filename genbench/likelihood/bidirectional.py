"""Log P(x) of an implicit model: from below, and for images that it made itself from above too.

Annealed importance sampling is a lower bound on log P(x) in the mean. Its chains start from the prior, and from the
Laplace approximation of each image's posterior, whence the way is short (:mod:`genbench.likelihood.laplace`): weights
of both have P(x) for their mean. How far below they end, the value does not say. For an image that was simulated, x
from P(x given u), the u that made it is an exact draw from the posterior, from which the prior's path taken backward
gives an upper bound: the truth lies between the two, and their distance, the gap of bidirectional Monte Carlo, bounds
the error of both (1511.02543; for decoders 1611.04273).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from einops import rearrange
from torch import Generator, Tensor

from genbench.likelihood import laplace
from genbench.likelihood.ais import Annealed, LogProb, Steps, ais, tune
from genbench.likelihood.effort import Effort
from genbench.likelihood.laplace import Laplace, approximate
from genbench.spec import Batch
from genbench.weights import log_mean_exp

AT_ONCE = 256  # chains, whose images and gradients fit memory
SIMULATED = 2  # images that a model made, it can make: their search has one in so many of the steps
PILOT = 4  # a run has so many times its pilot's temperatures


class Decoder(laplace.Decoder, Protocol):
    """What chains use of an implicit model (:class:`genbench.implicit.ImplicitModel`): from noise u to likelihoods."""

    categories: int

    @property
    def device(self) -> torch.device:
        """The device that the decoder computes on."""
        ...

    def under(self, batch: Batch, category: Tensor) -> Batch:
        """Return ``batch`` with each row's hidden category, int64 ``(B,)``."""
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


@dataclass(frozen=True)
class Paths:
    """The ways to N posteriors, of images under each hidden category: from Gaussians round their modes and the prior.

    Args:
        bases: the Gaussians that chains start from, in whose whitened coordinates they move: N approximations, if there
            are any, and behind them N times the prior.
        steps: the step sizes of chains from each of them, settled before any weight is collected.
        approximated: the number of approximations, N or 0.
    """

    bases: Laplace
    steps: Steps
    approximated: int

    def chains(self, model: Decoder, rows: Batch, path: Tensor) -> LogProb:
        """Return what chains along the paths of these numbers are weighed by, for ``rows``.

        From ``u = û + H^-½ v`` with v ~ N(0, I), which is a draw of the base, that is
        ``log P(x given u) + log N(u; 0, I) - log N(v; 0, I) + log |H^-½|``; the mean of its exponential is P(x). From
        the prior, where u = v, it is ``log P(x given u)``.
        """
        base = self.bases.rows(path)
        volume = base.log_volume

        def weighed(v: Tensor) -> Tensor:
            u = base.coloured(v)
            return model.observe(u, rows) + (_squared(v) - _squared(u)) / 2 + volume

        return weighed


def _squared(u: Tensor) -> Tensor:
    return u.double().square().sum(1)


def pilot(model: Decoder, batch: Batch, effort: Effort, generator: Generator) -> Paths:
    """Return the paths to each image's posterior under each hidden category, categories innermost.

    Without a gradient to find an approximation by, those from the prior are all. A chain each settles step sizes.
    """
    place = torch.arange(len(batch) * model.categories, device=model.device)
    rows = model.under(batch.rows(place // model.categories), place)
    found = approximate(model, rows, effort.search, generator)
    priors = Laplace.priors(model.draw_noise(len(place), generator))
    bases = priors if found is None else Laplace.joined([found, priors])
    unsettled = Paths(bases, Steps(torch.empty(0)), 0 if found is None else len(place))
    logs = []
    for part in torch.arange(len(bases.mode), device=model.device).split(AT_ONCE):
        steps = tune(
            unsettled.chains(model, rows.rows(part % len(place)), part),
            model.draw_noise(len(part), generator),
            temperatures=max(effort.temperatures // PILOT, 2),
            leapfrog=effort.leapfrog,
            generator=generator,
        )
        logs.append(steps.logs)
    return replace(unsettled, steps=Steps(torch.cat(logs, 1)))


def below(model: Decoder, batch: Batch, paths: Paths, *, draws: int, effort: Effort, generator: Generator) -> Chains:
    """Run chains forward to the posteriors, each summed over the values of a hidden category.

    Each of ``draws`` weights an image is the mean of two that have P(x) for their mean: of a chain from the
    approximation, and of one from the prior, which may find what the approximation is not round. Where there is no
    approximation, each is of a chain from the prior.

    Args:
        model: the model, frozen, in evaluation mode.
        batch: the images with their conditions, on the model's device.
        paths: the paths that :func:`pilot` found on this batch.
        draws: the number K of weights an image.
        effort: the numbers of temperatures and leapfrog steps.
        generator: the source of all noise.
    """
    values = model.categories
    place = torch.arange(len(batch) * draws * values, device=model.device)
    image = place // (draws * values)
    path = image * values + place % values
    if paths.approximated:
        image, path = image.repeat(2), torch.cat([path, paths.approximated + path])
    rows = model.under(batch.rows(image), path)
    annealed = _run(model, rows, model.draw_noise(len(path), generator), paths, path, effort, generator)
    weights = rearrange(
        annealed.log_weights,
        "(way image draw value) -> draw image (way value)",
        way=len(path) // len(place),
        draw=draws,
        value=values,
    )
    return _by_image(log_mean_exp(weights, 2), annealed, image)


def above(
    model: Decoder, batch: Batch, u: Tensor, paths: Paths, *, draws: int, effort: Effort, generator: Generator
) -> Chains:
    """Run chains backward to the prior from the noise that made each image of ``batch``: see :meth:`Decoder.simulate`.

    All K chains of an image start there, each on its own a draw from the posterior, so that the mean of their weights
    is still 1 / P(x) in expectation. A hidden category stays the one that was drawn. The way is the prior's: what made
    the image may lie in another mode than the approximation is round, which a chain would have to find from there.
    """
    image = torch.arange(len(batch), device=model.device).repeat_interleave(draws)
    path = paths.approximated + image * model.categories
    if model.categories > 1:
        path = path + batch.fields["category"][image]
    annealed = _run(model, batch.rows(image), u[image], paths, path, effort, generator, backward=True)
    return _by_image(rearrange(annealed.log_weights, "(image draw) -> draw image", draw=draws), annealed, image)


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
    paths = pilot(model, batch, replace(effort, search=max(effort.search // SIMULATED, 1)), generator)
    lower = below(model, batch, paths, draws=draws, effort=effort, generator=generator)
    return lower, above(model, batch, u, paths, draws=draws, effort=effort, generator=generator)


def _run(
    model: Decoder,
    rows: Batch,
    start: Tensor,
    paths: Paths,
    path: Tensor,
    effort: Effort,
    generator: Generator,
    backward: bool = False,
) -> Annealed:
    """Run a chain along the path of each row, as many at once as fit memory."""
    parts = [
        ais(
            paths.chains(model, rows.rows(part), path[part]),
            start[part],
            steps=paths.steps.rows(path[part]),
            temperatures=effort.backward if backward else effort.temperatures,
            leapfrog=effort.leapfrog,
            generator=generator,
            backward=backward,
        )
        for part in torch.arange(len(rows), device=start.device).split(AT_ONCE)
    ]
    return Annealed(
        torch.cat([part.log_weights for part in parts]),
        torch.cat([part.states for part in parts]),
        torch.cat([part.acceptance for part in parts]),
        torch.cat([part.step_sizes for part in parts]),
        all(part.guided for part in parts),
    )


def _by_image(log_weights: Tensor, annealed: Annealed, image: Tensor) -> Chains:
    """Return log-weights ``(K, B)`` and, as means over each image's chains, how these went."""
    count = torch.bincount(image).double()
    acceptance = torch.bincount(image, annealed.acceptance.double()) / count
    step_size = (torch.bincount(image, annealed.step_sizes.log().double()) / count).exp()
    return Chains(log_weights, acceptance, step_size, annealed.guided)
