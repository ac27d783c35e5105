"""How a model that is trained by one loss learns."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from genbench.interface import Phase, Step, Turn
from genbench.spec import Batch

WARM_UP = 0.02


def warm_cosine(fraction: float) -> float:
    """Return the learning rate's factor: up in the phase's first fiftieth, then half a cosine down to nearly 0."""
    if fraction < WARM_UP:
        return (fraction + 0.1 * WARM_UP) / (1.1 * WARM_UP)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (fraction - WARM_UP) / (1 - WARM_UP)))


def one_turn(
    model: nn.Module,
    loss: Callable[[Batch, Step], dict[str, Tensor]],
    *,
    lr: float,
    clip: float,
    name: str = "likelihood",
    schedule: Callable[[float], float] | None = warm_cosine,
) -> Sequence[Phase]:
    """Build one phase of one turn: Adam on all of ``model``, gradients clipped to the 2-norm ``clip``."""
    adam = partial(torch.optim.Adam, lr=lr)
    return [Phase(name, 1.0, [Turn(name, [model], loss, adam, schedule=schedule, clip=clip)])]
