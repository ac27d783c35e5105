"""The mixture output: a mixture of logistics cut into bins, one component for all channels of a pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from families.layers.options import whole
from families.layers.scaling import to_levels
from families.outputs.base import at_least_single, descend, invert
from families.outputs.logistic import LOG_SCALE_FLOOR, log_bin, soft_log_scale


@dataclass(frozen=True)
class LogisticMixture:
    """The discretised mixture of logistics (1701.05517), of all channels of a pixel at once.

        P(x) = Σ_m π_m ∏_c bin(x_c; μ_mc + Σ_{j<c} tanh(k_mcj) x_j, s_mc),    x on [-1, 1]

    A component is chosen for the pixel, not for a channel, and within it a channel's mean is linear in the stored
    levels of the channels before it. Bins are those of :func:`families.outputs.logistic.log_bin`: exact, with open
    tails.

    Parameters stand in rows of ``components`` numbers: logits of π; means, channel by channel; raw log-scales, channel
    by channel; the k of channel 1 on 0, of 2 on 0 and 1, and so on. That is ``1 + 2C + C(C-1)/2`` rows.

    Args:
        levels: the number of levels, 2 to 256.
        components: logistics in the mixture; the paper finds 5 to be enough.
        floor: least log s, reached softly so that a scale below it can still come back.

    Raises:
        ValueError: for less than one component.
    """

    levels: int
    components: int = 5
    floor: float = LOG_SCALE_FLOOR
    joint = True

    def __post_init__(self) -> None:
        whole(1, components=self.components)

    def parameters(self, channels: int) -> int:
        """Return ``M (1 + 2C + C(C-1)/2)``, a pixel's numbers: 3 a component for one channel, 10 for three."""
        return self.components * sum(self._counts(channels))

    def start(self, channels: int) -> Tensor:
        """Return components alike in weight, side by side from black to white, ``(P,)``.

        Components must differ to begin with: those that start alike get the same gradient for ever.
        """
        centres = (2 * torch.arange(self.components) + 1) / self.components - 1
        rows = torch.zeros(self.parameters(channels)).view(-1, self.components)
        _, means, raw, _ = rows.split(self._counts(channels))
        means.copy_(centres)
        raw.fill_(-math.log(2 * self.components))
        return rows.flatten()

    def fitted(self, pixels: Tensor) -> Tensor:
        """Return the parameters ``(P,)`` that Adam finds likeliest for pixels ``(N, C)``, from ``start`` on."""
        return descend(self, pixels)

    def uniforms(self, channels: int) -> int:
        """Return how many uniforms draw a pixel: one for the component and one a channel."""
        return 1 + channels

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Return every pixel's nats, ``log Σ_m π_m ∏_c bin_mc``: ``(B, H, W)``."""
        channels = images.shape[1]
        rows = at_least_single(parameters).unflatten(1, (-1, self.components))  # (B, R, M, H, W)
        weights, means, raw, coefficients = rows.split(self._counts(channels), 1)
        units = [self._unit(level.to(means.dtype)).unsqueeze(1) for level in images.unbind(1)]  # (B, 1, H, W) each
        bent = [_bent(means[:, c], coefficients, units[:c]) for c in range(channels)]
        nats = log_bin(images.unsqueeze(2), torch.stack(bent, 1), soft_log_scale(raw, self.floor), self.levels)
        return (weights[:, 0].log_softmax(1) + nats.sum(1)).logsumexp(1)

    def sample(self, parameters: Tensor, uniforms: Tensor, temperature: float = 1.0) -> Tensor:
        """Draw a component by the first uniform, then channel by channel ``μ + s·logit(u)``, rounded to a level.

        The next channel is conditioned on the rounded level, as in ``log_prob``: samples follow it exactly.
        """
        channels = uniforms.shape[1] - 1
        uniforms = uniforms.double()
        # cached samplers come here for every pixel: two views cost less than a pattern
        rows = parameters.unflatten(1, (-1, self.components)).movedim(2, -1)  # (B, R, H, W, M)
        chosen = invert(rows[:, 0], uniforms[:, 0], temperature)[:, None, ..., None].expand(*rows.shape[:-1], 1)
        own = rows.gather(-1, chosen).squeeze(-1).double()
        _, means, raw, coefficients = own.split(self._counts(channels), 1)
        noise = temperature * soft_log_scale(raw, self.floor).exp() * torch.logit(uniforms[:, 1:])
        drawn: list[Tensor] = []
        for c in range(channels):
            mean = _bent(means[:, c], coefficients, [self._unit(level) for level in drawn])
            drawn.append(to_levels(mean + noise[:, c], self.levels).round().clamp(0, self.levels - 1))
        return torch.stack(drawn, 1).to(torch.uint8)

    def _counts(self, channels: int) -> list[int]:
        """Return how many rows weights, means, raw log-scales and coefficients take."""
        return [1, channels, channels, channels * (channels - 1) // 2]

    def _unit(self, level: Tensor) -> Tensor:
        return level * (2 / (self.levels - 1)) - 1


def _bent(mean: Tensor, coefficients: Tensor, earlier: Sequence[Tensor]) -> Tensor:
    """Return a channel's mean, given the channels before it: ``μ + Σ_j tanh(k_j) x_j``."""
    first = len(earlier) * (len(earlier) - 1) // 2
    for j, unit in enumerate(earlier):
        mean = mean + coefficients[:, first + j].tanh() * unit
    return mean
