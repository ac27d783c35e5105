"""A tree of generators: one stem of maps that grow, and an image at every scale of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.gan.captioned import Augmentation
from families.layers.convolutional import faint, he
from families.layers.scaling import halved, scales
from families.outputs.base import at_least_single

BLOCKS = 2  # residual, between scales
COVARIANCE = 5.0  # the weight of covariances beside means


def gated(into: int, out: int) -> nn.Sequential:
    """Return a 3×3 convolution, batch normalisation and a gated linear unit, from maps to as many places."""
    convolution = he(nn.Conv2d(into, 2 * out, 3, padding=1, bias=False))
    return nn.Sequential(convolution, nn.BatchNorm2d(2 * out), nn.GLU(1))


class Residual(nn.Module):
    """``x + norm(conv(gated(x)))``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        last = he(nn.Conv2d(width, width, 3, padding=1, bias=False))
        self.inner = nn.Sequential(gated(width, width), last, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, width, H, W)`` to as many."""
        return x + self.inner(x)


class Root(nn.Module):
    """F₀: a code to the maps of the coarsest image.

    Args:
        inputs: the size of the code.
        width: channels.
        sides: height and width of the maps.
    """

    def __init__(self, inputs: int, width: int, sides: Sequence[int]) -> None:
        super().__init__()
        times = scales(sides[0], sides[1])
        base = (width, *halved(sides, times))
        units = 2 * math.prod(base)
        layers: list[nn.Module] = [he(nn.Linear(inputs, units, bias=False)), nn.BatchNorm1d(units), nn.GLU(1)]
        layers.append(nn.Unflatten(1, base))
        for place in reversed(range(times)):
            layers += [nn.Upsample(size=halved(sides, place)), gated(width, width)]
        self.layers = nn.Sequential(*layers)

    def forward(self, code: Tensor) -> Tensor:
        """Map codes ``(B, inputs)`` to maps ``(B, width, H, W)``."""
        return self.layers(code)


class Branch(nn.Module):
    """F_i: the maps of a scale and the code, joined at each place, to the maps of the next one.

    Args:
        inputs: the size of the code.
        into: channels that come in.
        out: channels that go out.
        sides: height and width of the maps that go out.
    """

    def __init__(self, inputs: int, into: int, out: int, sides: Sequence[int]) -> None:
        super().__init__()
        blocks = [Residual(into) for _ in range(BLOCKS)]
        self.layers = nn.Sequential(
            gated(into + inputs, into), *blocks, nn.Upsample(size=tuple(sides)), gated(into, out)
        )

    def forward(self, maps: Tensor, code: Tensor) -> Tensor:
        """Map ``(B, into, H, W)`` and codes ``(B, inputs)`` to ``(B, out, H', W')``."""
        return self.layers(torch.cat([maps, code[:, :, None, None].expand(-1, -1, *maps.shape[2:])], 1))


class Tree(nn.Module):
    """``h₀ = F₀(c, z)``, ``h_i = F_i(h_{i-1}, c)``, and at every scale an image ``y_i = tanh(conv(h_i))``.

    Args:
        shapes: the shapes of the images, the coarsest first.
        latents: the size of z.
        augmentation: makes c; without one z stands in its place.
        width: channels at half the resolution, half as many at the last scale, twice as many with every halving.
    """

    def __init__(
        self, shapes: Sequence[tuple[int, int, int]], latents: int, augmentation: Augmentation | None, width: int
    ) -> None:
        super().__init__()
        told = latents if augmentation is None else augmentation.size
        widths = [max(width * 2 ** (len(shapes) - 1 - place) // 2, 1) for place in range(len(shapes))]
        self.root = Root(latents if augmentation is None else latents + told, widths[0], shapes[0][1:])
        self.branches = nn.ModuleList(
            Branch(told, widths[place - 1], widths[place], shapes[place][1:]) for place in range(1, len(shapes))
        )
        self.ends = nn.ModuleList(
            nn.Sequential(faint(nn.Conv2d(own, shape[0], 3, padding=1)), nn.Tanh())
            for own, shape in zip(widths, shapes, strict=True)
        )
        self.augmentation = augmentation

    def forward(
        self, z: Tensor, noise: Tensor, vectors: Tensor, scale: int | None = None
    ) -> tuple[Sequence[Tensor], Tensor]:
        """Return the images on [-1, 1] of every scale, and the augmentation's divergence of each row.

        Args:
            z: noise, ``(B, Z)``.
            noise: that of the augmentation, ``(B, size)``.
            vectors: captions' vectors, ``(B, 64)``; neither is read without an augmentation.
            scale: the last scale that is wanted; all by default.
        """
        if self.augmentation is None:
            code, start, divergence = z, z, z.new_zeros(len(z))
        else:
            code, divergence = self.augmentation(vectors, noise)
            start = torch.cat([code, z], 1)
        maps = self.root(start)
        images = [self.ends[0](maps)]
        for branch, end in zip(self.branches[:scale], self.ends[1:], strict=False):
            maps = branch(maps, code)
            images.append(end(maps))
        return images, divergence


def colours(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean colour ``(B, C)`` and the covariance of colours ``(B, C, C)`` over the pixels of each image."""
    pixels = at_least_single(images).flatten(2)
    mean = pixels.mean(2)
    apart = pixels - mean[:, :, None]
    return mean, apart @ apart.transpose(1, 2) / pixels.shape[2]


def colour_consistency(images: Sequence[Tensor]) -> Tensor:
    """Return how far each scale's colours are from those of the next coarser one, which hears nothing of it.

    ``Σ_i ‖μ_i - μ_{i-1}‖² + 5 ‖Σ_i - Σ_{i-1}‖²``, means over the batch and over elements, in which the finer image's
    are taken at the coarser one's sides, by means of its pixels: such means vary less than the pixels do, and of small
    images so much less that real ones would else not satisfy it.

    Args:
        images: the images of every scale, ``(B, C, H, W)``, the coarsest first.
    """
    total = at_least_single(images[0].new_zeros(()))
    for coarse, fine in itertools.pairwise(images):
        there = F.adaptive_avg_pool2d(fine, (coarse.shape[2], coarse.shape[3]))
        for weight, ours, theirs in zip((1.0, COVARIANCE), colours(there), colours(coarse.detach()), strict=True):
            total = total + weight * (ours - theirs).square().mean()
    return total
