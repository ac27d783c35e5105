"""Base distributions of flows, as nflows' ``Distribution``s: independent dimensions of one shape."""

from __future__ import annotations

import math

import torch
from nflows.distributions.base import Distribution
from torch import Tensor
from torch.nn import functional as F


class Independent(Distribution):
    """Vectors whose dimensions are independent draws of one distribution; a subclass says which.

    nflows' own draw in float32 whatever the model's type, and have no logistic.

    Args:
        size: of a vector.
    """

    origin: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("origin", torch.zeros(size), persistent=False)  # follows device and dtype

    def _log_prob(self, inputs: Tensor, context: Tensor | None) -> Tensor:
        """Nats of ``(B, size)``, summed in float64: ``(B,)``."""
        return self._log_density(inputs).sum(1, dtype=torch.float64)

    def _sample(self, num_samples: int, context: Tensor | None) -> Tensor:
        """``(num_samples, size)`` from torch's global generator: seed it."""
        return self._noise(self.origin.expand(num_samples, -1))

    def _log_density(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} is not whole: write _log_density() and _noise()")

    def _noise(self, like: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} is not whole: write _log_density() and _noise()")


class StandardNormal(Independent):
    """``log p(x) = -½ x² - ½ log 2π``."""

    def _log_density(self, x: Tensor) -> Tensor:
        return -0.5 * x.square() - 0.5 * math.log(2 * math.pi)

    def _noise(self, like: Tensor) -> Tensor:
        return torch.randn_like(like, memory_format=torch.contiguous_format)


class StandardLogistic(Independent):
    """``log p(x) = -log(1 + e^x) - log(1 + e^-x)``, of variance π²/3 (1410.8516, §3.4)."""

    def _log_density(self, x: Tensor) -> Tensor:
        return -F.softplus(x) - F.softplus(-x)

    def _noise(self, like: Tensor) -> Tensor:
        uniforms = torch.rand_like(like, dtype=torch.float64, memory_format=torch.contiguous_format)
        return torch.logit(uniforms, eps=1e-15).to(like.dtype)  # a uniform of exactly 0 would be -∞
