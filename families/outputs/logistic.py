"""The logistic output: a logistic cut into bins round the levels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from families.layers.scaling import to_levels, to_uint8
from families.outputs.base import at_least_single, descend

LOG_SCALE_FLOOR = -7.0
LARGEST_LOG_SCALE = 20.0
FIRST_LOG_SCALE = -1.0  # likeliest, or nearly, where all levels are as frequent


def log_bin(images: Tensor, mean: Tensor, log_scale: Tensor, levels: int) -> Tensor:
    """Return nats of the levels' bins under logistics on [-1, 1]; the first and the last bin are open (1701.05517).

    With x the level on [-1, 1], h = 1/(levels - 1) half a bin, a = (x + h - μ)/s and b = (x - h - μ)/s,

        P(x) = σ(a) - σ(b) = σ(a) · σ(-b) · (1 - exp(b - a)),

    and the product is computed in logarithms: no term cancels, so that no density has to stand in where a bin holds
    next to nothing (1701.05517's code falls back to one). The first bin is σ(a), the last σ(-b).

    Args:
        images: levels, of a shape that broadcasts with the others.
        mean: the mean μ.
        log_scale: the logarithm of the scale s.
        levels: the number of levels, 2 to 256.
    """
    half = 1 / (levels - 1)
    offset = images.to(mean.dtype) * (2 * half) - 1 - mean
    sharp = torch.exp(-log_scale)
    up_to = F.logsigmoid((offset + half) * sharp)
    from_on = F.logsigmoid(-(offset - half) * sharp)
    both = up_to + from_on + torch.log(-torch.expm1(-2 * half * sharp))
    return torch.where(images == 0, up_to, torch.where(images == levels - 1, from_on, both))


def soft_log_scale(raw: Tensor, floor: float) -> Tensor:
    """Return ``floor + softplus(raw - floor)``, capped: ``raw`` well above ``floor``, and never below it."""
    return (floor + F.softplus(raw - floor)).clamp(max=LARGEST_LOG_SCALE)


@dataclass(frozen=True)
class DiscretisedLogistic:
    """A logistic for each channel, cut into bins: see :func:`log_bin`.

    Args:
        levels: the number of levels, 2 to 256.
        floor: least log s, reached softly so that a scale below it can still come back: a spike never wins without end.
    """

    levels: int
    floor: float = LOG_SCALE_FLOOR
    joint = False

    def parameters(self, channels: int) -> int:
        """Return how many numbers a pixel takes: a mean μ and a raw log-scale for each channel."""
        return 2 * channels

    def start(self, channels: int) -> Tensor:
        """Return means of 0 and log-scales of -1, ``(P,)``: within 0.3 bits of the uniform over 256 levels."""
        return torch.tensor([0.0, FIRST_LOG_SCALE]).repeat(channels)

    def fitted(self, pixels: Tensor) -> Tensor:
        """Return the parameters ``(P,)`` that Adam finds likeliest for pixels ``(N, C)``, from ``start`` on."""
        return descend(self, pixels)

    def uniforms(self, channels: int) -> int:
        """Return how many uniforms draw a pixel: one a channel."""
        return channels

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Return every pixel's nats, summed over channels: ``(B, H, W)``."""
        mean, log_scale = self._mean_and_log_scale(at_least_single(parameters), images.shape[1])
        return log_bin(images, mean, log_scale, self.levels).sum(1)

    def sample(self, parameters: Tensor, uniforms: Tensor, temperature: float = 1.0) -> Tensor:
        """Return ``μ + s·logit(u)`` in levels, rounded to the nearest: exactly the bins of ``log_prob``."""
        mean, log_scale = self._mean_and_log_scale(parameters.double(), uniforms.shape[1])
        noise = temperature * torch.logit(uniforms.double())
        return to_uint8(to_levels(mean + log_scale.exp() * noise, self.levels), self.levels)

    def _mean_and_log_scale(self, parameters: Tensor, channels: int) -> tuple[Tensor, Tensor]:
        # cached samplers come here for every pixel: two views cost less than a pattern
        mean, raw = parameters.unflatten(1, (channels, 2)).unbind(2)
        return mean, soft_log_scale(raw, self.floor)
