"""Normalisations that can be undone and counted."""

from __future__ import annotations

import torch
from nflows.transforms.base import Transform
from torch import Tensor


class BatchNorm(Transform):
    """Batch normalisation as a bijection: ``y = (x - μ) / √(σ² + ε)`` a channel (1605.08803, §3.7).

    ``log |det| = -½ H·W Σ log(σ² + ε)`` over channels. In training μ and σ² are the batch's and gradients flow through
    them; in evaluation, and for the inverse always, they are running averages, so that no image depends on another.
    There is no learned scale: the couplings have one.

    Args:
        channels: ``C``.
        momentum: weight of a new batch in the running averages, once there have been enough batches for it: the first
            ones are averaged evenly, so that the averages never remember where they began.
        eps: added to the variance.
    """

    running_mean: Tensor
    running_var: Tensor
    batches: Tensor

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``(B, C, H, W)`` and ``log |det|``, ``(B,)``."""
        if not self.training:
            return self._normalise(inputs, self.running_mean, self.running_var)
        var, mean = torch.var_mean(inputs, (0, 2, 3), correction=0)
        with torch.no_grad():
            self.batches += 1
            weight = (1 / self.batches).clamp(min=self.momentum).to(mean.dtype)
            self.running_mean.lerp_(mean, weight)
            self.running_var.lerp_(var, weight)
        return self._normalise(inputs, mean, var)

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """With the running averages, whatever the mode."""
        std = (self.running_var + self.eps).sqrt()[:, None, None]
        return inputs * std + self.running_mean[:, None, None], -self._log_det(inputs, self.running_var)

    def _normalise(self, inputs: Tensor, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        outputs = (inputs - mean[:, None, None]) * (var + self.eps).rsqrt()[:, None, None]
        return outputs, self._log_det(inputs, var)

    def _log_det(self, inputs: Tensor, var: Tensor) -> Tensor:
        pixels = inputs[0, 0].numel()
        return (-0.5 * pixels * (var + self.eps).log().sum()).expand(len(inputs))
