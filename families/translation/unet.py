"""The U-Net that translates (1611.07004, section 6.1.1), sized by the image's shape."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from families.adversarial.dcgan import Norm
from families.layers.convolutional import doubling, halving
from families.layers.scaling import halved, halvings, scales
from families.translation.dropout import NoiseDropout

NOISY_BLOCKS = 3


class Block(nn.Module):
    """A convolution, a normalisation, dropout driven by u where there is one, ReLU.

    Args:
        layer: the convolution, up or plain.
        out: the number of its channels.
        dropout: over its output, or None.
        norm: a function that makes the normalisation.
    """

    def __init__(self, layer: nn.Module, out: int, dropout: NoiseDropout | None, norm: Norm) -> None:
        super().__init__()
        self.layer, self.norm, self.dropout = layer, norm(out), dropout
        self.latents = dropout.units if dropout else 0

    def forward(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the block's maps of maps and its share of the noise ``(B, latents)``."""
        x = self.norm(self.layer(x))
        return (x if self.dropout is None else self.dropout(x, u)).relu()


class UNet(nn.Module):
    """A network that halves, then doubles back; each scale is handed what the way down saw.

    Sides halve down to 2 or 3 while both are even, and down to 4 in any case, an odd one with rounding up: 28 → 14 → 7,
    32 → 16 → 8 → 4 → 2, 13 → 7.

    Way down: 4×4 convolutions of stride 2, LeakyReLU(0.2), a normalisation behind all but the first; channels
    double up to ``8·width``. At the bottom a 3×3 block, which stands for the deeper scales of the paper's 256-pixel
    network. Way up: transposed 4×4 convolutions, each but the last joined by the skip from its scale; tanh at the end.
    Dropout is in the bottom block and in the blocks up that follow it, three in all at most and none finer than a
    quarter of the resolution: for 28 pixels the bottom at 7×7, for 32 the maps of 2×2, 4×4 and 8×8.

    Args:
        source: channels of the source.
        shape: ``(C, H, W)`` of the image; the source has the same H and W.
        width: channels at half the resolution.
        rate: the rate of dropout; 0 for none.
        norm: a function that makes a normalisation.

    Attributes:
        latents: units under dropout, the size Z of u.

    Raises:
        ValueError: for a width below 1 or a rate outside [0, 1).
    """

    def __init__(
        self, source: int, shape: tuple[int, int, int], width: int, rate: float, norm: Norm = nn.BatchNorm2d
    ) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width={width}: give at least 1 channel")
        channels, height, breadth = shape
        sides = (height, breadth)
        times = max(halvings(height, breadth, least=2), scales(height, breadth))
        sizes = [(min(width << i, 8 * width), *halved(sides, i + 1)) for i in range(times)]
        down = []
        for i, (out, _, _) in enumerate(sizes):
            halve = halving(sizes[i - 1][0] if i else source, out, halved(sides, i))
            down.append(nn.Sequential(halve, *([norm(out)] if i else []), nn.LeakyReLU(0.2)))
        self.down = nn.ModuleList(down)
        bottom = sizes[-1] if sizes else (width, height, breadth)
        middle = nn.Conv2d(bottom[0] if sizes else source, bottom[0], 3, padding=1)
        self.bottom = Block(middle, bottom[0], NoiseDropout(bottom, rate) if rate else None, norm)
        up = []
        for i in range(times - 1, 0, -1):
            into, noisy = sizes[i - 1], rate > 0 and i >= 2 and times - i < NOISY_BLOCKS
            double = doubling(sizes[i][0] * (1 if i == times - 1 else 2), into[0], halved(sides, i))
            up.append(Block(double, into[0], NoiseDropout(into, rate) if noisy else None, norm))
        self.up = nn.ModuleList(up)
        last = width * (2 if times > 1 else 1)
        self.last = doubling(last, channels, sides) if times else nn.Conv2d(last, channels, 3, padding=1)
        self.shares = [self.bottom.latents, *[block.latents for block in up]]
        self.latents = sum(self.shares)

    def forward(self, source: Tensor, u: Tensor) -> Tensor:
        """Map sources ``(B, C', H, W)`` and noise ``(B, latents)`` to images ``(B, C, H, W)``, both on [-1, 1]."""
        skips: list[Tensor] = []
        for layer in self.down:
            source = layer(source)
            skips.append(source)
        noise: Sequence[Tensor] = u.split(self.shares, 1)
        x = self.bottom(source, noise[0])
        for block, share, skip in zip(self.up, noise[1:], reversed(skips[:-1]), strict=True):
            x = torch.cat([block(x, share), skip], 1)
        return torch.tanh(self.last(x))
