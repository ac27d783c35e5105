"""A critic that scores patches (1611.07004, section 6.1.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from families.adversarial.dcgan import Norm, unnormalised
from families.adversarial.terms import Scored
from families.layers.options import whole

ROOM = {16: 6, 4: 4, 1: 1}  # the least side, in pixels, from which a critic takes patches of each side


class PatchCritic(nn.Module):
    """A critic of convolutions alone, so that each logit of the map they end in sees one patch.

    Sides from 16 take the paper's 16×16 PatchGAN: 4×4 convolutions of strides 2, 1, 1. Sides of 4 to 15 take 4×4
    patches, the later convolutions 1×1, and smaller ones single pixels (the paper's PixelGAN). LeakyReLU(0.2) between,
    a normalisation behind the second convolution.

    Args:
        channels: the channels of all that it sees, source and image together.
        height: the height of the image.
        breadth: the breadth of the image.
        width: the channels behind the first convolution.
        norm: a function that makes the normalisation.
        bias: whether the last layer has a bias, which a game of differences could not learn.
        patch: the side of the patch, 16, 4 or 1; None for what the image's sides take, as said above. One of 16 needs
            sides of 6 at least: it then sees beyond the frame.

    Attributes:
        patch: side of the patch.
        places: logits an image.

    Raises:
        ValueError: for a width below 1, or a patch that there is not or that the image has no room for.
    """

    def __init__(
        self,
        channels: int,
        height: int,
        breadth: int,
        width: int,
        norm: Norm = nn.BatchNorm2d,
        *,
        bias: bool = True,
        patch: int | None = None,
    ) -> None:
        super().__init__()
        whole(1, width=width)
        self.patch = patch_of(min(height, breadth)) if patch is None else patch
        if self.patch not in ROOM or min(height, breadth) < ROOM[self.patch]:
            room = ", ".join(f"{patch} from {least} px on" for patch, least in ROOM.items())
            raise ValueError(f"patch={patch}: images are {height}×{breadth} px, and patches {room}")
        first = (4, 2, 1) if self.patch > 1 else (1, 1, 0)  # kernel, stride, padding
        later = (4, 1, 1) if self.patch == 16 else (1, 1, 0)
        lost = 2 if self.patch == 16 else 0  # places a side, to later convolutions
        sides = [(one // 2 if self.patch > 1 else one) - lost for one in (height, breadth)]
        self.places = sides[0] * sides[1]
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, *first),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, *later, bias=norm in (nn.BatchNorm2d, unnormalised)),
            norm(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, *later, bias=bias),
        )

    def forward(self, images: Tensor, source: Tensor | None = None) -> Scored:
        """Score images ``(B, C, H, W)``, behind their source in the channels if any: logits ``(B, 1, h, w)``.

        What stands behind each LeakyReLU is shown as ``hidden``.
        """
        logits, hidden = shown(self.layers, beside(images, source))
        return Scored(images, logits, logits.new_empty(len(images), 0), hidden=hidden)


def patch_of(side: int) -> int:
    """Return the side of the patch that a critic takes of images whose shorter side is so long."""
    return 16 if side >= 16 else 4 if side >= 4 else 1


def beside(images: Tensor, source: Tensor | None) -> Tensor:
    """Return images behind their source in the channels, or alone where there is none."""
    return images if source is None else torch.cat([source, images], 1)


def shown(layers: nn.Sequential, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return what layers make of x, and what stands behind each of their LeakyReLUs on the way."""
    hidden = []
    for layer in layers:
        x = layer(x)
        if isinstance(layer, nn.LeakyReLU):
            hidden.append(x)
    return x, tuple(hidden)
