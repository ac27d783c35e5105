"""The networks of style and structure: surfaces of codes, images of surfaces, surfaces read off images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from families.adversarial.dcgan import Generator
from families.gan.surface import CLASSES, of_unit_length, settled
from families.layers.convolutional import faint, he


class Structure(nn.Module):
    """A generator of surfaces: the shared one to three maps, of length 1 at each place, upright where they hardly lean.

    Args:
        sides: height and width of surfaces.
        latents: the size of z.
        width: channels at half of these sides.
    """

    def __init__(self, sides: Sequence[int], latents: int, width: int) -> None:
        super().__init__()
        self.maps = Generator((3, sides[0], sides[1]), latents, width)

    def forward(self, z: Tensor) -> Tensor:
        """Map codes ``(B, Z)`` to normals ``(B, 3, H', W')``."""
        return settled(of_unit_length(self.maps(z)))


class Style(nn.Module):
    """A generator of images of a surface: its convolutions, joined with a map that a code is projected to.

    Args:
        shape: the shape ``(C, H, W)``.
        sides: height and width of surfaces.
        latents: the size of z'.
        width: channels.
    """

    def __init__(self, shape: tuple[int, int, int], sides: Sequence[int], latents: int, width: int) -> None:
        super().__init__()
        self.sides = list(sides)
        self.surface = nn.Sequential(
            he(nn.Conv2d(3, width, 3, padding=1, bias=False)),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            he(nn.Conv2d(width, width, 3, padding=1, bias=False)),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.code = Generator((width, sides[0], sides[1]), latents, width)
        scale = shape[1] // sides[0]
        self.joined = nn.Sequential(
            he(nn.Conv2d(2 * width, 2 * width, 3, padding=1, bias=False)),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            *([nn.Upsample(scale_factor=scale)] if scale > 1 else []),
            he(nn.Conv2d(2 * width, width, 3, padding=1, bias=False)),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            faint(nn.Conv2d(width, shape[0], 3, padding=1)),
            nn.Tanh(),
        )

    def forward(self, normals: Tensor, z: Tensor) -> Tensor:
        """Map normals ``(B, 3, H', W')`` and codes ``(B, Z')`` to images ``(B, C, H, W)`` on [-1, 1]."""
        return self.joined(torch.cat([self.surface(normals), self.code(z)], 1))


class Regressor(nn.Module):
    """A network that reads the surface off an image: three convolutions, the classes of :func:`leanings` a place.

    Args:
        channels: channels of images.
        width: channels between.
        stride: image pixels a place of the surface.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            he(nn.Conv2d(channels, width, 3, stride=stride, padding=1)),
            nn.LeakyReLU(0.2),
            he(nn.Conv2d(width, width, 3, padding=1)),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, CLASSES, 3, padding=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images on [-1, 1] to logits ``(B, 9, H', W')``."""
        return self.layers(images)
