"""Importance weights, by their logarithms: their mean, and how many they are worth."""

from __future__ import annotations

import math

from torch import Tensor


def log_mean_exp(log_weights: Tensor, dim: int) -> Tensor:
    """Return ``log 1/K Σ w_k`` along ``dim``."""
    return log_weights.logsumexp(dim) - math.log(log_weights.shape[dim])


def effective(log_weights: Tensor, dim: int) -> Tensor:
    """Return the effective sample size ``(Σ w_k)² / Σ w_k²`` along ``dim``: K for equal weights, 1 for one, 0 for none.

    It says how uneven the drawn weights are, and nothing of those that were missed.
    """
    return (2 * log_weights.logsumexp(dim) - (2 * log_weights).logsumexp(dim)).exp().nan_to_num(0.0)
