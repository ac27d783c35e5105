"""Codes: what a generator takes, made of Gaussian noise u and a condition; their weights learn with the generator's."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from families.layers.options import positive, whole
from genbench.spec import Batch


class Code(nn.Module):
    """A code that is the noise itself: ``z = u``.

    Args:
        latents: size Z of u.

    Attributes:
        features: size of what it returns.
        setting: what it does beside Gaussian noise in words, for :attr:`GAN.setting`; empty for nothing.
        given: what it reads of the batch, as ``LogLikelihood.given`` says it.
        categories: number of values of the hidden category that it reads of the batch; 1 where there is none.

    Raises:
        ValueError: for less than one latent.
    """

    setting = ""
    given: tuple[str, ...] = ()
    categories = 1

    def __init__(self, latents: int) -> None:
        super().__init__()
        whole(1, latents=latents)
        self.latents = self.features = latents

    def forward(self, u: Tensor, given: Batch) -> Tensor | tuple[Tensor, ...]:
        """Map noise ``(B, Z)`` to codes ``(B, features)``, with conditions of the generator's layers behind if any."""
        return u

    def truncated(self, u: Tensor) -> Tensor:
        """Return what samples are made of in place of ``u``: itself, unless truncated. No likelihood sees it."""
        return u


class LabelCode(Code):
    """A code of noise with the label beside it as a one-hot vector (1411.1784), times ``strength``.

    Too strong a label drowns the noise, and each class becomes one image; too weak a one goes unheard.

    Args:
        latents: size Z of u.
        classes: number of labels.
        strength: the strength of the label beside noise of variance 1.

    Raises:
        ValueError: for a strength that is not positive.
    """

    given = ("label",)

    def __init__(self, latents: int, classes: int, strength: float) -> None:
        super().__init__(latents)
        positive(strength=strength)
        self.classes, self.strength, self.features = classes, strength, latents + classes
        self.setting = f"label in the code ×{strength:g}"

    def forward(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise ``(B, Z)`` and labels to codes ``(B, Z + classes)``."""
        return torch.cat([u, self.strength * F.one_hot(labels_of(given), self.classes).to(u)], 1)


class ClassCode(Code):
    """A code of noise, and beside it the label for a generator whose normalisation is conditional (1802.05637).

    Args:
        latents: size Z of u.
    """

    given = ("label",)
    setting = "label in the norm"

    def forward(self, u: Tensor, given: Batch) -> tuple[Tensor, ...]:
        """Return noise ``(B, Z)`` and labels, both, labels int64 ``(B,)``."""
        return u, labels_of(given)


class InfoCode(Code):
    """A code of noise z, a hidden category as a one-hot vector, and numbers uniform on [-1, 1] (1606.03657).

    ``u`` is z and, behind it, what :func:`uniform_codes` makes the numbers of.

    Args:
        latents: size of z.
        categories: values of the category.
        continuous: the number of codes that are numbers.

    Raises:
        ValueError: for less than one latent or two categories, or a negative number of numbers.
    """

    def __init__(self, latents: int, categories: int, continuous: int) -> None:
        super().__init__(latents)
        whole(2, categories=categories)
        whole(0, continuous=continuous)
        self.categories, self.continuous = categories, continuous
        self.latents, self.features = latents + continuous, latents + categories + continuous
        self.setting = f"code of {categories} values and {continuous} numbers"

    def forward(self, u: Tensor, given: Batch) -> Tensor:
        """Map noise ``(B, Z)`` and categories to codes ``(B, z + categories + continuous)``."""
        z, category = u[:, : self.latents - self.continuous], given.fields["category"]
        return torch.cat([z, F.one_hot(category, self.categories).to(u), uniform_codes(u, self.continuous)], 1)


def uniform_codes(u: Tensor, continuous: int) -> Tensor:
    """Return ``2Φ(v) - 1`` of the last ``continuous`` columns v of Gaussian noise: uniform on [-1, 1]."""
    return 2 * torch.special.ndtr(u[:, u.shape[1] - continuous :]) - 1


def labels_of(batch: Batch) -> Tensor:
    """Return the batch's labels.

    Raises:
        ValueError: where it has none.
    """
    if batch.labels is None:
        raise ValueError("labels=None: this model is conditioned on the label of every image")
    return batch.labels
