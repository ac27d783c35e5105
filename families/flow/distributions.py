"""Base distributions of flows, as nflows' ``Distribution``s."""

from __future__ import annotations

import math

import torch
from nflows.distributions.base import Distribution
from torch import Tensor


class StandardNormal(Distribution):
    """N(0, I) over vectors; nflows' own draws in float32 whatever the model's type.

    Args:
        size: of a vector.
    """

    origin: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("origin", torch.zeros(size), persistent=False)  # follows device and dtype

    def _log_prob(self, inputs: Tensor, context: Tensor | None) -> Tensor:
        """Nats of ``(B, size)``, summed in float64: ``(B,)``."""
        return (-0.5 * inputs.square() - 0.5 * math.log(2 * math.pi)).sum(1, dtype=torch.float64)

    def _sample(self, num_samples: int, context: Tensor | None) -> Tensor:
        """``(num_samples, size)`` from torch's global generator: seed it."""
        return torch.randn(num_samples, len(self.origin), dtype=self.origin.dtype, device=self.origin.device)
