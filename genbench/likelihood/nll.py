"""Negative log-likelihood in bits per dimension: the one place where nats become bits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from genbench.interface import GenerativeModel, LogLikelihood, frozen
from genbench.memory import check_fits
from genbench.records.parts import Likelihood
from genbench.spec import Batch
from genbench.stats import mean, spread, standard_error

BATCH = 64  # images a call
DRAW_BYTES = 32  # four numbers of 64 bits


def bits_per_dim(nats: Tensor, dimensions: int) -> Tensor:
    """Return ``-nats / (dimensions · ln 2)``, float64: bits per dimension from log-probabilities of whole images."""
    return -nats.double() / (dimensions * math.log(2))


def uniform_bpd(levels: int) -> float:
    """Return the bits per dimension of a model to which all images are equally likely: ``log2(levels)``, exactly."""
    return math.log2(levels)


def check_draws(model: GenerativeModel, draws: int, batch_size: int = BATCH) -> None:
    """Refuse (``ValueError``) more draws an image than memory holds: of each a weight, and an implicit model's latents.

    Chains have their places, momenta and gradients beside each other, and weights their images' rows.
    """
    values = max(1, getattr(model, "latents", 1))
    check_fits(f"draws={draws}", draws * batch_size * values * DRAW_BYTES, "give fewer")


def nll(
    model: GenerativeModel,
    split: Batch,
    *,
    dimensions: int,
    draws: int = 1,
    effort: str = "fast",
    limit: int | None = None,
    batch_size: int = BATCH,
    generator: Generator | None,
) -> Likelihood:
    """Return the bits per dimension of a split, by what ``model.log_likelihood`` answers.

    No gradients are kept (a model that needs them inside, as annealed importance sampling does, enables them itself),
    the model is in evaluation mode, and in the mode it had afterwards.

    Args:
        model: the model, asked in batches, on its own device.
        split: the images with whatever the likelihood is conditioned on.
        dimensions: the product ``C·H·W``.
        draws: the number of importance weights an image, passed on.
        effort: the effort's name, passed on.
        limit: the largest number of images, spread evenly over the split: the same ones for every model.
        batch_size: the number of images a call.
        generator: the source of all noise, passed on; the result depends on nothing else.

    Raises:
        ValueError: for a limit or batch size below 1, an empty split, or a log-likelihood that no probability of
            integers has: not a number, or infinite. No image is ever left out: a mean over the images that went
            well is not a likelihood. A probability of 0 is legitimate, and its bits are infinite.
    """
    rows = spread(len(split), limit)
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: give at least 1")
    check_draws(model, draws, min(batch_size, len(rows)))
    answers = []
    with frozen(model), torch.no_grad():
        for part in rows.split(batch_size):
            batch = split.rows(part.to(split.images.device)).to(model.device)
            answers.append(model.log_likelihood(batch, draws=draws, effort=effort, generator=generator))
    nats = torch.cat([answer.nats.detach().double().cpu() for answer in answers])
    if nats.shape != rows.shape:
        raise ValueError(f"log_likelihood answers {tuple(nats.shape)} for {len(rows)} images: give one number an image")
    wrong = nats.isnan() | (nats == math.inf)
    if bool(wrong.any()):
        raise ValueError(
            f"log_likelihood is {float(nats[wrong][0])} for {int(wrong.sum())} of {len(rows)} images: "
            "no probability is; the likelihood of this model cannot be reported"
        )
    likelihood = summarise(bits_per_dim(nats, dimensions).tolist(), _common(answers))
    steps = averaged([None if answer.step_size is None else answer.step_size.log() for answer in answers])
    return likelihood.model_copy(
        update={
            "effort": effort,
            "ess": averaged([answer.ess for answer in answers]),
            "acceptance": averaged([answer.acceptance for answer in answers]),
            "step_size": None if steps is None else math.exp(steps),
        }
    )


def averaged(parts: Sequence[Tensor | None]) -> float | None:
    """Return the mean over the images of all batches; None where a batch has nothing to say."""
    known = [part for part in parts if part is not None]
    return mean(torch.cat(known).double().tolist()) if known and len(known) == len(parts) else None


def summarise(per_image: Sequence[float], how: LogLikelihood) -> Likelihood:
    """Return the mean and standard error of bits per dimension, with ``how`` they were computed."""
    return Likelihood(
        bpd=mean(per_image),
        standard_error=standard_error(per_image),
        images=len(per_image),
        kind=how.kind,
        given=how.given,
        method=how.method,
        observation=how.observation,
        draws=how.draws,
        per_image=tuple(per_image),
    )


def _common(answers: Sequence[LogLikelihood]) -> LogLikelihood:
    """Return the kind and method that all batches share; a mean over an exact and a bounded half would be neither."""
    ways = {(answer.kind, answer.given, answer.method, answer.observation, answer.draws) for answer in answers}
    if len(ways) > 1:
        raise ValueError(f"log_likelihood answers in {len(ways)} ways on one split: {sorted(map(str, ways))}")
    return answers[0]
