"""Images held to the range of stored ones, in a way that loses none that a network makes outside of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Held(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ANN401 - torch's own context
        ctx.save_for_backward(x)
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401 - torch's own context
        (x,) = ctx.saved_tensors
        outward = ((x > 1) & (gradient < 0)) | ((x < -1) & (gradient > 0))
        return gradient.masked_fill(outward, 0)


def held(images: Tensor, learning: bool) -> Tensor:
    """Return images clamped to [-1, 1], as the real ones are that a critic compares them with.

    A digit's background is exactly black, and that of a linear last layer is so nowhere: by nothing else a critic tells
    the two. While a network learns, the gradient of a value outside counts where descent along it leads back, or a page
    that is white all over would stay so; in evaluation it is the clamp's own.

    Args:
        images: values on the scale of [-1, 1], of any shape.
        learning: whether they are made by a network in training.
    """
    return _Held.apply(images) if learning else images.clamp(-1, 1)
