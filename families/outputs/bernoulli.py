"""The Bernoulli output: a channel is black or white."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from families.outputs.base import at_least_single


@dataclass(frozen=True)
class Bernoulli:
    """One logit ``l`` a channel, and two levels: ``P(1) = σ(l)``, ``P(0) = σ(-l)``.

    Args:
        levels: the number of levels, 2.

    Raises:
        ValueError: for other levels.
    """

    levels: int = 2
    joint = False

    def __post_init__(self) -> None:
        if self.levels != 2:
            raise ValueError(f"levels={self.levels}: a Bernoulli output takes 2; 'categorical' takes any number")

    def parameters(self, channels: int) -> int:
        """Return how many numbers a pixel takes: one logit a channel."""
        return channels

    def start(self, channels: int) -> Tensor:
        """Return logits of zero, ``(P,)``: a fair coin."""
        return torch.zeros(self.parameters(channels))

    def fitted(self, pixels: Tensor) -> Tensor:
        """Return logits of the shares of ones in pixels ``(N, C)``, ``(P,)``; both levels count once more than seen."""
        return ((pixels.float().sum(0) + 1) / (len(pixels) + 2)).logit()

    def uniforms(self, channels: int) -> int:
        """Return how many uniforms draw a pixel: one a channel."""
        return channels

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Return ``log σ(±l)`` in nats, summed over channels: ``(B, H, W)``."""
        logits = at_least_single(parameters)
        return F.logsigmoid(torch.where(images > 0, logits, -logits)).sum(1)

    def sample(self, parameters: Tensor, uniforms: Tensor, temperature: float = 1.0) -> Tensor:
        """Return level 0 where the uniform is below ``P(0)``, and 1 from there on."""
        return (parameters.double().div(-temperature).sigmoid() <= uniforms).to(torch.uint8)
