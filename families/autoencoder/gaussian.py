"""Diagonal Gaussians over codes, and the priors that are made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genbench.interface import Batch


@dataclass(frozen=True)
class Gaussian:
    """Independent normals: ``mean`` and ``log_std``, each ``(B, Z)``."""

    mean: Tensor
    log_std: Tensor

    def at(self, noise: Tensor) -> Tensor:
        """The reparameterised draw ``μ + σ·ε`` (1312.6114), from standard normal noise ``(…, B, Z)``."""
        return self.mean + self.log_std.exp() * noise

    def log_prob(self, z: Tensor) -> Tensor:
        """Nats of codes ``(…, B, Z)``: ``(…, B)``."""
        standard = (z - self.mean) * (-self.log_std).exp()
        return (-0.5 * standard.square() - self.log_std - 0.5 * math.log(2 * math.pi)).sum(-1)


class StandardNormal(nn.Module):
    """The prior N(0, I). A prior that learns, or that looks at what is given, answers the same call.

    Args:
        latents: ``Z``.
    """

    origin: Tensor

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.register_buffer("origin", torch.zeros(latents), persistent=False)  # follows device and dtype

    def forward(self, given: Batch) -> Gaussian:
        """The same for every row of ``given``."""
        zeros = self.origin.expand(len(given), -1)
        return Gaussian(zeros, zeros)
