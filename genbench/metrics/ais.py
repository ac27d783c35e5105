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
# How fast the log of a step size follows the acceptance of all chains, and of its own. A fast own rate makes a step
# depend on the state it moves: 0.1 was measured to bias a posterior of 8 dimensions by 0.3 nats.
FOLLOW_ALL, FOLLOW_OWN = 0.2, 0.02


@dataclass(frozen=True)
class Effort:
    """How hard to anneal: temperatures, and leapfrog steps at each."""

    temperatures: int
    leapfrog: int


EFFORTS = {
    "fast": Effort(200, 5),
    "standard": Effort(1_000, 10),
    "paper": Effort(10_000, 10),
}
EFFORTS |= {f"{name}/2": Effort(effort.temperatures // 2, effort.leapfrog) for name, effort in EFFORTS.items()}


def effort_named(name: str) -> Effort:
    """The effort by name; ``"fast/2"`` has half of fast's temperatures, to see whether doubling them moves the value.

    Raises:
        ValueError: for any other name.
    """
    if name not in EFFORTS:
        raise ValueError(f"effort={name!r}: give one of {', '.join(EFFORTS)}")
    return EFFORTS[name]


@dataclass(frozen=True)
class Annealed:
    """What a run of chains yields.

    Args:
        log_weights: float64 ``(N,)``.
        states: where the chains ended ``(N, Z)``.
        acceptance: share of transitions that each chain accepted ``(N,)``.
        step_sizes: each chain's last one ``(N,)``.
        guided: whether the likelihood had a gradient in u; without, Hamiltonian moves are a random walk.
    """

    log_weights: Tensor
    states: Tensor
    acceptance: Tensor
    step_sizes: Tensor
    guided: bool


def sigmoid_schedule(temperatures: int, steepness: float = 4.0) -> list[float]:
    """``temperatures + 1`` values of β from 0 to 1, dense at both ends.

    ``β̃_t = sigmoid(δ (2t/T - 1))``, moved and scaled to end at 0 and 1; δ = 4 as in 1611.04273.

    Raises:
        ValueError: for less than one temperature.
    """
    if temperatures < 1:
        raise ValueError(f"temperatures={temperatures}: give at least 1")
    raw = [1 / (1 + math.exp(-steepness * (2 * t / temperatures - 1))) for t in range(temperatures + 1)]
    return [(value - raw[0]) / (raw[-1] - raw[0]) for value in raw]


def ais(
    log_likelihood: LogProb,
    start: Tensor,
    *,
    temperatures: int,
    leapfrog: int,
    generator: Generator,
    backward: bool = False,
) -> Annealed:
    """Anneal all chains at once, with Hamiltonian transitions whose step sizes adapt to 0.65 acceptance.

    A step size follows quickly how all chains fare, as a growing β shortens the steps they can take, and slowly how its
    own does: a step that adapts to its own chain's past biases that chain's weight, the less the slower it adapts.

    Args:
        log_likelihood: noise ``(N, Z)`` → ``log P(x_n given u_n)``, ``(N,)``; each row on its own.
        start: draws from the prior ``(N, Z)``, or from the posterior where ``backward``; sets dtype and device.
        temperatures: T; there is a transition between each two of the T weights.
        leapfrog: gradients a transition.
        generator: of all noise.
        backward: anneal from β = 1 to 0, for the bound from above.

    Raises:
        ValueError: for less than one temperature or leapfrog step.
    """
    if leapfrog < 1:
        raise ValueError(f"leapfrog={leapfrog}: give at least 1")
    betas = sigmoid_schedule(temperatures)
    if backward:
        betas.reverse()
    point = Point.at(log_likelihood, start)
    guided = point.guided
    log_weights = torch.zeros(len(start), dtype=torch.float64, device=start.device)
    accepted = torch.zeros_like(log_weights)
    log_step = torch.full_like(log_weights, math.log(FIRST_STEP))
    for previous, beta in pairwise(betas):
        log_weights += (beta - previous) * point.value
        if beta == betas[-1]:
            break
        point, probability, took = transition(
            log_likelihood, point, beta, log_step.exp().to(start.dtype), leapfrog, generator
        )
        log_step += FOLLOW_ALL * (probability.mean() - TARGET_ACCEPTANCE)
        log_step += FOLLOW_OWN * (probability - TARGET_ACCEPTANCE)
        accepted += took
    return Annealed(log_weights, point.u, accepted / max(temperatures - 1, 1), log_step.exp(), guided)


@dataclass(frozen=True)
class Point:
    """Noise with its log-likelihood (float64) and the gradient of that, so that neither is computed twice."""

    u: Tensor
    value: Tensor
    gradient: Tensor
    guided: bool = True  # False where the likelihood is piecewise constant in u, so that its gradient is 0

    @classmethod
    def at(cls, log_likelihood: LogProb, u: Tensor) -> Point:
        """Evaluates at ``u``."""
        with torch.enable_grad():
            u = u.detach().requires_grad_()
            value = log_likelihood(u)
            if value.requires_grad:
                (gradient,) = torch.autograd.grad(value.sum(), u)
            else:
                gradient = torch.zeros_like(u)
        return cls(u.detach(), value.detach().double(), gradient, value.requires_grad)


def transition(
    log_likelihood: LogProb, point: Point, beta: float, step: Tensor, leapfrog: int, generator: Generator
) -> tuple[Point, Tensor, Tensor]:
    """One Hamiltonian Monte Carlo transition that leaves π_β as it is; a trajectory that blows up is refused.

    Args:
        log_likelihood: noise ``(N, Z)`` → ``(N,)``.
        point: the chains' states.
        beta: β.
        step: leapfrog step sizes ``(N,)``.
        leapfrog: their number.
        generator: of momenta and acceptances.

    Returns:
        The chains' next states, the acceptance probabilities ``(N,)`` and which were accepted ``(N,)``, both float64.
    """
    dtype, device, size = point.u.dtype, point.u.device, step[:, None]
    start = normal(point.u.shape, generator, device).to(dtype)
    new, momentum = point, start + size / 2 * (beta * point.gradient - point.u)
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
    )
    return kept, probability, took.double()


def _log_normal(u: Tensor, momentum: Tensor) -> Tensor:
    """``-(‖u‖² + ‖p‖²) / 2``, float64 ``(N,)``."""
    return -(u.double().square().sum(1) + momentum.double().square().sum(1)) / 2


def log_mean_exp(log_weights: Tensor, dim: int) -> Tensor:
    """``log mean exp`` along ``dim``."""
    return torch.logsumexp(log_weights, dim) - math.log(log_weights.shape[dim])
