"""What translators are built of: convolutions with their normalisation, residual blocks, layers that enlarge.

``norm`` makes a normalisation of so many channels (``instance``, ``nn.BatchNorm2d``, ``unnormalised``), ``pad`` is how
frames are filled (``"reflect"``, ``"zeros"``, ``"replicate"``), ``activation`` makes a layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from families.adversarial.dcgan import Norm, unnormalised
from families.layers.instance_norm import instance
from families.translation.dropout import NoiseDropout

Activation = Callable[[], nn.Module]
Pad = Literal["zeros", "reflect", "replicate"]

NORMS: dict[str, Norm] = {"batch": nn.BatchNorm2d, "instance": instance}  # that a recipe may be asked for


def convolution(
    into: int, out: int, kernel: int, norm: Norm = unnormalised, pad: Pad = "zeros", *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Make a convolution of an odd kernel and its normalisation; only without one it has a bias, which would not count.

    Args:
        into: channels that come in.
        out: channels that go out.
        kernel: the side of the kernel.
        norm: a function that makes the normalisation.
        pad: the way frames are filled.
        stride: 1 keeps the sides, 2 halves them, rounded up.
        groups: parts of the channels that are apart, ``into`` for one of each.
    """
    bias = norm is unnormalised
    layer = nn.Conv2d(into, out, kernel, stride, kernel // 2, groups=groups, bias=bias, padding_mode=pad)
    return nn.Sequential(layer, norm(out))


class Residual(nn.Module):
    """A block ``x + second(dropout(first(x)))``.

    Args:
        first: the layers in front of dropout.
        second: the layers behind.
        dropout: a dropout that u drives; None for none.

    Attributes:
        latents: units under dropout, the numbers of u that it reads.
    """

    def __init__(self, first: nn.Module, second: nn.Module, dropout: NoiseDropout | None = None) -> None:
        super().__init__()
        self.first, self.second, self.dropout = first, second, dropout
        self.latents = 0 if dropout is None else dropout.units

    def forward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """Map maps ``(B, C, H, W)``, with noise ``(B, latents)`` where there is dropout, to as many."""
        inner = self.first(x)
        return x + self.second(inner if self.dropout is None else self.dropout(inner, u))


def residual(
    channels: int,
    norm: Norm = unnormalised,
    pad: Pad = "zeros",
    activation: Activation = nn.ReLU,
    dropout: NoiseDropout | None = None,
) -> Residual:
    """Make a residual block of two 3×3 convolutions, an activation and dropout, if any, between (1512.03385)."""
    first = nn.Sequential(convolution(channels, channels, 3, norm, pad), activation())
    return Residual(first, convolution(channels, channels, 3, norm, pad), dropout)


def separable(
    into: int,
    out: int,
    norm: Norm = unnormalised,
    pad: Pad = "zeros",
    activation: Activation = nn.ReLU,
    *,
    stride: int = 1,
) -> nn.Sequential:
    """Make a 3×3 convolution of each channel by itself, then a 1×1 one over them (1704.04861), and an activation."""
    return nn.Sequential(
        convolution(into, into, 3, norm, pad, stride=stride, groups=into),
        activation(),
        convolution(into, out, 1, norm),
        activation(),
    )


def inverted(
    channels: int, ratio: int, norm: Norm = unnormalised, pad: Pad = "zeros", activation: Activation = nn.ReLU
) -> Residual:
    """Make a residual block that is wide inside: 1×1 up by ``ratio``, 3×3 of each channel, 1×1 back (1801.04381)."""
    wide = ratio * channels
    first = nn.Sequential(
        convolution(channels, wide, 1, norm),
        activation(),
        convolution(wide, wide, 3, norm, pad, groups=wide),
        activation(),
    )
    return Residual(first, convolution(wide, channels, 1, norm))


def shuffle(into: int, out: int, factor: int, pad: Pad = "zeros") -> nn.Sequential:
    """Make a 3×3 convolution to ``factor²`` maps for each of ``out``, laid side by side: sides times ``factor``.

    Channels 4c to 4c + 3 of factor 2 are the squares ``[[0, 1], [2, 3]]`` of map c (1609.05158).
    """
    return nn.Sequential(convolution(into, factor**2 * out, 3, pad=pad), nn.PixelShuffle(factor))
