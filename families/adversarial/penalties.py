"""What keeps a critic smooth: plain functions ``(score, real, fake, generator) → scalar``, weight included.

``score`` maps images ``(B, C, H, W)`` on [-1, 1] to logits, the condition of each image already bound to it; all noise
comes from ``generator``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from genbench.seed import normal, uniform

Score = Callable[[Tensor], Tensor]
Penalty = Callable[[Score, Tensor, Tensor, Generator], Tensor]


def interpolates(real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
    """``ε real + (1 - ε) fake``, with ε uniform on [0, 1) and drawn anew for each sample.

    Raises:
        ValueError: where real and fake batches differ in shape.
    """
    if real.shape != fake.shape:
        raise ValueError(f"fake images {tuple(fake.shape)}: interpolation needs real ones' shape {tuple(real.shape)}")
    share = uniform((len(real), *[1] * (real.dim() - 1)), generator, real.device).to(real.dtype)
    return share * real + (1 - share) * fake


def gradient_norms(score: Score, images: Tensor) -> Tensor:
    """2-norm of the score's gradient at each image, over all axes but the batch: ``(B,)``, itself differentiable.

    Summing the scores before the derivative keeps samples apart only where the critic does: no batch normalisation.
    """
    images = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(score(images).sum(), images, create_graph=True)
    return gradient.flatten(1).norm(dim=1)


def gradient_penalty(score: Score, real: Tensor, fake: Tensor, generator: Generator, *, weight: float = 10.0) -> Tensor:
    """``λ E (‖∇C(x̂)‖ - 1)²`` on interpolates x̂, from both sides of 1 (1704.00028, equation 3)."""
    return weight * (gradient_norms(score, interpolates(real, fake, generator)) - 1).square().mean()


def one_sided_penalty(score: Score, real: Tensor, fake: Tensor, generator: Generator, *, weight: float) -> Tensor:
    """``λ E max(0, ‖∇C(x̂)‖ - 1)²`` on interpolates: a critic may be flatter than 1, never steeper (1709.08894)."""
    return weight * (gradient_norms(score, interpolates(real, fake, generator)) - 1).relu().square().mean()


def divergence_penalty(
    score: Score, real: Tensor, fake: Tensor, generator: Generator, *, weight: float, power: float
) -> Tensor:
    """``k E ‖∇C(x̂)‖^p`` on interpolates (1712.01026): what makes it a divergence, with no slope that it aims at."""
    return weight * gradient_norms(score, interpolates(real, fake, generator)).pow(power).mean()


def local_penalty(
    score: Score, real: Tensor, fake: Tensor, generator: Generator, *, weight: float, spread: float
) -> Tensor:
    """``λ E (‖∇C(x + δ)‖ - 1)²`` round real ones, δ from N(0, (spread · s)²), s the batch's deviation (1705.07215)."""
    noise = normal(real.shape, generator, real.device).to(real.dtype)
    return weight * (gradient_norms(score, real + spread * real.std() * noise) - 1).square().mean()
