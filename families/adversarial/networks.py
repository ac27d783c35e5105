"""What every network that scores images, or makes them of a map, is."""

from __future__ import annotations

import math

from torch import Tensor, nn

from families.adversarial.conditional_norm import Layers, parted
from families.layers.options import whole
from families.layers.scaling import halved, scales


class ImageCritic(nn.Module):
    """A critic of images ``(B, C, H, W)`` on [-1, 1]: logits ``(B,)`` and the features ``(B, F)`` they are read from.

    Attributes:
        setting: which kind of network, in words for a column of the table; empty for the shared ones.
        features: the number F of features.
        places: over how many places of a map they are laid out, channel by channel; 1 where there is no map.
        layers: images → features.
        logit: features → ``(B, 1)``, the logit; what scores by something else has none in its place.
    """

    setting: str = ""
    features: int
    places: int = 1
    layers: nn.Module
    logit: nn.Module

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and features."""
        features = self.layers(images)
        return self.logit(features)[:, 0], features


class MapGenerator(nn.Module):
    """A generator: a projection of the code to the coarsest map, then ``layers`` up to the image.

    Args:
        shape: the shape ``(C, H, W)``.
        features: size of what the projection takes.
        width: channels at half the resolution, twice as many with every further halving.
        bias: whether the projection has one.

    Attributes:
        doublings: how often ``layers`` double the map.
        base: shape of the coarsest map.

    Raises:
        ValueError: for a width below 1.
    """

    layers: Layers

    def __init__(self, shape: tuple[int, int, int], features: int, width: int, *, bias: bool) -> None:
        super().__init__()
        whole(1, width=width)
        self.doublings = scales(*shape[1:])
        coarse = width * 2 ** max(self.doublings - 1, 0)
        self.base = (coarse, *halved(shape[1:], self.doublings))
        self.project = nn.Linear(features, math.prod(self.base), bias=bias)

    def forward(self, code: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Map codes ``(B, features)``, with conditions behind if any, to images ``(B, C, H, W)`` on [-1, 1]."""
        start, conditions = parted(code)
        return self.layers(self.project(start).unflatten(1, self.base), conditions)
