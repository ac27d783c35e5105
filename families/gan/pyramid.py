"""The networks of one level of a pyramid of images, and the noise of all of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from families.adversarial.networks import ImageCritic
from families.layers.convolutional import faint, he
from families.layers.growing import down, up
from families.layers.options import whole

SMALL = 16  # below this side kernels are smaller


def split(u: Tensor, sizes: Sequence[int]) -> Sequence[Tensor]:
    """Return the parts of noise ``(B, Z)``, of these sizes one behind the other."""
    return u.split(list(sizes), 1)


class Detail(nn.Module):
    """A generator of what a level adds to the enlarged coarser image: three convolutions, the last without a tanh.

    Args:
        channels: channels of the image.
        conditions: planes of the condition.
        sides: height and width of the level.
        width: maps.
        consistent: whether the output has no coarse part of its own: its 2×2 means are taken out, as real details
            have none.
    """

    def __init__(self, channels: int, conditions: int, sides: Sequence[int], width: int, consistent: bool) -> None:
        super().__init__()
        whole(1, width=width)
        kernels = (5, 5, 3) if min(sides) < SMALL else (7, 7, 5)
        sizes = (channels + 1 + conditions, width, width, channels)
        layers: list[nn.Module] = []
        for place, kernel in enumerate(kernels):
            last = place == len(kernels) - 1  # whose bias would be taken out again, were details to have no means
            convolution = nn.Conv2d(
                sizes[place], sizes[place + 1], kernel, padding=kernel // 2, bias=not (last and consistent)
            )
            layers += [he(convolution), nn.ReLU()] if not last else [faint(convolution)]
        self.layers = nn.Sequential(*layers)
        self.consistent = consistent

    def forward(self, coarse: Tensor, plane: Tensor, conditions: Tensor) -> Tensor:
        """Map enlarged images ``(B, C, H, W)``, a noise plane and the condition's planes to details of that shape."""
        detail = self.layers(torch.cat([coarse, plane, conditions], 1))
        return detail - up(down(detail)) if self.consistent else detail


class LevelCritic(ImageCritic):
    """A critic of images at one level: two convolutions, of which the second halves, dropout, one linear logit.

    Args:
        channels: channels of the image and its condition.
        sides: height and width of the level.
        width: maps.
    """

    def __init__(self, channels: int, sides: Sequence[int], width: int) -> None:
        super().__init__()
        kernel = 3 if min(sides) < SMALL else 5
        self.layers = nn.Sequential(
            he(nn.Conv2d(channels, width, kernel, padding=kernel // 2)),
            nn.LeakyReLU(0.2),
            he(nn.Conv2d(width, 2 * width, kernel, stride=2, padding=kernel // 2)),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.5),
            nn.Flatten(),
        )
        self.features = 2 * width * -(-sides[0] // 2) * -(-sides[1] // 2)
        self.logit = nn.Linear(self.features, 1)
