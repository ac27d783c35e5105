"""What keeps a critic smooth: penalties ``(score, real, fake, generator) → scalar``, their weight included.

``score`` maps images ``(B, C, H, W)`` on [-1, 1] to logits, the condition of each image already bound to it; all noise
comes from ``generator``. Each penalty is a frozen dataclass of its numbers, which says in ``setting`` what it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

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


@runtime_checkable
class OfPass(Protocol):
    """Penalties of real images alone, which need no pass over them beside the one that scores them."""

    def of_pass(self, images: Tensor, scores: Tensor) -> Tensor:
        """Return the weighted penalty, a scalar, of ``scores`` of real ``images`` that require a gradient."""
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
    return slopes(images, score(images))


def slopes(images: Tensor, scores: Tensor) -> Tensor:
    """Return the gradient of ``scores`` at the images that they are of, which require one: flat, as above."""
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient.flatten(1)


def gradient_norms(score: Score, images: Tensor) -> Tensor:
    """Return the 2-norm of the score's gradient at each image, over all axes but the batch: ``(B,)``."""
    return gradients(score, images).norm(dim=1)


@dataclass(frozen=True)
class WeightedPenalty(ABC):
    """A penalty that is a weight times a mean over images; another one says its name and its :meth:`mean`.

    Args:
        weight: the factor of the mean.

    Raises:
        ValueError: for a weight that is not positive.
    """

    name: ClassVar[str]  # in words, for ``setting``
    weight: float

    def __post_init__(self) -> None:
        positive(weight=self.weight)

    @property
    def setting(self) -> str:
        """The penalty and its numbers in words, for a column of the table."""
        return f"{self.name} {self.weight:g}"

    @abstractmethod
    def mean(self, score: Score, real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
        """Return the penalty before its weight, a scalar."""

    def __call__(self, score: Score, real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
        """Return the weighted penalty, a scalar."""
        return self.weight * self.mean(score, real, fake, generator)


@dataclass(frozen=True)
class GradientPenalty(WeightedPenalty):
    """``λ E (‖∇C(x̂)‖ - 1)²`` on interpolates x̂, from both sides of 1 (1704.00028, equation 3).

    Args:
        weight: the weight λ.

    Raises:
        ValueError: for a weight that is not positive.
    """

    name: ClassVar[str] = "gradient penalty"

    def mean(self, score: Score, real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
        """Return the penalty before its weight, a scalar."""
        return (gradient_norms(score, interpolates(real, fake, generator)) - 1).square().mean()


@dataclass(frozen=True)
class OneSidedPenalty(WeightedPenalty):
    """``λ E max(0, ‖∇C(x̂)‖ - 1)²`` on interpolates: a critic may be flatter than 1, never steeper (1709.08894).

    Args:
        weight: the weight λ.

    Raises:
        ValueError: for a weight that is not positive.
    """

    name: ClassVar[str] = "one sided penalty"

    def mean(self, score: Score, real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
        """Return the penalty before its weight, a scalar."""
        return (gradient_norms(score, interpolates(real, fake, generator)) - 1).relu().square().mean()


@dataclass(frozen=True)
class DivergencePenalty(WeightedPenalty):
    """``k E ‖∇C(x̂)‖^p`` on interpolates (1712.01026): what makes it a divergence, with no slope that it aims at.

    Args:
        weight: the weight k.
        power: p, at least 1: below, the penalty's slope is not finite where the critic is flat.

    Raises:
        ValueError: for a weight that is not positive, or a power below 1.
    """

    name: ClassVar[str] = "divergence penalty"
    power: float

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(power=self.power)
        if self.power < 1:
            raise ValueError(f"power={self.power}: give at least 1")

    @property
    def setting(self) -> str:
        """The penalty and its numbers in words, for a column of the table."""
        return f"{super().setting}, power {self.power:g}"

    def mean(self, score: Score, real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
        """Return the penalty before its weight, a scalar."""
        return gradient_norms(score, interpolates(real, fake, generator)).pow(self.power).mean()


@dataclass(frozen=True)
class LocalPenalty(WeightedPenalty):
    """``λ E (‖∇C(x + δ)‖ - 1)²`` round real ones, δ from N(0, (spread · s)²), s the batch's deviation (1705.07215).

    Args:
        weight: the weight λ.
        spread: deviation of δ, in the batch's own.

    Raises:
        ValueError: for a number that is not positive.
    """

    name: ClassVar[str] = "local penalty"
    spread: float

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(spread=self.spread)

    @property
    def setting(self) -> str:
        """The penalty and its numbers in words, for a column of the table."""
        return f"{super().setting}, spread {self.spread:g}"

    def mean(self, score: Score, real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
        """Return the penalty before its weight, a scalar."""
        noise = normal(real.shape, generator, real.device).to(real.dtype)
        return (gradient_norms(score, real + self.spread * real.std() * noise) - 1).square().mean()


@dataclass(frozen=True)
class R1(WeightedPenalty):
    """``½ γ E ‖∇C(x)‖²`` on real images alone: no noise, no fakes, and no root that a flat critic has no slope at.

    The penalty comes from 1801.04406, where it is ``R₁``.

    Args:
        weight: the weight γ.

    Raises:
        ValueError: for a weight that is not positive.
    """

    name: ClassVar[str] = "R1 penalty"

    def mean(self, score: Score, real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
        """Return the penalty before its weight, a scalar."""
        return gradients(score, real).square().sum(1).mean() / 2

    def of_pass(self, images: Tensor, scores: Tensor) -> Tensor:
        """Return the weighted penalty, a scalar, by the pass that scored real images."""
        return self.weight * slopes(images, scores).square().sum(1).mean() / 2
