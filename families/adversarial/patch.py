"""A critic that scores patches (1611.07004, section 6.1.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PatchCritic(nn.Module):
    """A critic of convolutions alone, so that each logit of the map they end in sees one patch.

    Sides from 16 take the paper's 16×16 PatchGAN: 4×4 convolutions of strides 2, 1, 1. Sides of 4 to 15 take 4×4
    patches, the later convolutions 1×1, and smaller ones single pixels (the paper's PixelGAN). LeakyReLU(0.2) between,
    batch normalisation behind the second convolution.

    Args:
        channels: the channels of all that it sees, source and image together.
        height: the height of the image.
        breadth: the breadth of the image.
        width: the channels behind the first convolution.

    Attributes:
        patch: side of the patch.

    Raises:
        ValueError: for a width below 1.
    """

    def __init__(self, channels: int, height: int, breadth: int, width: int) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width={width}: give at least 1 channel")
        side = min(height, breadth)
        self.patch = 16 if side >= 16 else 4 if side >= 4 else 1
        first = (4, 2, 1) if self.patch > 1 else (1, 1, 0)  # kernel, stride, padding
        later = (4, 1, 1) if self.patch == 16 else (1, 1, 0)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, *first),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, *later),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, *later),
        )

    def forward(self, images: Tensor, source: Tensor | None = None) -> Tensor:
        """Map images ``(B, C, H, W)``, behind their source in the channels if any, to logits ``(B, 1, h, w)``."""
        return self.layers(images if source is None else torch.cat([source, images], 1))
