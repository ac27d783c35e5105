"""Scales of a flow: some dimensions go to the base early, the others go on (1605.08803, §3.6)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from einops import rearrange
from nflows.transforms.base import CompositeTransform, Transform
from torch import Tensor

from families.layers import scaling
from families.layers.options import whole

Shape = tuple[int, int, int]

MOST_PADDING = 0.25  # of an image's pixels, where nobody asks for more


class Chain(CompositeTransform):
    """Bijections one behind the other; nflows' own, with log-determinants added up in float64 whatever the values."""

    @staticmethod
    def _cascade(inputs: Tensor, funcs: Iterable[Callable], context: Tensor | None) -> tuple[Tensor, Tensor]:
        total = torch.zeros(len(inputs), dtype=torch.float64, device=inputs.device)
        for func in funcs:
            inputs, log_det = func(inputs, context)
            total = total + log_det
        return inputs, total


class Squeeze(Transform):
    """A squeeze: each 2×2 square becomes four channels, a channel's side by side.

    It takes ``(B, C, H, W)`` to ``(B, 4C, H/2, W/2)``.

    The order is that of nflows' ``SqueezeTransform``, which refuses maps whose channels are last in memory.
    """

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Squeeze squares into channels; nothing stretches, so that ``log |det|`` is 0."""
        outputs = rearrange(inputs, "b c (y dy) (x dx) -> b (c dy dx) y x", dy=2, dx=2)
        return outputs, inputs.new_zeros(len(inputs))

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Spread channels into squares; nothing stretches, so that ``log |det|`` is 0."""
        outputs = rearrange(inputs, "b (c dy dx) y x -> b c (y dy) (x dx)", dy=2, dx=2)
        return outputs, inputs.new_zeros(len(inputs))


def squeezed(shape: Shape) -> Shape:
    """Return the shape that a squeeze makes of ``shape``."""
    channels, height, width = shape
    return 4 * channels, height // 2, width // 2


class Flatten(Transform):
    """A map ``(B, C, H, W)`` as a vector ``(B, C·H·W)``: the end of the last scale.

    Args:
        shape: the shape ``(C, H, W)``.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Flatten maps to vectors; nothing stretches, so that ``log |det|`` is 0."""
        return inputs.flatten(1), inputs.new_zeros(len(inputs))

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Shape vectors into maps; nothing stretches, so that ``log |det|`` is 0."""
        return inputs.reshape(-1, *self.shape), inputs.new_zeros(len(inputs))


class FactorOut(Transform):
    """The first half of the channels goes on through ``rest``, the second is finished: ``(B, C, H, W)`` to vectors.

    Args:
        shape: the shape ``(C, H, W)``, with at least two channels.
        rest: what becomes of ``shape_on``, to vectors.

    Raises:
        ValueError: for a single channel, which has no half.
    """

    def __init__(self, shape: Shape, rest: Transform) -> None:
        super().__init__()
        self.shape = shape
        self.rest = rest
        self.on = shape_on(shape)[0]

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return vectors, what ``rest`` made first and then the finished half, and ``log |det|``."""
        vectors, log_det = self.rest(inputs[:, : self.on], context)
        return torch.cat((vectors, inputs[:, self.on :].flatten(1)), 1), log_det

    def inverse(self, inputs: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return maps, and ``log |det|`` of the way back."""
        _, height, width = self.shape
        vectors, finished = inputs.tensor_split((self.on * height * width,), 1)
        going_on, log_det = self.rest.inverse(vectors, context)
        finished = rearrange(finished, "b (c y x) -> b c y x", y=height, x=width)
        return torch.cat((going_on, finished), 1), log_det


def shape_on(shape: Shape) -> Shape:
    """Return the shape that goes on of ``shape`` when half of its channels is factored out."""
    if shape[0] < 2:
        raise ValueError(f"shape={shape}: a single channel has no half to factor out, squeeze first")
    return math.ceil(shape[0] / 2), *shape[1:]


def padding(shape: Shape, scales: int) -> tuple[int, int]:
    """Return the rows and columns to append to ``shape`` so that both sides halve evenly as often as ``scales``."""
    _, height, width = shape
    return -height % 2**scales, -width % 2**scales


def fitting_scales(shape: Shape, asked: int | None, least: int = 0) -> int:
    """Return how often a flow squeezes images of ``shape``: as often as ``asked``, or else as the sides suggest.

    They suggest that the shorter side halves down to 4, evenly or not, but less often where the padding that uneven
    halvings need would exceed a quarter of the image's pixels: 28 → 14 → 7, 32 → 16 → 8 → 4, 33 → 36 → 18 → 9,
    13 × 17 → 14 × 18 → 7 × 9. A shorter side of 8 or more halves at least once.

    Args:
        shape: the shape ``(C, H, W)`` of an image.
        asked: the number of squeezes that an option asks for, None for none.
        least: the number of squeezes that the flow needs.

    Raises:
        ValueError: for ``asked`` that is no whole number from ``least`` on, or above what leaves a single pixel of the
            longer side.
    """
    _, height, width = shape
    if asked is None:
        count = scaling.scales(height, width)
        while _padded_share(shape, count) > MOST_PADDING:
            count -= 1
        return max(count, least)
    whole(least, scales=asked)
    most = max((max(height, width) - 1).bit_length(), 1)
    if asked > most:
        raise ValueError(f"scales={asked}: images of shape {shape} take {least} to {most}")
    return asked


def _padded_share(shape: Shape, scales: int) -> float:
    _, height, width = shape
    rows, columns = padding(shape, scales)
    return (height + rows) * (width + columns) / (height * width) - 1
