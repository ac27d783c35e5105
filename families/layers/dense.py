"""Networks of dense layers, for images taken as vectors."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from families.layers.convolutional import he


def dense(
    inputs: int, width: int, depth: int, outputs: int, last: Callable[[nn.Linear], nn.Linear] = he
) -> nn.Sequential:
    """Build ``depth`` hidden layers of ReLUs, from rows ``(B, …)`` of so many inputs, flattened, to ``(B, outputs)``.

    Args:
        inputs: numbers a row.
        width: units of a hidden layer.
        depth: hidden layers, 0 or more.
        outputs: numbers a row.
        last: how the last layer begins.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for _ in range(depth):
        layers += [he(nn.Linear(inputs, width)), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, last(nn.Linear(inputs, outputs)))
