"""Samplers of a causal network: pixel by pixel by a full pass each, with a cache, or all pixels until none moves.

All three turn the same uniforms into the same images, but for a uniform that lies within rounding of the edge between
two levels: in float32 five of 7,200 images of 8×8 pixels and 256 levels differed so, and with five levels none.
``draw_naive`` is the reference that the others are held to, ``draw_cached`` does the arithmetic once, and
``draw_fixed_point`` trades arithmetic for few, large steps, which pays where latency rules. Each completes images whose
top rows are known in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from einops import rearrange
from torch import Tensor, nn

from families.layers.scaling import to_unit
from families.outputs import Output


class Columns(Protocol):
    """A causal network computed pixel by pixel in raster order, channel by channel; it keeps what later pixels read.

    Every pixel and channel is read, in order, and then written, whether its value is drawn or known.
    """

    def read(self, y: int, x: int, channel: int) -> Tensor:
        """Return a pixel's parameters, ``(n, K)`` of one channel, or ``(n, P)`` of all where the output is joint."""
        ...

    def write(self, y: int, x: int, channel: int, values: Tensor) -> None:
        """Take a channel's values ``(n,)``, on [-1, 1]."""
        ...


class CausalNetwork(nn.Module):
    """``(B, C, H, W)`` on [-1, 1] to ``(B, P, H, W)``; no parameters see what they are of, or what comes later.

    Order is row by row; where the output is not joint, a pixel's channels follow each other, and so do their
    parameters along ``P``. A network that is conditioned takes int64 labels ``(B,)``.

    Parameters leave its layer ``last``, whose weight and bias begin where the model says. ``channels_alike`` says that
    ``last`` answers for one channel at a time, for all by the same numbers.
    """

    channels_alike = False

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Compute all parameters of all pixels in one pass."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes: write forward()")

    def columns(self, n: int, labels: Tensor | None = None) -> Columns | None:
        """Return the same network pixel by pixel for ``n`` images, or None where it has no cache."""
        return None


@dataclass(frozen=True)
class Task:
    """All that a sampler needs to draw images, or to complete them.

    Args:
        network: the network that computes the parameters of each pixel's distribution.
        output: the distribution that these parameters give a pixel.
        shape: an image's, ``(C, H, W)``.
        uniforms: ``(n, ·, H, W)`` on [0, 1): all of the randomness.
        labels: int64 ``(n,)``, for a network that is conditioned.
        known: uint8 ``(n, C, rows, W)``: the top of every image, to be completed.
        temperature: below 1 draws nearer to the likeliest levels.
    """

    network: CausalNetwork
    output: Output
    shape: tuple[int, int, int]
    uniforms: Tensor
    labels: Tensor | None = None
    known: Tensor | None = None
    temperature: float = 1.0

    @property
    def groups(self) -> int:
        """How many draws a pixel takes: one for a joint output, else one a channel."""
        return 1 if self.output.joint else self.shape[0]

    @property
    def rows(self) -> int:
        """How many rows are known."""
        return 0 if self.known is None else self.known.shape[2]

    def begin(self) -> Tensor:
        """Return images to fill, uint8 ``(n, C, H, W)``, zero but for what is known."""
        images = torch.zeros(len(self.uniforms), *self.shape, dtype=torch.uint8, device=self.uniforms.device)
        if self.known is not None:
            images[:, :, : self.rows] = self.known
        return images

    @cached_property
    def dtype(self) -> torch.dtype:
        """The type in which the network computes."""
        return next(self.network.parameters()).dtype

    def unit(self, images: Tensor) -> Tensor:
        """Scale levels to [-1, 1], in the network's type."""
        return to_unit(images, self.output.levels).to(self.dtype)

    def raster(self) -> Iterator[tuple[int, int]]:
        """Go through the pixels ``(y, x)`` row by row."""
        return ((y, x) for y in range(self.shape[1]) for x in range(self.shape[2]))


class FullPass:
    """:class:`Columns` of any causal network, by a pass over the whole image for every read: the reference."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.images = task.unit(torch.zeros_like(task.begin()))

    def read(self, y: int, x: int, channel: int) -> Tensor:
        """Compute the parameters of all pixels and return those of one, ``(n, K)``, or ``(n, P)`` where joint."""
        return self.task.network(self.images, self.task.labels)[:, :, y, x].chunk(self.task.groups, 1)[channel]

    def write(self, y: int, x: int, channel: int, values: Tensor) -> None:
        """Put the values into the image."""
        self.images[:, channel, y, x] = values


def draw_naive(task: Task) -> Tensor:
    """Draw images, uint8 ``(n, C, H, W)``, by one full pass for every pixel and channel."""
    return draw(FullPass(task), task)


def draw_cached(task: Task) -> Tensor:
    """Draw images, uint8 ``(n, C, H, W)``, by one column for every pixel and channel, where there is a cache."""
    return draw(task.network.columns(len(task.uniforms), task.labels) or FullPass(task), task)


def draw(columns: Columns, task: Task) -> Tensor:
    """Fill images, uint8 ``(n, C, H, W)``, in raster order."""
    _, height, width = task.shape
    uniforms = rearrange(task.uniforms, "n (group draw) y x -> group (y x) n draw 1 1", group=task.groups)
    noise = [group.unbind(0) for group in uniforms.unbind(0)]  # [group][pixel], each (n, draws, 1, 1)
    pixels = []
    for pixel, (y, x) in enumerate(task.raster()):
        for group in range(task.groups):
            parameters = columns.read(y, x, group)
            if task.known is not None and y < task.rows:
                levels = task.known[:, :, y, x].chunk(task.groups, 1)[group]
            else:
                levels = task.output.sample(parameters[:, :, None, None], noise[group][pixel], task.temperature)[
                    ..., 0, 0
                ]
            pixels.append(levels)
            for channel, values in enumerate(task.unit(levels).unbind(1), start=group):
                columns.write(y, x, channel, values)
    return rearrange(pixels, "(y x group) n c -> n (group c) y x", y=height, x=width).contiguous()


def draw_fixed_point(task: Task) -> Tensor:
    """Draw every pixel from the last images' parameters until no image moves: at most a pass a draw, mostly far fewer.

    A pixel is right once all before it are, so the first that is wrong is put right by every pass (Jacobi iteration on
    a triangular system, 2002.03629).
    """
    images = task.begin()
    for _ in range(task.groups * task.shape[1] * task.shape[2] + 1):
        parameters = task.network(task.unit(images), task.labels)
        drawn = task.output.sample(parameters, task.uniforms, task.temperature)
        drawn[:, :, : task.rows] = images[:, :, : task.rows]
        if torch.equal(drawn, images):
            break
        images = drawn
    return images


SAMPLERS = {"cached": draw_cached, "fixed-point": draw_fixed_point, "naive": draw_naive}
