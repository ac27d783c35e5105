"""What an autoencoder's codes are: the means of what its encoder answers."""

from __future__ import annotations

from torch import Tensor, nn

from families.autoencoder.distributions import CodeDistribution
from families.layers.coded import Coded
from genbench.spec import Batch


class Encoded(Coded):
    """A model with an ``encoder``, ``(images on [-1, 1], given) → distribution``, whose mean is an image's code."""

    encoder: nn.Module

    def posterior(self, batch: Batch) -> CodeDistribution:
        """Return the distribution ``q(z given x)`` over every image's code."""
        return self.encoder(self.scaled(batch), batch)

    def encode(self, batch: Batch) -> Tensor:
        """Return the posterior's mean of every image, ``(B, Z)``."""
        return self.posterior(batch).mean
