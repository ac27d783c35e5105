"""Networks that turn a face to the front by two paths: one over the whole face, one over its parts (1704.04086)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.layers.convolutional import doubling
from families.layers.options import whole
from families.layers.scaling import halved
from families.translation.blocks import convolution, residual
from families.translation.resnet import coarsest
from families.translation.unet import UNet

FAINT = 0.02  # of the noise beside a code
LANDMARKS = 4  # left eye, right eye, nose, mouth, each (x, y)


@dataclass(frozen=True)
class Part:
    """A part of a face: its sides in pixels, and where it lies in a frontal one.

    Args:
        height: the height of its patch.
        width: the width of its patch.
        top: the first row of its place in a frontal face.
        left: the first column.
    """

    height: int
    width: int
    top: int
    left: int

    def cut(self, images: Tensor, points: Tensor) -> Tensor:
        """Return the patch round each image's point, ``(B, C, height, width)``; beyond the frame its pixels repeat.

        Args:
            images: the images ``(B, C, H, W)``.
            points: pixels ``(x, y)`` of each, int64 ``(B, 2)``.
        """
        rows = points[:, 1:] - self.height // 2 + torch.arange(self.height, device=points.device)
        columns = points[:, :1] - self.width // 2 + torch.arange(self.width, device=points.device)
        rows, columns = rows.clamp(0, images.shape[2] - 1), columns.clamp(0, images.shape[3] - 1)
        each = torch.arange(len(images), device=points.device)[:, None, None]
        return images.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)

    def frontal(self, images: Tensor) -> Tensor:
        """Return what images have at the part's frontal place, ``(B, C, height, width)``."""
        return images[:, :, self.top : self.top + self.height, self.left : self.left + self.width]

    def laid(self, maps: Tensor, sides: Sequence[int]) -> Tensor:
        """Return maps of the part at its frontal place, with zeros round it: ``(B, C, H, W)``."""
        below, right = sides[0] - self.top - self.height, sides[1] - self.left - self.width
        return F.pad(maps, (self.left, right, self.top, below))


# Height and width in shares of the sides, a quarter of what 128 px have, and the mean frontal place on [-1, 1]².
FACE = (
    ((10 / 32, 10 / 32), (-0.33, -0.125)),
    ((10 / 32, 10 / 32), (0.33, -0.125)),
    ((8 / 32, 10 / 32), (0.0, 0.19)),
    ((8 / 32, 12 / 32), (0.0, 0.49)),
)


def face_parts(sides: Sequence[int]) -> Sequence[Part]:
    """Return left eye, right eye, nose and mouth of faces of these sides, height and width."""

    def span(share: float, centre: float, side: int) -> tuple[int, int]:
        size = min(max(round(share * side), 1), side)
        first = round((centre + 1) / 2 * side - size / 2)
        return size, min(max(first, 0), side - size)

    parts = []
    for (tall, broad), (x, y) in FACE:
        (height, top), (width, left) = span(tall, y, sides[0]), span(broad, x, sides[1])
        parts.append(Part(height, width, top, left))
    return parts


class LocalPath(nn.Module):
    """A U-Net over patches of one part, the maps that it makes and the part's frontal image.

    Patches halve once where they are small, so that the U-Net has no skip of its own: the patch stands beside its maps.

    Args:
        source: the channels of the source.
        channels: the channels of the image.
        part: the part.
        width: the number of maps, and the U-Net's width.
    """

    def __init__(self, source: int, channels: int, part: Part, width: int) -> None:
        super().__init__()
        self.part = part
        self.net = UNet(source, (width, part.height, part.width), width, 0.0)
        self.maps = nn.Sequential(convolution(width + source, width, 3, nn.BatchNorm2d), nn.ReLU())
        self.image = nn.Sequential(convolution(width, channels, 3), nn.Tanh())

    def forward(self, source: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Map sources and pixels ``(x, y)`` of the part in them to maps, 0 or more, and images of its own sides."""
        patch = self.part.cut(source, points)
        seen = self.net(patch, patch.new_empty(len(patch), 0))
        maps = self.maps(torch.cat([seen, patch], 1))
        return maps, self.image(maps)


class GlobalPath(nn.Module):
    """An encoder to a code, and a decoder with an image a scale and skips.

    Sides halve twice at most. The code is the larger of two halves of a linear layer; the decoder sees it with noise
    beside it.

    Args:
        source: the shape of the source.
        channels: the channels of the image.
        width: the maps at the image's sides, doubled with every halving.
        code: the size of the code.
        latents: the size of u.

    Raises:
        ValueError: for a width, a code or a noise of less than one.
    """

    def __init__(self, source: tuple[int, int, int], channels: int, width: int, code: int, latents: int) -> None:
        super().__init__()
        whole(1, width=width, code=code, latents=latents)
        bottom = coarsest(source, width)
        self.shape = bottom
        times = (bottom[0] // width).bit_length() - 1
        own = [width << i for i in range(times + 1)]
        down = [self._stage(source[0], width, 7, 1)] + [self._stage(own[i], own[i + 1], 3, 2) for i in range(times)]
        self.down = nn.ModuleList(down)
        self.code = nn.Linear(math.prod(bottom), 2 * code)
        self.spread = nn.Sequential(nn.Linear(code + latents, math.prod(bottom)), nn.ReLU())
        self.grow = nn.ModuleList(
            doubling(own[i + 1], own[i], halved(source[1:], i)) for i in range(times)
        )  # finest first, as all lists here
        seen = [2 * maps + (channels if i < times else 0) for i, maps in enumerate(own)]
        self.merge = nn.ModuleList(self._stage(into, maps, 3, 1) for into, maps in zip(seen, own, strict=True))
        self.image = nn.ModuleList(nn.Sequential(convolution(maps, channels, 3), nn.Tanh()) for maps in own[1:])

    @staticmethod
    def _stage(into: int, out: int, kernel: int, stride: int) -> nn.Sequential:
        first = convolution(into, out, kernel, nn.BatchNorm2d, stride=stride)
        return nn.Sequential(first, nn.LeakyReLU(0.2), residual(out, nn.BatchNorm2d), nn.LeakyReLU(0.2))

    def forward(self, source: Tensor, u: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """Return the last maps ``(B, width, H, W)``, images of all scales but the finest, and the code.

        Args:
            source: sources ``(B, C', H, W)`` on [-1, 1].
            u: noise ``(B, latents)``.
        """
        skips = []
        for stage in self.down:
            source = stage(source)
            skips.append(source)
        first, second = self.code(source.flatten(1)).chunk(2, 1)
        code = torch.maximum(first, second)
        x = self.spread(torch.cat([code, FAINT * u], 1)).unflatten(1, self.shape)
        x = self.merge[-1](torch.cat([x, skips[-1]], 1))
        images: list[Tensor] = []
        for i in reversed(range(len(self.grow))):
            images.insert(0, self.image[i](x))
            larger = F.interpolate(images[0], skips[i].shape[2:], mode="nearest")
            x = self.merge[i](torch.cat([self.grow[i](x), skips[i], larger], 1))
        return x, images, code


@dataclass(frozen=True)
class Frontal:
    """What two paths make of a face.

    Args:
        images: images on [-1, 1] of each scale, the finest first, ``(B, C, H, W)``, ``(B, C, H/2, W/2)`` …
        parts: images of each part at its own sides.
        identities: logits of the identity ``(B, K)``, told from the code.
    """

    images: Sequence[Tensor]
    parts: Sequence[Tensor]
    identities: Tensor


class TwoPathway(nn.Module):
    """A global path and one over each part, whose maps meet in front of the last convolutions.

    Maps of the parts, which are 0 or more, lie at their frontal places among zeros, and are joined by the larger.

    Args:
        source: the shape ``(C', H, W)`` of the source.
        channels: the channels of the image.
        width: the maps at the image's sides.
        code: the size of the code.
        latents: the size of u.
        identities: the number K of identities.
    """

    def __init__(
        self, source: tuple[int, int, int], channels: int, width: int, code: int, latents: int, identities: int
    ) -> None:
        super().__init__()
        self.latents = latents
        self.whole = GlobalPath(source, channels, width, code, latents)
        self.parts = nn.ModuleList(LocalPath(source[0], channels, part, width) for part in face_parts(source[1:]))
        self.identities = nn.Linear(code, identities)
        self.fuse = nn.Sequential(
            convolution(2 * width, width, 3, nn.BatchNorm2d),
            nn.LeakyReLU(0.2),
            residual(width, nn.BatchNorm2d),
            nn.LeakyReLU(0.2),
            convolution(width, channels, 3),
            nn.Tanh(),
        )

    def paths(self) -> Sequence[LocalPath]:
        """Return the paths over left eye, right eye, nose and mouth."""
        return cast("Sequence[LocalPath]", self.parts)

    def forward(self, source: Tensor, u: Tensor, landmarks: Tensor) -> Frontal:
        """Turn faces to the front.

        Args:
            source: sources ``(B, C', H, W)`` on [-1, 1].
            u: noise ``(B, latents)``.
            landmarks: pixels ``(x, y)`` of left eye, right eye, nose and mouth, int64 ``(B, 4, 2)``.
        """
        maps, coarse, code = self.whole(source, u)
        local, parts = [], []
        for path, points in zip(self.paths(), landmarks.unbind(1), strict=True):
            own, image = path(source, points)
            local.append(path.part.laid(own, source.shape[2:]))
            parts.append(image)
        joined = torch.stack(local).amax(0)
        return Frontal([self.fuse(torch.cat([maps, joined], 1)), *coarse], parts, self.identities(code))
