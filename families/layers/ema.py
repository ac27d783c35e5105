"""A moving average of modules, kept as a module so that saving the model saves it."""

from __future__ import annotations

import copy

import torch
from torch import nn

from families.layers.options import share

STATISTICS = ("running_mean", "running_var")


class Average(nn.Module):
    """Copies whose weights follow ``w̄ ← d w̄ + (1 - d) w``, with d ramped up as ``min(decay, (1 + t) / (10 + t))``.

    The ramp forgets the initial weights in a short run. Running statistics of batch normalisation are averaged as
    weights are: those of the live network are of maps that averaged weights do not make (``benchmarks/averages.py``
    has what that is worth). Other buffers are copied.

    Args:
        modules: the modules, by the name under which the copy is reached.
        decay: d in the long run, at least 0 and below 1.

    Raises:
        ValueError: for a decay outside [0, 1).
    """

    steps: torch.Tensor

    def __init__(self, modules: dict[str, nn.Module], decay: float) -> None:
        super().__init__()
        share(decay=decay)
        self.decay = decay
        self.copies = nn.ModuleDict({name: copy.deepcopy(module) for name, module in modules.items()})
        self.copies.requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, modules: dict[str, nn.Module]) -> None:
        """Move each copy towards its live module; for :attr:`genbench.Turn.after`."""
        steps = int(self.steps)
        decay = min(self.decay, (1 + steps) / (10 + steps))
        self.steps += 1
        for name, module in modules.items():
            for mean, value in zip(self.copies[name].parameters(), module.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)
            for (place, held), buffer in zip(self.copies[name].named_buffers(), module.buffers(), strict=True):
                if place.rpartition(".")[2] in STATISTICS:
                    held.lerp_(buffer, 1 - decay)
                else:
                    held.copy_(buffer)
