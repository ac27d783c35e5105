"""A gradient that is turned round on its way back (1409.7495)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: float) -> Tensor:  # noqa: ANN401 - torch's own context
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - torch's own context
        return -ctx.weight * gradient, None


def reversed_gradient(x: Tensor, weight: float = 1.0) -> Tensor:
    """Return x as it is; its gradient comes back times ``-weight``.

    What stands behind minimises its loss, and what stands in front maximises it, in one step of one optimiser.
    """
    return _Reversal.apply(x, weight)
