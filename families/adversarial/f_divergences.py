"""f-divergences and the variational bound that f-GAN trains by (1606.00709, table 2).

``D_f(P‖Q) = sup_T E_P T - E_Q f*(T)`` with ``T = g_f(V)``: V is the critic's logit, g_f brings it into the domain of
the conjugate f*. V is large on real images, since g_f rises, and ``f*(g_f)`` with it; Pearson's alone falls below
V = -2, where no best critic goes. ``jensen-shannon`` is the paper's, twice the usual one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from families.adversarial.losses import Loss


@dataclass(frozen=True)
class Divergence:
    """An f-divergence, as functions of V.

    Args:
        activation: ``g_f(V)``.
        conjugate: ``f*(g_f(V))``, simplified, which keeps it finite where f* of a rounded activation is not.
    """

    activation: Callable[[Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]

    def bound(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return ``E T(real) - E f*(T(fake))``, at most ``D_f(data‖model)`` in nats, and so much at the best critic."""
        return self.activation(real).mean() - self.conjugate(fake).mean()

    def loss(self, saturating: bool) -> Loss:
        """Return the game in which the critic raises the bound, and the generator lowers it or raises ``E T(fake)``."""

        def critic(real: Tensor, fake: Tensor) -> Tensor:
            return -self.bound(real, fake)

        def generator(real: Tensor, fake: Tensor) -> Tensor:
            return -self.conjugate(fake).mean() if saturating else -self.activation(fake).mean()

        return Loss(critic, generator, setting="saturating" if saturating else "")


DIVERGENCES = {
    "kl": Divergence(lambda v: v, lambda v: (v - 1).exp()),
    "reverse-kl": Divergence(lambda v: -(-v).exp(), lambda v: v - 1),
    "pearson": Divergence(lambda v: v, lambda v: v.square() / 4 + v),
    "squared-hellinger": Divergence(lambda v: -torch.expm1(-v), torch.expm1),
    "jensen-shannon": Divergence(lambda v: math.log(2) - F.softplus(-v), lambda v: F.softplus(v) - math.log(2)),
    "gan": Divergence(lambda v: -F.softplus(-v), F.softplus),
}
