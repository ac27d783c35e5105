"""The model that counts: each pixel's levels in the training images, and nothing between pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Generator, Tensor

from genbench.interface import LogLikelihood
from genbench.likelihood.nll import bits_per_dim, summarise
from genbench.records.parts import Likelihood

BLOCK = 1024  # images at once


@dataclass(frozen=True)
class Histogram:
    """A model of independent categorical pixels.

    Args:
        log_probabilities: the log-probability of each level at each pixel, float64 ``(C·H·W, levels)``, nats.
        shape: an image's shape ``(C, H, W)``.
    """

    log_probabilities: Tensor
    shape: tuple[int, ...]

    @classmethod
    def of(cls, images: Tensor, levels: int) -> Histogram:
        """Count levels: ``P(pixel = v) = (n_v + 1/levels) / (N + 1)``, as of one more image, of no particular level.

        Without it a level that no training image has there would have probability 0, and one test image with it all
        of them infinitely many bits (Perks 1947, of the same family as adding one to each count).

        Args:
            images: the training images, uint8 ``(N, C, H, W)``.
            levels: the number of levels that the images have.
        """
        pixels = images[0].numel()
        counts = torch.zeros(pixels * levels, dtype=torch.int64)
        for part in images.split(BLOCK):
            places = part.flatten(1).long() + levels * torch.arange(pixels)
            counts += torch.bincount(places.flatten(), minlength=pixels * levels)
        smoothed = (counts.reshape(pixels, levels).double() + 1 / levels) / (len(images) + 1)
        return cls(smoothed.log(), tuple(images.shape[1:]))

    def nll(self, images: Tensor) -> Likelihood:
        """Return the bits per dimension of uint8 ``(N, C, H, W)``: exact, given nothing."""
        parts = []
        for part in images.split(BLOCK):
            each = self.log_probabilities.gather(1, part.flatten(1).long().T)
            parts.append(bits_per_dim(each.sum(0), len(each)))
        how = LogLikelihood(nats=images.new_empty(0), kind="exact", method="histogram")
        return summarise(torch.cat(parts).tolist(), how)

    def sample(self, n: int, generator: Generator) -> Tensor:
        """Draw ``n`` images of that very probability, uint8 ``(n, C, H, W)``."""
        channels, height, _ = self.shape
        sums = self.log_probabilities.exp().cumsum(1)
        drawn = []
        for start in range(0, n, BLOCK):
            uniform = torch.rand((len(sums), min(BLOCK, n - start)), dtype=torch.float64, generator=generator)
            levels = torch.searchsorted(sums, uniform).clamp(max=sums.shape[1] - 1)
            drawn.append(rearrange(levels.to(torch.uint8), "(c y x) n -> n c y x", c=channels, y=height))
        return torch.cat(drawn)
