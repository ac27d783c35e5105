"""The noise that dequantisation proposes in the bins of the first and last level, where a flow's density has tails."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST_POWER = 1 / 32
FARTHEST = 600.0  # of -log d: float64 ends at e^±709, and gradients pass by 1 / d
RAREST = 25 * math.log(2)  # of -log t: uniform noise comes no nearer to 0 (see ``HALF_A_STEP``)
DEPTH = -4.0  # at first: noise is uniform to within some per cent
RATE = 10.0  # how many times as fast as other weights powers and depths learn: both have far to go, as in ActNorm


class EndTails(nn.Module):
    """Noise in the end bins whose log-distance from the end is logistic, and uniform as it came in all other bins.

    At a distance d within one level of the nearer end of (0, levels) the noise has the draw and the density

        d = (c·t / (1 - (1 - c)·t))^(1/a),  t uniform on (0, 1),        q(d) = a·t·(1 - (1 - c)·t) / d,

    so that ``log d`` is a logistic of scale ``1/a`` about ``-b/a``, cut off at 0, with ``c = σ(-b)``. A power a and a
    depth b are learned for each value of a canvas and each end. Where b is low this is the power law ``a·d^(a - 1)``,
    and uniform for ``a = 1``, where it begins; where b is high the whole of a bell fits into the bin.

    A flow that opens its end bins to ±∞ by a logarithm (see ``OpenEnds``) has just such densities in them: near the end
    the power of d that a base's exponential tail makes, and farther off its bell. Importance weights of uniform noise
    have no second moment where that power is below ½. The weight ``p / q`` of this noise has the same mean, the
    probability of the image, and a and b are learned by the loss of the flow itself: variational dequantisation
    (1902.00275, §3.1), by noise whose values are independent.

    Values that are moved near the upper end are returned as ``-d``, since float64 has no numbers for ``levels - d``.

    Args:
        shape: the shape ``(C, H, W)`` of the canvas.
        levels: how many levels a pixel has.
    """

    def __init__(self, shape: tuple[int, int, int], levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.log_powers = nn.Parameter(torch.zeros(2, *shape))  # of the lower and the upper end, divided by the rate
        self.further = nn.Parameter(torch.zeros(2, *shape))  # depths from the first one on, divided by the rate

    def powers(self) -> Tensor:
        """Return a of the lower and the upper end, float64 ``(2, C, H, W)``."""
        return LEAST_POWER + (1 - LEAST_POWER) * (RATE * self.log_powers.double()).exp()

    def depths(self) -> Tensor:
        """Return b of the lower and the upper end, float64 ``(2, C, H, W)``."""
        return DEPTH + RATE * self.further.double()

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Move uniformly dequantised values, float64 ``(B, C, H, W)``, and return them and ``log q``, nats ``(B,)``."""
        lower = values < self.levels / 2
        distance = torch.where(lower, values, self.levels - values)
        inside = distance < 1
        powers = self.powers()
        log_c = torch.maximum(F.logsigmoid(-self.depths()), RAREST - FARTHEST * powers)  # so that no d is 0
        power = torch.where(lower, powers[0], powers[1])
        log_scale = torch.where(lower, log_c[0], log_c[1])
        t = torch.where(inside, distance, 0.5)  # elsewhere any t: at 1 gradients of depths would not be finite
        log_rest = torch.log1p(torch.expm1(log_scale) * t)  # of 1 - (1 - c)·t
        log_distance = (log_scale + t.log() - log_rest) / power
        moved = torch.where(lower, 1.0, -1.0) * log_distance.exp()
        log_density = power.log() + t.log() + log_rest - log_distance
        return torch.where(inside, moved, values), torch.where(inside, log_density, 0.0).flatten(1).sum(1)
