"""From Gaussian noise u and a condition to what a generator takes. A code's weights learn with the generator's."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.layers.training import whole
from genbench.interface import Batch


class Code(nn.Module):
    """The noise itself: ``z = u``.

    Args:
        latents: size Z of u.

    Attributes:
        features: size of what it returns.
        given: what it reads of the batch, as ``LogLikelihood.given`` says it.

    Raises:
        ValueError: for less than one latent.
    """

    given: tuple[str, ...] = ()

    def __init__(self, latents: int) -> None:
        super().__init__()
        whole(1, latents=latents)
        self.latents = self.features = latents

    def forward(self, u: Tensor, given: Batch) -> Tensor:
        """Noise ``(B, Z)`` → code ``(B, features)``."""
        return u


class LabelCode(Code):
    """The noise with the label beside it as a one-hot vector (1411.1784), times :attr:`strength`.

    With 64 latents a label of strength 6 was seen to drown the noise (one image a class), and one of 1 to go unheard.

    Args:
        latents: size Z of u.
        classes: number of labels.
    """

    given = ("label",)
    strength = 3.0

    def __init__(self, latents: int, classes: int) -> None:
        super().__init__(latents)
        self.classes, self.features = classes, latents + classes

    def forward(self, u: Tensor, given: Batch) -> Tensor:
        """Noise ``(B, Z)`` and labels → ``(B, Z + classes)``."""
        return torch.cat([u, self.strength * F.one_hot(labels_of(given), self.classes).to(u)], 1)


def labels_of(batch: Batch) -> Tensor:
    """The batch's labels.

    Raises:
        ValueError: where it has none.
    """
    if batch.labels is None:
        raise ValueError("labels=None: this model is conditioned on the label of every image")
    return batch.labels
