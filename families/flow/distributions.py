"""Base distributions of flows, as nflows' ``Distribution``s: independent dimensions of one shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from nflows.distributions.base import Distribution
from torch import Generator, Tensor
from torch.nn import functional as F

from genbench.seed import normal, uniform

HALF_A_STEP = 2.0**-25  # of float32 uniforms, which are multiples of 2^-24: keeps them off 0 and 1


class Independent(Distribution):
    """Vectors whose dimensions are independent draws of one distribution; a subclass says which.

    nflows' own have no logistic, and take no generator: their ``sample`` is not for use, :meth:`draw` is.

    Args:
        size: dimensions of a vector.
    """

    origin: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("origin", torch.zeros(size), persistent=False)  # follows device and dtype

    def _log_prob(self, inputs: Tensor, context: Tensor | None) -> Tensor:
        """Return the log-density of ``(B, size)`` in nats, summed in float64: ``(B,)``."""
        return self._log_density(inputs).sum(1, dtype=torch.float64)

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Draw ``n`` vectors, ``(n, size)``, in the model's type and on its device."""
        return self._noise((n, len(self.origin)), generator).to(self.origin)

    def _log_density(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} is not whole: write _log_density() and _noise()")

    def _noise(self, shape: Sequence[int], generator: Generator) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} is not whole: write _log_density() and _noise()")


class StandardNormal(Independent):
    """The standard normal, ``log p(x) = -½ x² - ½ log 2π`` in each dimension."""

    def _log_density(self, x: Tensor) -> Tensor:
        return -0.5 * x.square() - 0.5 * math.log(2 * math.pi)

    def _noise(self, shape: Sequence[int], generator: Generator) -> Tensor:
        return normal(shape, generator)


class StandardLogistic(Independent):
    """The standard logistic, ``log p(x) = -log(1 + e^x) - log(1 + e^-x)``, of variance π²/3 (1410.8516, §3.4)."""

    def _log_density(self, x: Tensor) -> Tensor:
        return -F.softplus(x) - F.softplus(-x)

    def _noise(self, shape: Sequence[int], generator: Generator) -> Tensor:
        return torch.logit(uniform(shape, generator).double() + HALF_A_STEP)
