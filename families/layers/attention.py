"""Self-attention over the places of a feature map (1805.08318)."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from families.layers.scaling import halved, scales

LARGEST = 32  # of a map's side: the shares of a place's attention grow with its fourth power


class Attention(nn.Module):
    """Every place of a map takes from all others what they offer, as far as they match.

    ``y_j = x_j + γ v(Σ_i β_ji h(x_i))`` with ``β_ji = softmax over i of f(x_i) · g(x_j)``; f, g, h and v are linear
    (1×1 convolutions), and γ is learned from 0 on, so that a network begins without (1805.08318, equations 1 to 3).
    f and g have C/8 channels and h has C/2, as in the authors' code; the paper writes C/8 for all three.

    Args:
        channels: C of the map, which keeps its shape.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        match = max(channels // 8, 1)
        offer = max(channels // 2, 1)
        self.f = nn.Conv2d(channels, match, 1, bias=False)
        self.g = nn.Conv2d(channels, match, 1, bias=False)
        self.h = nn.Conv2d(channels, offer, 1, bias=False)
        self.v = nn.Conv2d(offer, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Map features ``(B, C, H, W)`` to as many, each place with what it takes from the others."""
        f = rearrange(self.f(x), "b c y x -> b (y x) c")
        g = rearrange(self.g(x), "b c y x -> b c (y x)")
        h = rearrange(self.h(x), "b c y x -> b c (y x)")
        shares = (f @ g).softmax(1)  # (B, H·W, H·W): of every i, in a column for each j
        return x + self.gamma * self.v(rearrange(h @ shares, "b c (y x) -> b c y x", x=x.shape[3]))


def attention_scale(height: int, width: int) -> int:
    """Return how often the attending map is halved: once, or until its side is at most 32 (as at 128 px)."""
    most = scales(height, width)
    return next((scale for scale in range(min(1, most), most) if max(halved((height, width), scale)) <= LARGEST), most)
