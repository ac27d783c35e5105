"""What keeps a critic smooth: penalties ``(score, real, fake, generator) → scalar``, their weight included.

``score`` maps images ``(B, C, H, W)`` on [-1, 1] to logits, the condition of each image already bound to it; all noise
comes from ``generator``. Each penalty is a frozen dataclass of its numbers, which says in ``setting`` what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from families.layers.options import positive
from genbench.seed import normal, uniform

Score = Callable[[Tensor], Tensor]


class Penalty(Protocol):
    """What a game adds to its critic's loss."""

    @property
    def setting(self) -> str:
        """The penalty and its numbers in words, for a column of the table."""
        ...

    def __call__(self, score: Score, real: Tensor, fake: Tensor, generator: Generator, /) -> Tensor:
        """Return the weighted penalty of a score on batches of real and of generated images, a scalar."""
        ...


def interpolates(real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
    """Return ``ε real + (1 - ε) fake``, with ε uniform on [0, 1) and drawn anew for each sample.

    Raises:
        ValueError: where real and fake batches differ in shape.
    """
    if real.shape != fake.shape:
        raise ValueError(f"fake images {tuple(fake.shape)}: interpolation needs real ones' shape {tuple(real.shape)}")
    share = uniform((len(real), *[1] * (real.dim() - 1)), generator, real.device).to(real.dtype)
    return share * real + (1 - share) * fake


def gradients(score: Score, images: Tensor) -> Tensor:
    """Return the score's gradient at each image, flat, ``(B, C·H·W)``, itself differentiable.

    Summing the scores before the derivative keeps samples apart only where the critic does: no batch normalisation.
    """
    images = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(score(images).sum(), images, create_graph=True)
    return gradient.flatten(1)


def gradient_norms(score: Score, images: Tensor) -> Tensor:
    """Return the 2-norm of the score's gradient at each image, over all axes but the batch: ``(B,)``."""
    return gradients(score, images).norm(dim=1)


@dataclass(frozen=True)
class GradientPenalty:
    """``λ E (‖∇C(x̂)‖ - 1)²`` on interpolates x̂, from both sides of 1 (1704.00028, equation 3).

    Args:
        weight: the weight λ.

    Raises:
        ValueError: for a weight that is not positive.
    """

    weight: float = 10.0

    def __post_init__(self) -> None:
        positive(weight=self.weight)

    @property
    def setting(self) -> str:
        """The penalty and its numbers in words, for a column of the table."""
        return f"gradient penalty {self.weight:g}"

    def __call__(self, score: Score, real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
        """Return the weighted penalty, a scalar."""
        return self.weight * (gradient_norms(score, interpolates(real, fake, generator)) - 1).square().mean()


@dataclass(frozen=True)
class OneSidedPenalty:
    """``λ E max(0, ‖∇C(x̂)‖ - 1)²`` on interpolates: a critic may be flatter than 1, never steeper (1709.08894).

    Args:
        weight: the weight λ.

    Raises:
        ValueError: for a weight that is not positive.
    """

    weight: float

    def __post_init__(self) -> None:
        positive(weight=self.weight)

    @property
    def setting(self) -> str:
        """The penalty and its numbers in words, for a column of the table."""
        return f"one sided penalty {self.weight:g}"

    def __call__(self, score: Score, real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
        """Return the weighted penalty, a scalar."""
        return self.weight * (gradient_norms(score, interpolates(real, fake, generator)) - 1).relu().square().mean()


@dataclass(frozen=True)
class DivergencePenalty:
    """``k E ‖∇C(x̂)‖^p`` on interpolates (1712.01026): what makes it a divergence, with no slope that it aims at.

    Args:
        weight: the weight k.
        power: p, at least 1: below, the penalty's slope is not finite where the critic is flat.

    Raises:
        ValueError: for a weight that is not positive, or a power below 1.
    """

    weight: float
    power: float

    def __post_init__(self) -> None:
        positive(power=self.power, weight=self.weight)
        if self.power < 1:
            raise ValueError(f"power={self.power}: give at least 1")

    @property
    def setting(self) -> str:
        """The penalty and its numbers in words, for a column of the table."""
        return f"divergence penalty {self.weight:g}, power {self.power:g}"

    def __call__(self, score: Score, real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
        """Return the weighted penalty, a scalar."""
        return self.weight * gradient_norms(score, interpolates(real, fake, generator)).pow(self.power).mean()


@dataclass(frozen=True)
class LocalPenalty:
    """``λ E (‖∇C(x + δ)‖ - 1)²`` round real ones, δ from N(0, (spread · s)²), s the batch's deviation (1705.07215).

    Args:
        weight: the weight λ.
        spread: deviation of δ, in the batch's own.

    Raises:
        ValueError: for a number that is not positive.
    """

    weight: float
    spread: float

    def __post_init__(self) -> None:
        positive(spread=self.spread, weight=self.weight)

    @property
    def setting(self) -> str:
        """The penalty and its numbers in words, for a column of the table."""
        return f"local penalty {self.weight:g}, spread {self.spread:g}"

    def __call__(self, score: Score, real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
        """Return the weighted penalty, a scalar."""
        noise = normal(real.shape, generator, real.device).to(real.dtype)
        return self.weight * (gradient_norms(score, real + self.spread * real.std() * noise) - 1).square().mean()


@dataclass(frozen=True)
class R1:
    """``½ γ E ‖∇C(x)‖²`` on real images alone: no noise, no fakes, and no root that a flat critic has no slope at.

    The penalty comes from 1801.04406, where it is ``R₁``.

    Args:
        weight: the weight γ.

    Raises:
        ValueError: for a weight that is not positive.
    """

    weight: float = 10.0

    def __post_init__(self) -> None:
        positive(weight=self.weight)

    @property
    def setting(self) -> str:
        """The penalty and its numbers in words, for a column of the table."""
        return f"R1 penalty {self.weight:g}"

    def __call__(self, score: Score, real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
        """Return the weighted penalty, a scalar."""
        return self.weight / 2 * gradients(score, real).square().sum(1).mean()
