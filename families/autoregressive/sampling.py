"""Drawing from a causal network: the reference, one full pass a draw, and the same with a cache, one column a draw.

Both turn the same uniforms into the same images. A network without a cache is drawn from by the reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn

from families.layers.scaling import to_unit
from families.outputs import Output
from genbench.interface import DataSpec


class Columns(Protocol):
    """A causal network computed pixel by pixel in raster order, channel by channel; it keeps what later pixels read."""

    def read(self, y: int, x: int, channel: int) -> Tensor:
        """Parameters at a pixel, ``(n, K)`` of one channel, or ``(n, P)`` of all for a joint output's network."""
        ...

    def write(self, y: int, x: int, channel: int, values: Tensor) -> None:
        """Take a channel's drawn values ``(n,)``, on [-1, 1]."""
        ...


class CausalNetwork(nn.Module):
    """``(B, C, H, W)`` on [-1, 1] to ``(B, P, H, W)``; no parameters see what they are of, or what comes later.

    Order is row by row; where the output is not joint, a pixel's channels follow each other, and so do their
    parameters along ``P``.
    """

    def columns(self, n: int) -> Columns | None:
        """The same network pixel by pixel for ``n`` images, or None where it has no cache."""
        return None


class FullPass:
    """:class:`Columns` of any causal network, by a pass over the whole image for every read: the reference."""

    def __init__(self, network: CausalNetwork, spec: DataSpec, n: int, joint: bool) -> None:
        like = next(network.parameters())
        self.network, self.groups = network, 1 if joint else spec.shape[0]
        self.images = torch.zeros(n, *spec.shape, dtype=like.dtype, device=like.device)

    def read(self, y: int, x: int, channel: int) -> Tensor:
        """Everything computed, one column kept."""
        return self.network(self.images)[:, :, y, x].chunk(self.groups, 1)[channel]

    def write(self, y: int, x: int, channel: int, values: Tensor) -> None:
        """Put the values into the image."""
        self.images[:, channel, y, x] = values


def draw_naive(network: CausalNetwork, output: Output, spec: DataSpec, uniforms: Tensor) -> Tensor:
    """One full pass for every pixel and channel."""
    return draw(FullPass(network, spec, len(uniforms), output.joint), output, spec, uniforms)


def draw_cached(network: CausalNetwork, output: Output, spec: DataSpec, uniforms: Tensor) -> Tensor:
    """One column for every pixel and channel, where the network has a cache."""
    columns = network.columns(len(uniforms)) or FullPass(network, spec, len(uniforms), output.joint)
    return draw(columns, output, spec, uniforms)


def draw(columns: Columns, output: Output, spec: DataSpec, uniforms: Tensor) -> Tensor:
    """Turn uniforms ``(n, ·, H, W)`` into images, uint8 ``(n, C, H, W)``, in raster order."""
    images = torch.zeros(len(uniforms), *spec.shape, dtype=torch.uint8, device=uniforms.device)
    for y, x in raster(spec):
        for channel in range(1 if output.joint else spec.shape[0]):
            own = slice(None) if output.joint else slice(channel, channel + 1)
            parameters = columns.read(y, x, channel)[:, :, None, None]
            levels = output.sample(parameters, uniforms[:, own, y, x, None, None])[:, :, 0, 0]
            images[:, own, y, x] = levels
            for drawn, values in enumerate(to_unit(levels, spec.levels).unbind(1), start=channel):
                columns.write(y, x, drawn, values)
    return images


def raster(spec: DataSpec) -> Iterator[tuple[int, int]]:
    """Pixels row by row."""
    return ((y, x) for y in range(spec.shape[1]) for x in range(spec.shape[2]))
