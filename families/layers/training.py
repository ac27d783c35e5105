"""How a model that is trained by one loss learns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from genbench.interface import Phase, Step, Turn
from genbench.spec import Batch

WARM_UP = 0.02  # of the phase
WARM_UP_STEPS = 20  # at least, since Adam's first steps are as long as its rate, whatever the gradient


def warm_cosine(fraction: float) -> float:
    """Return the learning rate's factor: up in the phase's first fiftieth, then half a cosine down to nearly 0."""
    if fraction < WARM_UP:
        return (fraction + 0.1 * WARM_UP) / (1.1 * WARM_UP)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (fraction - WARM_UP) / (1 - WARM_UP)))


def half_then_linear(fraction: float) -> float:
    """Return the learning rate's factor: 1 over the phase's first half, then down to 0 along a line."""
    return min(1.0, 2 * (1 - fraction))


def warm_turn(
    name: str,
    learns: Sequence[nn.Module],
    loss: Callable[[Batch, Step], dict[str, Tensor]],
    optimizer: Callable[[Iterable[Parameter]], Optimizer],
    *,
    clip: float | None = None,
) -> Turn:
    """Build a turn whose learning rate warms up, by the fraction and over some steps, and comes down along a cosine."""
    return Turn(name, learns, loss, optimizer, schedule=warm_cosine, clip=clip, warm_up=WARM_UP_STEPS)


def one_turn(
    model: nn.Module,
    loss: Callable[[Batch, Step], dict[str, Tensor]],
    *,
    lr: float,
    clip: float,
    name: str = "likelihood",
) -> Sequence[Phase]:
    """Build one phase of one turn: Adam on all of ``model``, gradients clipped to the 2-norm ``clip``."""
    adam = partial(torch.optim.Adam, lr=lr)
    return [Phase(name, 1.0, [warm_turn(name, [model], loss, adam, clip=clip)])]
