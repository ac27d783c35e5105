"""Scales of a flow: some dimensions go to the base early, the others go on (1605.08803, §3.6)."""

from __future__ import annotations

import math

import torch
from nflows.transforms.base import Transform
from torch import Tensor


class Flatten(Transform):
    """``(B, C, H, W)`` to ``(B, C·H·W)``: the end of the last scale.

    Args:
        shape: ``(C, H, W)``.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Nothing stretches: ``log |det|`` is 0."""
        return inputs.flatten(1), inputs.new_zeros(len(inputs))

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Back to maps."""
        return inputs.view(-1, *self.shape), inputs.new_zeros(len(inputs))


class FactorOut(Transform):
    """The first half of the channels goes on through ``rest``, the second is finished: ``(B, C, H, W)`` to vectors.

    Args:
        shape: ``(C, H, W)``, with at least two channels.
        rest: what becomes of ``shape_on``, to vectors.

    Raises:
        ValueError: for a single channel, which has no half.
    """

    def __init__(self, shape: tuple[int, int, int], rest: Transform) -> None:
        super().__init__()
        self.shape, self.rest = shape, rest
        self.on = shape_on(shape)[0]

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Vectors: what ``rest`` made first, then the finished half."""
        vectors, log_det = self.rest(inputs[:, : self.on], context)
        return torch.cat((vectors, inputs[:, self.on :].flatten(1)), 1), log_det

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Back to maps."""
        _, height, width = self.shape
        vectors, finished = inputs.tensor_split((self.on * height * width,), 1)
        going_on, log_det = self.rest.inverse(vectors, context)
        return torch.cat((going_on, finished.reshape(-1, self.shape[0] - self.on, height, width)), 1), log_det


def shape_on(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """What goes on of ``shape`` when half of its channels is factored out."""
    if shape[0] < 2:
        raise ValueError(f"shape={shape}: a single channel has no half to factor out, squeeze first")
    return math.ceil(shape[0] / 2), *shape[1:]
