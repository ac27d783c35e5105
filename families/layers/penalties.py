"""What keeps a critic smooth: plain functions ``(score, real, fake, generator) → scalar``, weight included.

``score`` maps images ``(B, C, H, W)`` on [-1, 1] to logits, the condition of each image already bound to it; all noise
comes from ``generator``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from genbench.seed import uniform

Score = Callable[[Tensor], Tensor]
Penalty = Callable[[Score, Tensor, Tensor, Generator], Tensor]


def interpolates(real: Tensor, fake: Tensor, generator: Generator) -> Tensor:
    """``ε real + (1 - ε) fake``, with ε uniform on [0, 1) and drawn anew for each sample."""
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
    """``λ E (‖∇C(x̂)‖ - 1)²`` on interpolates x̂, from both sides of 1 (1704.00028, equation 3).

    Raises:
        ValueError: where real and fake batches differ in shape, so that they have no interpolates.
    """
    if real.shape != fake.shape:
        raise ValueError(f"fake images {tuple(fake.shape)}: interpolation needs real ones' shape {tuple(real.shape)}")
    return weight * (gradient_norms(score, interpolates(real, fake, generator)) - 1).square().mean()
