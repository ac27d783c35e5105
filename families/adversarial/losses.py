"""What critic and generator minimise: plain functions of the logits of real and of generated images.

Each takes ``(real_logits, fake_logits)`` of any shape (one logit an image, or a map of them) and returns a scalar.
Write C for the critic's logit, so that 1406.2661's D is sigmoid(C).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

Objective = Callable[[Tensor, Tensor], Tensor]
Share = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Loss:
    """The two sides of a game.

    Args:
        critic: what the critic minimises.
        generator: what the generator minimises.
        relativistic: whether the generator's side reads the real logits. Where it does not, it is handed none (an
            empty tensor, whose mean is NaN), which saves a pass through the critic.
        setting: what options make of it, in words for a table; empty for nothing.
        real_share: what real logits alone add to the critic's side, where that is a sum over real and fake ones.
        fake_share: what the logits of fakes alone add to it.
    """

    critic: Objective
    generator: Objective
    relativistic: bool = False
    setting: str = ""
    real_share: Share | None = None
    fake_share: Share | None = None

    def on_real(self, logits: Tensor) -> Tensor:
        """Return what real images alone add to the critic's side.

        Raises:
            ValueError: where that side is no sum over real images and fakes.
        """
        return _shared(self.real_share)(logits)

    def on_fake(self, logits: Tensor) -> Tensor:
        """Return what fakes alone add to the critic's side, so that it can have several kinds of them.

        Raises:
            ValueError: where that side is no sum over real images and fakes.
        """
        return _shared(self.fake_share)(logits)


def _shared(share: Share | None) -> Share:
    if share is None:
        raise ValueError("loss: its critic's side cannot be taken apart: give one that is a sum over real and fake")
    return share


def logistic_real(real: Tensor) -> Tensor:
    """Return ``-E log D(real)``."""
    return F.softplus(-real).mean()


def logistic_fake(fake: Tensor) -> Tensor:
    """Return ``-E log(1 - D(fake))``."""
    return F.softplus(fake).mean()


def logistic_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``-E log D(real) - E log(1 - D(fake))``, from logits (1406.2661, equation 1)."""
    return logistic_real(real) + logistic_fake(fake)


def non_saturating_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``-E log D(fake)``: its gradient is largest where the critic is sure of a fake (1406.2661, section 3)."""
    return F.softplus(-fake).mean()


def wasserstein_real(real: Tensor) -> Tensor:
    """Return ``-E C(real)``."""
    return -real.mean()


def wasserstein_fake(fake: Tensor) -> Tensor:
    """Return ``E C(fake)``."""
    return fake.mean()


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``E C(fake) - E C(real)``: minus the Wasserstein distance where C is 1-Lipschitz (1701.07875)."""
    return fake.mean() - real.mean()


def wasserstein_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``-E C(fake)``."""
    return -fake.mean()


def minimax_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``E log(1 - D(fake))``, the game as written (1406.2661, equation 1): it fades where the critic wins."""
    return -F.softplus(fake).mean()


def smoothed_real(target: float) -> Share:
    """Return what real images add to :func:`smoothed_critic`: ``-E [t log D + (1 - t) log(1 - D)]``, t the target.

    Raises:
        ValueError: for a target outside (0, 1].
    """
    if not 0 < target <= 1:
        raise ValueError(f"smoothing: a target of {target} for real images: give above 0, up to 1")

    def share(real: Tensor) -> Tensor:
        sure, other = F.softplus(-real).mean(), F.softplus(real).mean()
        return target * sure + (1 - target) * other

    return share


def smoothed_critic(target: float) -> Objective:
    """Return the logistic critic whose target for real images is ``target`` instead of 1 (1606.03498, section 3.4).

    Raises:
        ValueError: for a target outside (0, 1].
    """
    on_real = smoothed_real(target)

    def critic(real: Tensor, fake: Tensor) -> Tensor:
        return on_real(real) + logistic_fake(fake)

    return critic


def half_square_real(real: Tensor) -> Tensor:
    """Return ``½ E (C(real) - 1)²``."""
    return (real - 1).square().mean() / 2


def half_square_fake(fake: Tensor) -> Tensor:
    """Return ``½ E C(fake)²``."""
    return fake.square().mean() / 2


def least_squares_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``½ E (C(real) - b)² + ½ E (C(fake) - a)²`` with b = 1, a = 0 (1611.04076, equation 2)."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``½ E (C(fake) - c)²`` with c = 1."""
    return (fake - 1).square().mean() / 2


def whole_square_real(real: Tensor) -> Tensor:
    """Return ``E (C(real) - 1)²``, which is also the generator's side where ``real`` are its fakes."""
    return (real - 1).square().mean()


def whole_square_fake(fake: Tensor) -> Tensor:
    """Return ``E C(fake)²``."""
    return fake.square().mean()


def whole_squares_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``E (C(real) - 1)² + E C(fake)²``: least squares without the halves, as translators write it."""
    return whole_square_real(real) + whole_square_fake(fake)


def whole_squares_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``E (C(fake) - 1)²``."""
    return whole_square_real(fake)


def hinge_real(real: Tensor) -> Tensor:
    """Return ``E max(0, 1 - C(real))``."""
    return F.relu(1 - real).mean()


def hinge_fake(fake: Tensor) -> Tensor:
    """Return ``E max(0, 1 + C(fake))``."""
    return F.relu(1 + fake).mean()


def hinge_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``E max(0, 1 - C(real)) + E max(0, 1 + C(fake))`` (1802.05957, equation 16)."""
    return hinge_real(real) + hinge_fake(fake)


def relativistic_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``-E log σ(C(real) - C(fake))``, over pairs (1807.00734)."""
    return F.softplus(fake - real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``-E log σ(C(fake) - C(real))``: the same with real and fake exchanged."""
    return F.softplus(real - fake).mean()


def relativistic_average_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``-E log σ(C(real) - E C(fake)) - E log(1 - σ(C(fake) - E C(real)))`` (1807.00734)."""
    return F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()


def relativistic_average_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the critic's side with real and fake exchanged."""
    return relativistic_average_critic(fake, real)


NON_SATURATING = Loss(logistic_critic, non_saturating_generator, real_share=logistic_real, fake_share=logistic_fake)
MINIMAX = Loss(
    logistic_critic, minimax_generator, setting="saturating", real_share=logistic_real, fake_share=logistic_fake
)
LEAST_SQUARES = Loss(
    least_squares_critic, least_squares_generator, real_share=half_square_real, fake_share=half_square_fake
)
LEAST_SQUARES_WHOLE = Loss(
    whole_squares_critic, whole_squares_generator, real_share=whole_square_real, fake_share=whole_square_fake
)
WASSERSTEIN = Loss(wasserstein_critic, wasserstein_generator, real_share=wasserstein_real, fake_share=wasserstein_fake)
HINGE = Loss(hinge_critic, wasserstein_generator, real_share=hinge_real, fake_share=hinge_fake)
RELATIVISTIC = Loss(relativistic_critic, relativistic_generator, relativistic=True)
RELATIVISTIC_AVERAGE = Loss(relativistic_average_critic, relativistic_average_generator, relativistic=True)


def _each_side(loss: Loss, change: Callable[[Callable[..., Tensor]], Callable[..., Tensor]]) -> Loss:
    return replace(
        loss,
        critic=change(loss.critic),
        generator=change(loss.generator),
        real_share=loss.real_share and change(loss.real_share),
        fake_share=loss.fake_share and change(loss.fake_share),
    )


def weighted_critic(loss: Loss, weight: float) -> Loss:
    """Return the loss with the critic's side under a weight, whatever is fake in it."""
    weighted = _each_side(loss, lambda side: lambda *logits: weight * side(*logits))
    return replace(weighted, generator=loss.generator)


def slow_critic(loss: Loss) -> Loss:
    """Return the loss with half the critic's side, which slows it beside the generator (1611.07004, section 3.3)."""
    return weighted_critic(loss, 0.5)


def weighted_generator(loss: Loss, weight: float) -> Loss:
    """Return the loss with the generator's side under a weight, which its setting says, beside terms that have none."""
    said = ", ".join(filter(None, [f"{weight:g} game", loss.setting]))
    return replace(loss, generator=lambda real, fake: weight * loss.generator(real, fake), setting=said)


def by_parts(loss: Loss, sizes: Sequence[int]) -> Loss:
    """Return the sum of a loss over parts of each image's logits ``(B, P)``, whose means stay apart.

    Args:
        loss: the loss of each part.
        sizes: the number of logits of each part; their sum is P.
    """

    def parts(logits: Tensor) -> Sequence[Tensor]:
        return logits.split(list(sizes), 1) if logits.dim() > 1 else [logits] * len(sizes)  # none are handed on as such

    def summed(side: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *logits: torch.stack([side(*one) for one in zip(*map(parts, logits), strict=True)]).sum()

    return _each_side(loss, summed)


def over_places(loss: Loss) -> Loss:
    """Return the loss summed over the places of each image's map of logits, where others take the mean."""
    return _each_side(loss, lambda side: lambda *logits: logits[-1][0].numel() * side(*logits))
