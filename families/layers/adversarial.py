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
    """

    critic: Term
    generator: Term
    relativistic: bool = False


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


NON_SATURATING = Loss(logistic_critic, non_saturating_generator)
WASSERSTEIN = Loss(wasserstein_critic, wasserstein_generator)
