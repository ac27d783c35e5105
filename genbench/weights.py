"""What importance weights say together: their mean, and how many equal ones they are worth."""

from __future__ import annotations

import math

from torch import Tensor


def log_mean_exp(log_weights: Tensor, dim: int) -> Tensor:
    """``log 1/K Σ w_k`` along ``dim``."""
    return log_weights.logsumexp(dim) - math.log(log_weights.shape[dim])


def effective(log_weights: Tensor, dim: int) -> Tensor:
    """Effective sample size ``(Σ w_k)² / Σ w_k²`` along ``dim``: K for equal weights, 1 where one is all, 0 for none.

    It says how uneven the weights are that were drawn, and nothing of those that were missed: K weights that all lie
    far from the posterior may be even.
    """
    return (2 * log_weights.logsumexp(dim) - (2 * log_weights).logsumexp(dim)).exp().nan_to_num(0.0)
