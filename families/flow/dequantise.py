"""The way from integers to the real numbers that a flow can be a density of, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from families.flow.distributions import HALF_A_STEP
from genbench.seed import uniform
from genbench.spec import DataSpec


@dataclass(frozen=True)
class Dequantiser:
    """Uniform noise within each level's bin, and around the image as many noisy rows and columns as a flow asks for.

    A flow that has to halve an odd side, or to couple what is alone, works on a larger canvas: rows are appended below
    the image and columns at its right, whose values e are uniform over the whole range (0, levels), with density
    ``q(e) = levels^-count``. A flow over the canvas is a density p(v, e), and

        w = p(v, e) / q(e),        log w = log p(v, e) + count · ln levels,

    has the mean ``∫∫ p(v, e) de dv`` over the bins of the image: exactly the probability of the stored integers under
    the model's samples, of which the padding is cut off. So the padding's nats are counted, and bits per dimension
    divide by the image's own C·H·W.

    Args:
        spec: the spec of the data.
        padding: rows and columns to append.
    """

    spec: DataSpec
    padding: tuple[int, int] = (0, 0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of the canvas that the flow sees, ``(C, H', W')``."""
        channels, height, width = self.spec.shape
        return channels, height + self.padding[0], width + self.padding[1]

    @property
    def nats(self) -> float:
        """The constant ``-log q(e)`` that is to be added to the log-density of a canvas."""
        return (math.prod(self.shape) - self.spec.dimensions) * math.log(self.spec.levels)

    def values(self, images: Tensor, generator: Generator) -> Tensor:
        """Draw ``image + u``, and ``levels · u`` in the padding, u uniform on (0, 1): float64 ``(B, *shape)``."""
        _, height, width = self.spec.shape
        noise = uniform((len(images), *self.shape), generator, images.device).double() + HALF_A_STEP
        values = noise * self.spec.levels
        values[:, :, :height, :width] = images + noise[:, :, :height, :width]
        return values

    def images(self, values: Tensor) -> Tensor:
        """Return the levels in whose bins values lie, without the padding: uint8 ``(B, C, H, W)``."""
        _, height, width = self.spec.shape
        levels = values[:, :, :height, :width].floor()
        return levels.clamp(0, self.spec.levels - 1).to(torch.uint8)  # rounding may reach an end
