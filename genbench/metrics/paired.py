"""What measures between an output and its own target share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.metrics.summary import mean, standard_error


@dataclass(frozen=True)
class Paired:
    """A mean over pairs.

    Args:
        mean: over images.
        standard_error: of the mean; None for one pair or an infinite mean.
        images: pairs.
    """

    mean: float
    standard_error: float | None
    images: int

    @classmethod
    def of(cls, values: Tensor) -> Paired:
        """The mean of one value a pair."""
        numbers = values.double().tolist()
        return cls(mean(numbers), standard_error(numbers), len(numbers))


def check_pairs(fake: Tensor, real: Tensor) -> None:
    """Refuse, by ``ValueError``, what are not pairs of uint8 images ``(N, C, H, W)``."""
    if fake.shape != real.shape or fake.dim() != 4 or len(fake) == 0:
        raise ValueError(f"pairs of shape {tuple(fake.shape)} and {tuple(real.shape)}: give (N, C, H, W) twice")
    for name, images in (("fake", fake), ("real", real)):
        if images.dtype != torch.uint8:
            raise ValueError(f"{name} images are {images.dtype}: give uint8 levels, as files hold them")
