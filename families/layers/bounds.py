"""Images held to the range of stored ones, in a way that loses none that a network makes outside of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

LEAK = 1e-4  # of a gradient that leads back


class _Held(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - torch's own context
        ctx.save_for_backward(x)
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401 - torch's own context
        (x,) = ctx.saved_tensors
        outside = (x - x.clamp(-1, 1)).sign()
        return gradient * torch.where(outside == 0, 1.0, torch.where(outside * gradient > 0, LEAK, 0.0)).to(x.dtype)


def held(images: Tensor, learning: bool) -> Tensor:
    """Return images clamped to [-1, 1], as the real ones are that a critic compares them with.

    A digit's background is exactly black, and that of a linear last layer is so nowhere: a critic can tell the two by
    that alone. While a network learns, a value outside gets a ten-thousandth of the gradients that lead back: with none
    a page that is white all over would stay so, and a hundredth is already enough for a critic to draw backgrounds out
    of the black again. In evaluation the derivative is the clamp's own.

    Args:
        images: values on the scale of [-1, 1], of any shape.
        learning: whether they are made by a network in training.
    """
    return _Held.apply(images) if learning else images.clamp(-1, 1)
