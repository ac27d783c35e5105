"""What critic and generator minimise: plain functions of the logits of real and of generated images.

Each takes ``(real_logits, fake_logits)`` of any shape (one logit an image, or a map of them) and returns a scalar.
Write C for the critic's logit, so that 1406.2661's D is sigmoid(C).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

Term = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Loss:
    """The two sides of a game.

    Args:
        critic: what the critic minimises.
        generator: what the generator minimises.
        relativistic: whether the generator's side reads the real logits. Where it does not, it is handed none (an
            empty tensor, whose mean is NaN), which saves a pass through the critic.
        setting: what options make of it, in words for a table; empty for nothing.
    """

    critic: Term
    generator: Term
    relativistic: bool = False
    setting: str = ""


def logistic_critic(real: Tensor, fake: Tensor) -> Tensor:
    """``-E log D(real) - E log(1 - D(fake))``, from logits (1406.2661, equation 1)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def non_saturating_generator(real: Tensor, fake: Tensor) -> Tensor:
    """``-E log D(fake)``: its gradient is largest where the critic is sure of a fake (1406.2661, section 3)."""
    return F.softplus(-fake).mean()


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """``E C(fake) - E C(real)``: minus the Wasserstein distance where C is 1-Lipschitz (1701.07875)."""
    return fake.mean() - real.mean()


def wasserstein_generator(real: Tensor, fake: Tensor) -> Tensor:
    """``-E C(fake)``."""
    return -fake.mean()


def minimax_generator(real: Tensor, fake: Tensor) -> Tensor:
    """``E log(1 - D(fake))``: the game as written; its gradient fades where the critic wins (1406.2661, equation 1)."""
    return -F.softplus(fake).mean()


def smoothed_critic(target: float) -> Term:
    """The logistic critic whose target for real images is ``target`` instead of 1 (1606.03498, section 3.4).

    Raises:
        ValueError: for a target outside (0, 1].
    """
    if not 0 < target <= 1:
        raise ValueError(f"smoothing: a target of {target} for real images: give above 0, up to 1")

    def critic(real: Tensor, fake: Tensor) -> Tensor:
        sure, other = F.softplus(-real).mean(), F.softplus(real).mean()
        return target * sure + (1 - target) * other + F.softplus(fake).mean()

    return critic


def least_squares_critic(real: Tensor, fake: Tensor) -> Tensor:
    """``½ E (C(real) - b)² + ½ E (C(fake) - a)²`` with b = 1, a = 0 (1611.04076, equation 2)."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_generator(real: Tensor, fake: Tensor) -> Tensor:
    """``½ E (C(fake) - c)²`` with c = 1."""
    return (fake - 1).square().mean() / 2


def hinge_critic(real: Tensor, fake: Tensor) -> Tensor:
    """``E max(0, 1 - C(real)) + E max(0, 1 + C(fake))`` (1802.05957, equation 16)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def relativistic_critic(real: Tensor, fake: Tensor) -> Tensor:
    """``-E log σ(C(real) - C(fake))``, over pairs (1807.00734)."""
    return F.softplus(fake - real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """``-E log σ(C(fake) - C(real))``: the same with real and fake exchanged."""
    return F.softplus(real - fake).mean()


def relativistic_average_critic(real: Tensor, fake: Tensor) -> Tensor:
    """``-E log σ(C(real) - E C(fake)) - E log(1 - σ(C(fake) - E C(real)))`` (1807.00734)."""
    return F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()


def relativistic_average_generator(real: Tensor, fake: Tensor) -> Tensor:
    """The same with real and fake exchanged."""
    return relativistic_average_critic(fake, real)


NON_SATURATING = Loss(logistic_critic, non_saturating_generator)
MINIMAX = Loss(logistic_critic, minimax_generator, setting="saturating")
LEAST_SQUARES = Loss(least_squares_critic, least_squares_generator)
WASSERSTEIN = Loss(wasserstein_critic, wasserstein_generator)
HINGE = Loss(hinge_critic, wasserstein_generator)
RELATIVISTIC = Loss(relativistic_critic, relativistic_generator, relativistic=True)
RELATIVISTIC_AVERAGE = Loss(relativistic_average_critic, relativistic_average_generator, relativistic=True)
