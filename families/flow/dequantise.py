"""The way from integers to the real numbers that a flow can be a density of, and back."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn

from families.flow.distributions import HALF_A_STEP
from families.flow.proposal import EndTails
from families.layers.options import one_of
from genbench.seed import uniform
from genbench.spec import DataSpec

DEQUANTISATIONS = ("learned", "uniform")


class Dequantiser(nn.Module):
    """Noise within each level's bin, and around the image as many noisy rows and columns as a flow asks for.

    A flow that has to halve an uneven side, or to couple what is alone, works on a larger canvas: rows are appended
    below the image and columns at its right, whose values e are uniform over the whole range (0, levels), with density
    ``q(e) = levels^-count``. A flow over the canvas is a density p(v, e), and

        w = p(v, e) / q(e),        log w = log p(v, e) + count · ln levels,

    has the mean ``∫∫ p(v, e) de dv`` over the bins of the image: exactly the probability of the stored integers under
    the model's samples, of which the padding is cut off. So the padding's nats are counted, and bits per dimension
    divide by the image's own C·H·W.

    Within the bins of the first and last level, in the padding too, learned noise is not uniform but goes where the
    flow has its density; its own density divides the weight (see ``EndTails``).

    Args:
        spec: the spec of the data.
        padding: rows and columns to append.
        dequantisation: ``"learned"``, or ``"uniform"`` within every bin.

    Raises:
        ValueError: for another dequantisation.
    """

    def __init__(self, spec: DataSpec, padding: tuple[int, int] = (0, 0), dequantisation: str = "learned") -> None:
        super().__init__()
        one_of(DEQUANTISATIONS, dequantisation=dequantisation)
        self.spec = spec
        self.padding = padding
        self.tails = EndTails(self.shape, spec.levels) if dequantisation == "learned" else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of the canvas that the flow sees, ``(C, H', W')``."""
        channels, height, width = self.spec.shape
        return channels, height + self.padding[0], width + self.padding[1]

    @property
    def nats(self) -> float:
        """The constant ``-log q(e)`` of the uniform padding, which is added to the log-density of a canvas."""
        return (math.prod(self.shape) - self.spec.dimensions) * math.log(self.spec.levels)

    def forward(self, images: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Draw canvases, float64 ``(B, *shape)`` within (0, levels), and return them and ``-log q``, float64 ``(B,)``.

        They are ``image + u``, and ``levels · u`` in the padding, u uniform on (0, 1). Learned tails then move those of
        the end bins, and the upper end's are given less ``levels`` (see ``OpenEnds``).
        """
        _, height, width = self.spec.shape
        noise = uniform((len(images), *self.shape), generator, images.device).double() + HALF_A_STEP
        values = noise * self.spec.levels
        values[:, :, :height, :width] = images + noise[:, :, :height, :width]
        if self.tails is None:
            return values, values.new_full((len(values),), self.nats)
        values, log_density = self.tails(values)
        return values, self.nats - log_density

    def images(self, values: Tensor) -> Tensor:
        """Return the levels in whose bins values lie, without the padding: uint8 ``(B, C, H, W)``."""
        _, height, width = self.spec.shape
        levels = values[:, :, :height, :width].floor()
        return levels.clamp(0, self.spec.levels - 1).to(torch.uint8)  # rounding may reach an end
