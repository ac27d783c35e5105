"""Annealed importance sampling of log P(x) for a decoder of Gaussian noise (1611.04273), and its HMC transitions.

The path runs ``π_β(u) ∝ N(u; 0, I) · P(x given u)^β`` from the prior at β = 0 to the posterior at β = 1. A chain that
starts with an exact draw at one end collects ``log w = Σ (β_t - β_{t-1}) log P(x given u_{t-1})`` on its way, and E[w]
is the ratio of the ends' normalisers: forward ``E[w] = P(x)``, so log w is below log P(x) on average (Jensen);
backward, from an exact posterior draw, ``E[w] = 1 / P(x)``, so -log w is above it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Generator, Tensor

from genbench.seed import normal, uniform

LogProb = Callable[[Tensor], Tensor]

TARGET_ACCEPTANCE = 0.65
FIRST_STEP = 0.2
# How fast the log of a pilot's step size follows its acceptance: as fast as a growing β shortens the steps it can take.
FOLLOW = 1.5
WARM_UP = 5  # transitions of a pilot at its first temperature, since the first step size is anyone's guess


@dataclass(frozen=True)
class Steps:
    """Leapfrog step sizes along the path, settled before a weight is collected.

    Args:
        logs: the logarithms ``(S, N)`` for N chains, at S fractions of the path evenly spread between its ends.
    """

    logs: Tensor

    def at(self, fraction: float) -> Tensor:
        """Return the sizes ``(N,)`` at ``t / T`` of the path, linear in the logarithm between its neighbours."""
        last = len(self.logs) - 1
        place = min(max(fraction * (last + 2) - 1, 0.0), float(last))
        low = int(place)
        return torch.lerp(self.logs[low], self.logs[min(low + 1, last)], place - low).exp()

    def rows(self, index: Tensor | slice) -> Steps:
        """Return the sizes of the chains of ``index``."""
        return Steps(self.logs[:, index])


@dataclass(frozen=True)
class Annealed:
    """The result of a run of chains.

    Args:
        log_weights: the log-weight of each chain, float64 ``(N,)``.
        states: the states in which the chains ended ``(N, Z)``.
        acceptance: the share of transitions that each chain accepted ``(N,)``.
        step_sizes: the geometric mean over each chain's path ``(N,)``.
        guided: whether the likelihood had a gradient in u anywhere; without, Hamiltonian moves are a random walk.
    """

    log_weights: Tensor
    states: Tensor
    acceptance: Tensor
    step_sizes: Tensor
    guided: bool


def sigmoid_schedule(temperatures: int, steepness: float = 4.0) -> list[float]:
    """Return ``temperatures + 1`` values of β from 0 to 1, dense at both ends.

    ``β̃_t = sigmoid(δ (2t/T - 1))``, moved and scaled to end at 0 and 1; δ = 4 as in 1611.04273.

    Raises:
        ValueError: for less than one temperature.
    """
    if temperatures < 1:
        raise ValueError(f"temperatures={temperatures}: give at least 1")
    raw = [1 / (1 + math.exp(-steepness * (2 * t / temperatures - 1))) for t in range(temperatures + 1)]
    return [(value - raw[0]) / (raw[-1] - raw[0]) for value in raw]


def tune(log_likelihood: LogProb, start: Tensor, *, temperatures: int, leapfrog: int, generator: Generator) -> Steps:
    """Find step sizes by a pilot: chains that go the path once, learn how long steps may be, and count for nothing.

    Each follows its own acceptance, ``log ε += FOLLOW · (p - 0.65)``. Chains that adapted while they are weighed would
    have steps that depend on where they have been, and then π_β is not left as it is and E[w] is not P(x); steps that
    other chains have settled before are as good as fixed.

    Args:
        log_likelihood: a function of noise ``(N, Z)`` that gives ``log P(x_n given u_n)``, ``(N,)``, row by row.
        start: the chains' starts: draws from the prior ``(N, Z)``; sets dtype and device.
        temperatures: the number of the pilot's temperatures.
        leapfrog: the number of gradients a transition, as in the run to come: how long a step may be depends on it.
        generator: the source of all noise.

    Raises:
        ValueError: for less than one temperature or leapfrog step.
    """
    _check_leapfrog(leapfrog)
    point = Point.at(log_likelihood, start)
    log_step = torch.full((len(start),), math.log(FIRST_STEP), dtype=torch.float64, device=start.device)
    log_steps = []
    betas = sigmoid_schedule(temperatures)[1:-1]
    for beta in betas[:1] * WARM_UP + betas:
        step = log_step.exp().to(start.dtype)
        point, probability, _ = transition(log_likelihood, point, beta, step, leapfrog, generator)
        log_step = log_step + FOLLOW * (probability - TARGET_ACCEPTANCE)
        log_steps.append(log_step)
    return Steps(torch.stack(log_steps[WARM_UP:] or [log_step]))


def ais(
    log_likelihood: LogProb,
    start: Tensor,
    *,
    steps: Steps,
    temperatures: int,
    leapfrog: int,
    generator: Generator,
    backward: bool = False,
) -> Annealed:
    """Anneal all chains at once, with Hamiltonian transitions.

    Args:
        log_likelihood: a function of noise ``(N, Z)`` that gives ``log P(x_n given u_n)``, ``(N,)``, row by row.
        start: draws from the prior ``(N, Z)``, or from the posterior where ``backward``; sets dtype and device.
        steps: the leapfrog step sizes of the N chains, from :func:`tune`; independent of ``start`` and ``generator``.
        temperatures: the number T of temperatures; there is a transition between each two of the T weights.
        leapfrog: the number of gradients a transition.
        generator: the source of all noise.
        backward: whether to anneal from β = 1 to 0, for the bound from above.

    Raises:
        ValueError: for less than one temperature or leapfrog step.
    """
    _check_leapfrog(leapfrog)
    betas = sigmoid_schedule(temperatures)
    places = list(range(temperatures + 1))
    if backward:
        places.reverse()
    point = Point.at(log_likelihood, start)
    log_weights = torch.zeros(len(start), dtype=torch.float64, device=start.device)
    accepted = torch.zeros_like(log_weights)
    lengths = torch.zeros_like(log_weights)
    for previous, place in pairwise(places):
        log_weights += (betas[place] - betas[previous]) * point.value
        if place == places[-1]:
            break
        step = steps.at(place / temperatures)
        point, _, took = transition(log_likelihood, point, betas[place], step.to(start.dtype), leapfrog, generator)
        accepted += took
        lengths += step.log()
    transitions = max(temperatures - 1, 1)
    return Annealed(log_weights, point.u, accepted / transitions, (lengths / transitions).exp(), point.guided)


def _check_leapfrog(leapfrog: int) -> None:
    if leapfrog < 1:
        raise ValueError(f"leapfrog={leapfrog}: give at least 1")


@dataclass(frozen=True)
class Point:
    """Noise with its log-likelihood (float64) and the gradient of that, so that neither is computed twice."""

    u: Tensor
    value: Tensor
    gradient: Tensor
    guided: bool = True  # False where the likelihood is piecewise constant in u, so that its gradient has been 0

    @classmethod
    def at(cls, log_likelihood: LogProb, u: Tensor) -> Point:
        """Evaluate log-likelihood and gradient at ``u``."""
        with torch.enable_grad():
            u = u.detach().requires_grad_()
            value = log_likelihood(u)
            if value.requires_grad:
                (gradient,) = torch.autograd.grad(value.sum(), u)
            else:
                gradient = torch.zeros_like(u)
        return cls(u.detach(), value.detach().double(), gradient, bool(gradient.any()))


def transition(
    log_likelihood: LogProb, point: Point, beta: float, step: Tensor, leapfrog: int, generator: Generator
) -> tuple[Point, Tensor, Tensor]:
    """Make one Hamiltonian Monte Carlo transition, which leaves π_β as it is; a trajectory that blows up is refused.

    Args:
        log_likelihood: a function of noise ``(N, Z)`` that gives log-likelihoods ``(N,)``.
        point: the chains' states.
        beta: the β of the distribution π_β.
        step: the leapfrog step sizes ``(N,)``.
        leapfrog: the number of leapfrog steps.
        generator: the source of momenta and acceptances.

    Returns:
        The chains' next states, the acceptance probabilities ``(N,)`` and which were accepted ``(N,)``, both float64.
    """
    dtype = point.u.dtype
    device = point.u.device
    size = step[:, None]
    start = normal(point.u.shape, generator, device).to(dtype)
    new = point
    momentum = start + size / 2 * (beta * point.gradient - point.u)
    for i in range(leapfrog):
        new = Point.at(log_likelihood, new.u + size * momentum)
        share = 0.5 if i == leapfrog - 1 else 1.0
        momentum = momentum + share * size * (beta * new.gradient - new.u)
    gain = beta * (new.value - point.value) + _log_normal(new.u, momentum) - _log_normal(point.u, start)
    probability = torch.exp(gain.clamp(max=0.0)).nan_to_num(0.0)
    took = uniform(gain.shape, generator, device).double() < probability
    rows = took[:, None]
    kept = Point(
        torch.where(rows, new.u, point.u),
        torch.where(took, new.value, point.value),
        torch.where(rows, new.gradient, point.gradient),
        point.guided or new.guided,
    )
    return kept, probability, took.double()


def _log_normal(u: Tensor, momentum: Tensor) -> Tensor:
    """Return ``-(‖u‖² + ‖p‖²) / 2``, float64 ``(N,)``."""
    return -(u.double().square().sum(1) + momentum.double().square().sum(1)) / 2
