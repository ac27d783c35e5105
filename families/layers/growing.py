"""What networks that grow are made of: fades, pixel norm, statistics of a minibatch, means of blocks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-8
GROUP = 4  # images whose deviation is taken together


def down(images: Tensor) -> Tensor:
    """Return the means of 2×2 pixels, ``(B, C, H/2, W/2)``, of even sides.

    Two additions take a third of the time of ``avg_pool2d`` on a processor, there and back.
    """
    rows = images[..., ::2, :] + images[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]) / 4


def up(images: Tensor, mode: str = "nearest") -> Tensor:
    """Return images of twice the sides: pixels repeated (``"nearest"``), or what lies between them (``"bilinear"``)."""
    return F.interpolate(images, scale_factor=2, mode=mode, align_corners=None if mode == "nearest" else False)


def reduced(images: Tensor, times: int) -> Tensor:
    """Return images behind so many of :func:`down`."""
    for _ in range(times):
        images = down(images)
    return images


def enlarged(images: Tensor, times: int) -> Tensor:
    """Return images behind so many of :func:`up`."""
    for _ in range(times):
        images = up(images)
    return images


def faded(old: Tensor, new: Tensor, alpha: float) -> Tensor:
    """Return ``(1 - α) old + α new``."""
    return torch.lerp(old, new, alpha)


def pixel_norm(x: Tensor) -> Tensor:
    """Return ``x / √(mean over channels of x² + 1e-8)``, of maps ``(B, C, H, W)`` or vectors ``(B, C)``."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + EPSILON)


class Blur(nn.Module):
    """A convolution with [1, 2, 1] / 4 along both sides, zeros beyond them."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("kernel", torch.outer(line, line)[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to as many."""
        return F.conv2d(x, self.kernel.to(x).expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])


class PixelNorm(nn.Module):
    """:func:`pixel_norm` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, …)`` to as many, each place of length √C."""
        return pixel_norm(x)


class Down(nn.Module):
    """:func:`down` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C, H/2, W/2)``."""
        return down(x)


class MinibatchDeviation(nn.Module):
    """A map of one number beside the others: how much the images of a group differ (1710.10196, section 3).

    In groups of four images, the whole batch where four do not divide it: ``√(variance + 1e-8)`` over the group at each
    place and channel, the mean of that as a constant map.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C + 1, H, W)``."""
        group = GROUP if len(x) % GROUP == 0 else len(x)
        each = x.unflatten(0, (-1, group))
        variance = (each - each.mean(1, keepdim=True)).square().mean(1)
        deviation = (variance + EPSILON).sqrt().mean((1, 2, 3))
        planes = deviation.repeat_interleave(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        return torch.cat([x, planes], 1)
