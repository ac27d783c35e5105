"""The categorical output: a probability for every level."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from families.outputs.base import at_least_single, invert


@dataclass(frozen=True)
class Categorical:
    """A softmax over the levels of each channel.

    Args:
        levels: the number ``K`` of levels, 2 to 256.
    """

    levels: int
    joint = False

    def parameters(self, channels: int) -> int:
        """Return how many numbers a pixel takes: one logit for each level and channel."""
        return channels * self.levels

    def start(self, channels: int) -> Tensor:
        """Return logits of zero, ``(P,)``: every level is as likely."""
        return torch.zeros(self.parameters(channels))

    def fitted(self, pixels: Tensor) -> Tensor:
        """Return the logarithms of the levels' frequencies in pixels ``(N, C)``, of each channel, ``(P,)``.

        Every level counts as seen once more than it was, so that all stay possible.
        """
        counts = 1 + torch.stack([channel.long().bincount(minlength=self.levels) for channel in pixels.unbind(1)])
        return (counts / counts.sum(1, keepdim=True)).log().flatten()

    def uniforms(self, channels: int) -> int:
        """Return how many uniforms draw a pixel: one a channel."""
        return channels

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Return ``logit_x - logsumexp(logits)``, summed over channels: ``(B, H, W)``."""
        # Channels go into the batch, which costs nothing: a softmax over a transposed axis takes twice as long.
        logits = rearrange(at_least_single(parameters), "b (c level) y x -> (b c) level y x", level=self.levels)
        levels = rearrange(images.long(), "b c y x -> (b c) y x")
        nats = -F.cross_entropy(logits, levels, reduction="none")
        return rearrange(nats, "(b c) y x -> b c y x", b=len(images)).sum(1)

    def sample(self, parameters: Tensor, uniforms: Tensor, temperature: float = 1.0) -> Tensor:
        """Return the level whose stretch of the distribution function holds the uniform."""
        # cached samplers come here for every pixel: two views cost less than a pattern
        logits = parameters.unflatten(1, (uniforms.shape[1], self.levels)).movedim(2, -1)  # (B, C, H, W, K)
        return invert(logits, uniforms, temperature).to(torch.uint8)
