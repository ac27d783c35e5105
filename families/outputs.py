"""Distributions over integer levels: what a network's numbers say of a pixel.

Every output answers four questions, so that a model is a network × an output and a new output fits every network:
how many ``parameters`` a pixel takes, how many ``uniforms`` draw one, the ``log_prob`` of stored levels, and the
``sample`` that uniforms lead to. Sampling inverts the distribution function, so that the same uniforms and nearly the
same parameters give the same levels, whichever way the parameters were computed.

Shapes: ``B`` batch, ``C, H, W`` image, ``P`` parameters a pixel, ``K`` parameters a channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from families.layers.scaling import to_levels, to_uint8

LARGEST_LOG_SCALE = 20.0


class Output(Protocol):
    """A distribution over the levels of a pixel's channels, given ``P`` numbers.

    ``joint`` says that a pixel's channels are drawn at once, from parameters that see earlier pixels only. Otherwise
    they are independent given their parameters, which stand channel by channel: ``P = C·K``, channel-major.
    """

    @property
    def levels(self) -> int:
        """How many levels a channel can take."""
        ...

    @property
    def joint(self) -> bool:
        """Whether a pixel's channels are drawn at once."""
        ...

    def parameters(self, channels: int) -> int:
        """``P``: numbers a pixel of so many channels takes."""
        ...

    def uniforms(self, channels: int) -> int:
        """Uniforms that draw one pixel."""
        ...

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Nats of every pixel, ``(B, H, W)``, from parameters ``(B, P, H, W)`` and levels ``(B, C, H, W)``."""
        ...

    def sample(self, parameters: Tensor, uniforms: Tensor) -> Tensor:
        """Levels, uint8 ``(B, C, H, W)``, from parameters ``(B, P, H, W)`` and uniforms on [0, 1) ``(B, ·, H, W)``."""
        ...


@dataclass(frozen=True)
class Categorical:
    """A softmax over the levels of each channel; with two levels a Bernoulli.

    Args:
        levels: ``K``, 2 to 256.
    """

    levels: int
    joint = False

    def parameters(self, channels: int) -> int:
        """One logit a level and channel."""
        return channels * self.levels

    def uniforms(self, channels: int) -> int:
        """One a channel."""
        return channels

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """``logit_x - logsumexp(logits)``, summed over channels: ``(B, H, W)``."""
        # Channels go into the batch, which costs nothing: a softmax over a transposed axis takes twice as long.
        logits = parameters.reshape(-1, self.levels, *images.shape[2:])  # (B·C, K, H, W)
        nats = -F.cross_entropy(logits, images.long().flatten(0, 1), reduction="none")
        return nats.view(images.shape).sum(1)

    def sample(self, parameters: Tensor, uniforms: Tensor) -> Tensor:
        """The level whose stretch of the distribution function, summed in float64, holds the uniform."""
        logits = parameters.unflatten(1, (uniforms.shape[1], self.levels))  # (B, C, K, H, W)
        below = logits.double().softmax(2).cumsum(2)[:, :, :-1]  # the last is 1, and rounding must not say otherwise
        return (below <= uniforms.double().unsqueeze(2)).sum(2).to(torch.uint8)


@dataclass(frozen=True)
class DiscretisedLogistic:
    """A logistic on [-1, 1] cut into bins round the levels, the first and last of them open (1701.05517).

    With x the level on [-1, 1], h = 1/(levels - 1) half a bin, a = (x + h - μ)/s and b = (x - h - μ)/s,

        P(x) = σ(a) - σ(b) = σ(a) · σ(-b) · (1 - exp(b - a)),

    and the product is computed in logarithms: no term cancels, so that no density has to stand in where a bin holds
    next to nothing (1701.05517's code falls back to one). The first bin is σ(a), the last σ(-b).

    Args:
        levels: 2 to 256.
        floor: of log s, reached softly so that a scale below it can still come back: a spike never wins without end.
    """

    levels: int
    floor: float = -7.0
    joint = False

    def parameters(self, channels: int) -> int:
        """Mean μ and raw log-scale for each channel."""
        return 2 * channels

    def uniforms(self, channels: int) -> int:
        """One a channel."""
        return channels

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Nats of every pixel, summed over channels: ``(B, H, W)``."""
        mean, log_scale = self._mean_and_log_scale(parameters, images.shape[1])
        half = 1 / (self.levels - 1)
        offset = images.to(mean.dtype) * (2 * half) - 1 - mean
        sharp = torch.exp(-log_scale)
        up_to, from_on = F.logsigmoid((offset + half) * sharp), F.logsigmoid(-(offset - half) * sharp)
        both = up_to + from_on + torch.log(-torch.expm1(-2 * half * sharp))
        inner = torch.where(images == 0, up_to, torch.where(images == self.levels - 1, from_on, both))
        return inner.sum(1)

    def sample(self, parameters: Tensor, uniforms: Tensor) -> Tensor:
        """``μ + s·logit(u)``, in levels, rounded to the nearest: exactly the bins of ``log_prob``."""
        mean, log_scale = self._mean_and_log_scale(parameters.double(), uniforms.shape[1])
        return to_uint8(to_levels(mean + log_scale.exp() * torch.logit(uniforms.double()), self.levels), self.levels)

    def _mean_and_log_scale(self, parameters: Tensor, channels: int) -> tuple[Tensor, Tensor]:
        mean, raw = parameters.unflatten(1, (channels, 2)).unbind(2)
        return mean, (self.floor + F.softplus(raw - self.floor)).clamp(max=LARGEST_LOG_SCALE)


OUTPUTS = {"categorical": Categorical, "logistic": DiscretisedLogistic}


def output(name: str, levels: int) -> Output:
    """An output by its name in recipes' options.

    Raises:
        ValueError: for a name that is none of ``OUTPUTS``.
    """
    if name not in OUTPUTS:
        raise ValueError(f"output={name!r}: give one of {', '.join(OUTPUTS)}")
    return OUTPUTS[name](levels)
