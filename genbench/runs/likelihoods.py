"""What is measured of a likelihood that is an estimate: its value, whether it holds still, how far off it may be."""

from __future__ import annotations

import torch

from genbench import stats
from genbench.implicit import BLIND, ImplicitModel
from genbench.interface import GenerativeModel, frozen
from genbench.likelihood import nll as likelihoods
from genbench.likelihood.bidirectional import bidirectional
from genbench.likelihood.effort import HALF, WORKS, effort_named, with_work
from genbench.records import parts
from genbench.records.record import Record
from genbench.seed import generator
from genbench.spec import Batch
from genbench.stats import mean, standard_error
from genbench.weights import log_mean_exp

CONVERGED = 0.05  # bits/dim: an estimate that moves by more when its work doubles is still on its way


def estimated(model: GenerativeModel, split: Batch, *, limit: int, seed: int, effort: str = "fast") -> parts.Likelihood:
    """Return an estimate's bits/dim, how much they moved when the work doubled last, and the gap.

    Where they moved by more than 0.05 bits/dim under ``"fast"``, the work is doubled once more, and again: a decoder of
    many noises, or a posterior of many modes, asks for longer chains than most. Who asks for more than ``"fast"`` has
    said how long. The gap is measured on half as many images as the estimate, which costs about one such estimate more.
    What has no noise to integrate over is measured on the whole split: nothing about it moves, converges or leaves a
    gap.
    """
    if not anneals(model):
        noise = generator(seed, "nll", effort)
        return likelihoods.nll(model, split, dimensions=model.spec.dimensions, generator=noise)
    chains = effort_named(effort).chains

    def value(name: str) -> parts.Likelihood:
        noise = generator(seed, "nll", name)
        dimensions = model.spec.dimensions
        return likelihoods.nll(
            model, split, dimensions=dimensions, draws=chains, effort=name, limit=limit, generator=noise
        )

    now = value(f"{effort}{HALF}")
    for work in WORKS.get(effort, (1,)):
        before, now = now, value(with_work(effort, work))
        moved = now.bpd - before.bpd
        if not _on_its_way(moved, now.method):
            break
    between: parts.Gap | None = None
    if isinstance(model, ImplicitModel):
        images = (min(limit, len(split)) + 1) // 2
        between = gap(model, split, limit=images, seed=seed, effort=with_work(effort, work))
    # Chains without a gradient stay where they are however long they run, which looks like convergence and is none.
    holds = abs(moved) <= CONVERGED and now.method != BLIND
    known = {"effort": effort, "work": work, "moved": moved, "converged": holds, "gap": between}
    return now.model_copy(update=known)


def unsettled(record: Record) -> bool:
    """Return whether a record's estimate moved, and would be given more work today than it had."""
    test = record.test
    if test is None or test.moved is None or not _on_its_way(test.moved, test.method):
        return False
    return test.work < WORKS.get(test.effort, (1,))[-1]


def _on_its_way(moved: float, method: str) -> bool:
    """Return whether more work would help: the last doubling moved the value, and not from one infinity to another."""
    return abs(moved) > CONVERGED and method != BLIND


def anneals(model: GenerativeModel) -> bool:
    """Return whether a likelihood that is an estimate runs chains, of which there may be more, or longer ones."""
    return not (isinstance(model, ImplicitModel) and model.latents == 0)


def gap(model: ImplicitModel, split: Batch, *, limit: int, seed: int, effort: str) -> parts.Gap:
    """Measure how far chains are from the truth on ``limit`` images that the model makes under a split's conditions."""
    chosen = effort_named(effort)
    given = split.rows(stats.spread(len(split), limit)).to(model.device)
    with frozen(model):
        noise = generator(seed, "nll", "gap")
        lower, upper = bidirectional(model, given, draws=chosen.chains, effort=chosen, generator=noise)
    nats = torch.stack([-log_mean_exp(upper.log_weights, 0), log_mean_exp(lower.log_weights, 0)])
    least, greatest = likelihoods.bits_per_dim(nats, model.spec.dimensions).tolist()
    widths = [high - low for low, high in zip(least, greatest, strict=True)]
    return parts.Gap(
        bpd=mean(widths),
        standard_error=standard_error(widths),
        least=mean(least),
        greatest=mean(greatest),
        images=len(widths),
        draws=chosen.chains,
        acceptance=float(lower.acceptance.mean()),
        backward_acceptance=float(upper.acceptance.mean()),
    )
