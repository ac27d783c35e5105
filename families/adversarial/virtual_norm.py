"""Virtual batch normalisation (1606.03498, section 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from families.layers.options import whole
from families.outputs.base import at_least_single

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d


class VirtualNorm(nn.Module):
    """A normalisation of each row by the statistics of the reference and itself together, a batch of ``R + 1``.

    The reference is the first R rows that come in; they are normalised by their own statistics alone.

    Args:
        norm: batch normalisation whose scale and shift this takes over.
        rows: the number R of rows.
    """

    normalisation = "virtual norm"

    def __init__(self, norm: BatchNorm, rows: int) -> None:
        super().__init__()
        self.weight, self.bias, self.eps, self.rows = norm.weight, norm.bias, norm.eps, rows

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(R + B, C, …)`` to the same, normalised."""
        x = at_least_single(x)
        places = tuple(range(2, x.dim()))
        means = x.mean(places, keepdim=True) if places else x
        spreads = (x - means).square().mean(places, keepdim=True) if places else torch.zeros_like(x)
        reference = means[: self.rows].mean(0, keepdim=True)
        spread = (spreads + (means - reference).square())[: self.rows].mean(0, keepdim=True)
        own = torch.full_like(means[:, :1], 1 / (self.rows + 1))
        own[: self.rows] = 0
        mean = reference + own * (means - reference)
        variance = spread + own * (spreads - spread) + own * (1 - own) * (means - reference).square()
        scale, shift = (p.view(1, -1, *[1] * len(places)) for p in (self.weight, self.bias))
        return (x - mean) / (variance + self.eps).sqrt() * scale + shift


class VirtuallyNormalised(nn.Module):
    """A network whose batch normalisation sees a fixed reference batch, so that no row depends on the others.

    Args:
        network: codes ``(B, F)`` → anything ``(B, …)``; changed in place.
        features: the number F of features.
        rows: R, codes in the reference batch, drawn from N(0, I) at construction.

    Raises:
        ValueError: for a network without batch normalisation, or a reference of less than two.
    """

    reference: Tensor

    def __init__(self, network: nn.Module, features: int, rows: int) -> None:
        super().__init__()
        whole(2, rows=rows)
        if not any(isinstance(module, BatchNorm) for module in network.modules()):
            raise ValueError(
                "virtual_batch_normalisation=True: this network has none to replace: give one of maps, or False"
            )
        for module in list(network.modules()):
            for name, child in module.named_children():
                if isinstance(child, BatchNorm):
                    setattr(module, name, VirtualNorm(child, rows))
        self.network = network
        self.register_buffer("reference", torch.randn(rows, features))

    def forward(self, codes: Tensor) -> Tensor:
        """Return what the network makes of codes ``(B, F)``."""
        return self.network(torch.cat([self.reference, codes]))[len(self.reference) :]
