"""The questions that every output answers, and what outputs share."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

DESCENT_PIXELS = 2048
DESCENT_STEPS = 150
DESCENT_RATE = 0.1


class Output(Protocol):
    """A distribution over the levels of a pixel's channels, given ``P`` numbers.

    ``joint`` says that a pixel's channels are drawn at once, from parameters that see earlier pixels only. Otherwise
    they are independent given their parameters, which stand channel by channel: ``P = C·K``, channel-major.

    Shapes: ``B`` batch, ``C, H, W`` image, ``P`` parameters a pixel, ``K`` parameters a channel. Parameters may come
    in half precision; every answer is computed in float32 or better.
    """

    @property
    def levels(self) -> int:
        """How many levels a channel can take."""
        ...

    @property
    def joint(self) -> bool:
        """Whether a pixel's channels are drawn at once."""
        ...

    def parameters(self, channels: int) -> int:
        """Return ``P``, how many numbers a pixel of so many channels takes."""
        ...

    def start(self, channels: int) -> Tensor:
        """Return the parameters ``(P,)`` that every pixel begins with before any data are seen: near the uniform."""
        ...

    def fitted(self, pixels: Tensor) -> Tensor:
        """Return the parameters ``(P,)``, float32, under which pixels ``(N, C)`` are likeliest, each by itself."""
        ...

    def uniforms(self, channels: int) -> int:
        """Return how many uniforms draw one pixel of so many channels."""
        ...

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Return every pixel's nats, ``(B, H, W)``, from parameters ``(B, P, H, W)`` and levels ``(B, C, H, W)``."""
        ...

    def sample(self, parameters: Tensor, uniforms: Tensor, temperature: float = 1.0) -> Tensor:
        """Map parameters ``(B, P, H, W)`` and uniforms on [0, 1) ``(B, ·, H, W)`` to levels, uint8 ``(B, C, H, W)``.

        A temperature below 1 draws nearer to what is likeliest: logits are divided by it, scales multiplied.
        """
        ...


def descend(output: Output, pixels: Tensor) -> Tensor:
    """Return the parameters ``(P,)`` where Adam comes to from ``output.start``, down the pixels' mean ``-log_prob``.

    Args:
        output: the distribution of a pixel.
        pixels: levels ``(N, C)``; the first few thousand count, and those alike are scored once.
    """
    some = pixels[:DESCENT_PIXELS]
    different, times = some.unique(dim=0, return_counts=True)
    row = different.T[None, :, None]  # (1, C, 1, D): one image of one row
    shares = times / len(some)
    parameters = output.start(pixels.shape[1]).to(pixels.device).requires_grad_()
    adam = torch.optim.Adam([parameters], lr=DESCENT_RATE)
    for _ in range(DESCENT_STEPS):
        nats = output.log_prob(parameters[None, :, None, None].expand(-1, -1, 1, len(different)), row)
        (parameters.grad,) = torch.autograd.grad(-(shares * nats[0, 0]).sum(), parameters)
        adam.step()
    return parameters.detach()


def at_least_single(values: Tensor) -> Tensor:
    """Return the values, in float32 where they came in less: eight bits cannot hold a log-likelihood."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def invert(logits: Tensor, uniforms: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the class whose stretch of a softmax's distribution function, summed in float64, holds the uniform.

    Args:
        logits: the logits ``(…, K)``.
        uniforms: numbers on [0, 1), ``(…)``.
        temperature: divides the logits.

    Returns:
        int64 ``(…)``.
    """
    up_to = logits.double().contiguous().div(temperature).softmax(-1).cumsum(-1)
    classes = torch.searchsorted(up_to, uniforms.double().unsqueeze(-1).contiguous(), right=True).squeeze(-1)
    return classes.clamp_(max=logits.shape[-1] - 1)  # the last sum is 1, and rounding must not say otherwise
