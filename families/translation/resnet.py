"""Residual translators: down, residual blocks, up again (1603.08155; 1703.10593, section 4), sized by the shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.adversarial.dcgan import Norm, unnormalised
from families.layers.convolutional import doubling, halving
from families.layers.options import whole
from families.layers.scaling import halved, scales
from families.translation.blocks import Activation, Pad, convolution, residual
from families.translation.dropout import NoiseDropout

HALVINGS = 2  # at most


def coarsest(shape: Sequence[int], width: int, halvings: int = HALVINGS) -> tuple[int, int, int]:
    """Return the shape of a translator's smallest maps: sides halve so often at most, to 4 or more; channels double."""
    times = min(halvings, scales(*shape[1:]))
    return (width << times, *halved(shape[1:], times))


def end_kernel(shape: Sequence[int]) -> int:
    """Return the side of the first and last kernel: 7, or 3 where the image's own side is below 4."""
    return 7 if min(shape[1:]) >= 4 else 3


class Blocks(nn.Module):
    """Residual blocks in a row.

    Args:
        shape: the shape of the maps.
        blocks: the number of blocks.
        norm: a function that makes a normalisation.
        pad: the way frames are filled.
        activation: a function that makes an activation.
        dropout: the rate of dropout in each block, driven by u; 0 for none.

    Attributes:
        latents: units under dropout.
    """

    def __init__(
        self, shape: tuple[int, int, int], blocks: int, norm: Norm, pad: Pad, activation: Activation, dropout: float
    ) -> None:
        super().__init__()
        whole(0, blocks=blocks)
        self.blocks = nn.ModuleList(
            residual(shape[0], norm, pad, activation, NoiseDropout(shape, dropout) if dropout else None)
            for _ in range(blocks)
        )
        self.share = math.prod(shape) if dropout else 0
        self.latents = blocks * self.share

    def forward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """Map maps, and noise ``(B, latents)`` where there is dropout, to maps of their shape."""
        for i, block in enumerate(self.blocks):
            x = block(x, None if u is None else u[:, i * self.share : (i + 1) * self.share])
        return x


class Encoder(nn.Module):
    """The way down: a 7×7 convolution to ``width`` maps, convolutions of stride 2, residual blocks.

    Args:
        source: the shape ``(C, H, W)`` of what comes in, channels of a condition included.
        width: channels at the image's own sides, doubled with every halving.
        blocks: residual blocks at the coarsest sides.
        norm: a function that makes a normalisation.
        pad: the way frames are filled round the first convolution and in the blocks.
        kernel: the side of the kernels that halve, 3 or 4.
        activation: a function that makes an activation.
        dropout: the rate of dropout in each block, driven by u; 0 for none.
        halvings: how often the sides halve at most.
        twice: whether a 3×3 convolution follows each that halves, in front of its normalisation.

    Attributes:
        latents: units under dropout.

    Raises:
        ValueError: for a width below 1, or an option out of range.
    """

    def __init__(
        self,
        source: tuple[int, int, int],
        width: int,
        blocks: int,
        norm: Norm,
        pad: Pad,
        *,
        kernel: int = 3,
        activation: Activation = nn.ReLU,
        dropout: float = 0.0,
        halvings: int = HALVINGS,
        twice: bool = False,
    ) -> None:
        super().__init__()
        whole(1, width=width)
        shape = coarsest(source, width, halvings)
        layers: list[nn.Module] = [convolution(source[0], width, end_kernel(source), norm, pad), activation()]
        sides, own = source[1:], width
        while own < shape[0]:
            layers += [_down(own, 2 * own, sides, kernel, norm, twice), activation()]
            sides, own = halved(sides, 1), 2 * own
        self.down = nn.Sequential(*layers)
        self.blocks = Blocks(shape, blocks, norm, pad, activation, dropout)
        self.latents = self.blocks.latents

    def forward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """Map images ``(B, C, H, W)`` to their coarsest maps."""
        return self.blocks(self.down(x), u)


class Decoder(nn.Module):
    """The way up: residual blocks, transposed convolutions of stride 2, a 7×7 convolution, tanh.

    Args:
        shape: the shape ``(C, H, W)`` of the image.
        width: channels at the image's own sides.
        blocks: residual blocks at the coarsest sides.
        norm: a function that makes a normalisation.
        pad: the way frames are filled round the last convolution and in the blocks.
        kernel: the side of the kernels that double, 3 or 4.
        activation: a function that makes an activation.
        dropout: the rate of dropout in each block, driven by u; 0 for none.
        halvings: how often the sides halve at most, as on the way down.
        twice: whether a 3×3 convolution follows each that doubles, in front of its normalisation.

    Attributes:
        latents: units under dropout.
        last: the last convolution, of ``width`` maps at the image's own sides.

    Raises:
        ValueError: for a width below 1, or an option out of range.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        width: int,
        blocks: int,
        norm: Norm,
        pad: Pad,
        *,
        kernel: int = 3,
        activation: Activation = nn.ReLU,
        dropout: float = 0.0,
        halvings: int = HALVINGS,
        twice: bool = False,
    ) -> None:
        super().__init__()
        whole(1, width=width)
        coarse = coarsest(shape, width, halvings)
        self.blocks = Blocks(coarse, blocks, norm, pad, activation, dropout)
        self.latents = self.blocks.latents
        layers: list[nn.Module] = []
        for own in reversed(range((coarse[0] // width).bit_length() - 1)):
            sides = halved(shape[1:], own)
            layers += [_up(width << (own + 1), width << own, sides, kernel, norm, twice), activation()]
        self.up = nn.Sequential(*layers)
        self.last = convolution(width, shape[0], end_kernel(shape), pad=pad)

    def maps(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """Map the coarsest maps to the last ones ``(B, width, H, W)``, in front of the last convolution."""
        return self.up(self.blocks(x, u))

    def forward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """Map the coarsest maps to images ``(B, C, H, W)`` on [-1, 1]."""
        return torch.tanh(self.last(self.maps(x, u)))


class Translator(nn.Module):
    """An encoder and a decoder.

    Args:
        encoder: source → the coarsest maps; of ``conditions`` more channels than a source has.
        decoder: these maps → image.
        conditions: the number of values of a condition, told as so many channels behind the source, one of them 1;
            0 for none.
        skip: whether what the networks say is added to the source: ``clamp(x + net(x), -1, 1)``.

    Attributes:
        latents: units under dropout, the size Z of u.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, *, conditions: int = 0, skip: bool = False) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.conditions, self.skip = conditions, skip
        self.latents = encoder.latents + decoder.latents

    def forward(self, source: Tensor, u: Tensor | None = None, condition: Tensor | None = None) -> Tensor:
        """Map sources ``(B, C, H, W)`` on [-1, 1] to images.

        Args:
            source: the sources.
            u: noise ``(B, latents)``; None where there is no dropout.
            condition: int64 ``(B,)`` below ``conditions``, where there are some.
        """
        first, second = (None, None) if u is None else u.split([self.encoder.latents, self.decoder.latents], 1)
        x = source
        if condition is not None:
            told = F.one_hot(condition, self.conditions).to(source.dtype)[:, :, None, None]
            x = torch.cat([source, told.expand(-1, -1, *source.shape[2:])], 1)
        made = self.decoder(self.encoder(x, first), second)
        return (source + made).clamp(-1, 1) if self.skip else made


def _down(into: int, out: int, sides: Sequence[int], kernel: int, norm: Norm, twice: bool = False) -> nn.Module:
    if twice:
        return nn.Sequential(_down(into, out, sides, kernel, unnormalised), convolution(out, out, 3, norm))
    if kernel == 3:
        return convolution(into, out, 3, norm, stride=2)
    return nn.Sequential(halving(into, out, sides, bias=norm is unnormalised), norm(out))


def _up(into: int, out: int, sides: Sequence[int], kernel: int, norm: Norm, twice: bool = False) -> nn.Module:
    if twice:
        return nn.Sequential(_up(into, out, sides, kernel, unnormalised), convolution(out, out, 3, norm))
    bias = norm is unnormalised
    if kernel == 4:
        return nn.Sequential(doubling(into, out, sides, bias=bias), norm(out))
    rows, columns = (1 - side % 2 for side in sides)
    return nn.Sequential(nn.ConvTranspose2d(into, out, 3, 2, 1, output_padding=(rows, columns), bias=bias), norm(out))
