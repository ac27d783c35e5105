"""PixelCNN++'s parts: convolutions that reach up and to the left, and gated residual blocks of them (1701.05517)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DOWN = (2, 3)  # kernel of the down stream: the row and the one above, from one column left to one column right
RIGHT = (2, 2)  # kernel of the right stream: the row and the one above, the column and the one to the left
CONCAT_ELU_GAIN = 1.25  # what keeps the variance of a normal input through concat_elu


def concat_elu(x: Tensor) -> Tensor:
    """Concatenate ``elu(x)`` and ``elu(-x)`` along the features: ``(B, F, …)`` to ``(B, 2F, …)``."""
    return F.elu_(torch.cat((x, -x), 1))


class ShiftedConv2d(nn.Conv2d):
    """A convolution whose kernel reaches up from a pixel's own row, and to the right no further than to the left.

    Args:
        inputs, outputs: the numbers of features.
        kernel: ``(rows, columns)``: an odd number of columns lies round the pixel, an even one ends at it.
        stride: 1, or 2 to halve both sides, rounded up: output ``i`` stands at row and column ``2i``.
        gain: deviation of the initial weights, which are N(0, gain² / inputs of a feature).
    """

    bias: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int], *, stride: int = 1, gain: float = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride)
        rows, columns = kernel
        right = columns // 2 if columns % 2 else 0
        self.border = (columns - 1 - right, right, rows - 1, 0)  # left, right, top, bottom
        nn.init.normal_(self.weight, std=gain / math.sqrt(inputs * rows * columns))
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, outputs, ⌈H / stride⌉, ⌈W / stride⌉)``."""
        return super().forward(F.pad(x, self.border))


class GrowingConv2d(nn.ConvTranspose2d):
    """A transposed convolution that doubles both sides: row and column ``i`` speak to ``2i`` and ``2i + 1``.

    Under three columns a column also speaks to ``2i - 1``, where the down stream may hear it.

    Args:
        width: features in and out.
        kernel: ``DOWN`` or ``RIGHT``.
    """

    bias: Tensor

    def __init__(self, width: int, kernel: tuple[int, int]) -> None:
        beyond = kernel[1] - 2
        super().__init__(width, width, kernel, stride=2, padding=(0, beyond), output_padding=(0, beyond))
        gathered = kernel[0] * kernel[1] / 4  # pixels that speak to one
        nn.init.normal_(self.weight, std=1 / math.sqrt(width * gathered))
        nn.init.zeros_(self.bias)


class GatedBlock(nn.Module):
    """``x + a · σ(b)``, where a and b come out of two shifted convolutions behind ``concat_elu``, dropout between.

    Shortcuts from elsewhere come in behind the first convolution, each through a 1×1 one; the label comes in as a bias
    behind the second.

    Args:
        width: features in and out.
        kernel: ``DOWN`` or ``RIGHT``.
        shortcuts: how many maps of features come in from elsewhere.
        classes: number of labels, 0 for none.
        dropout: share of features left out in training.
    """

    def __init__(self, width: int, kernel: tuple[int, int], shortcuts: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        gain = CONCAT_ELU_GAIN / math.sqrt(1 + shortcuts)
        self.first = ShiftedConv2d(2 * width, width, kernel, gain=gain)
        self.shortcuts = nn.ModuleList(ShiftedConv2d(2 * width, width, (1, 1), gain=gain) for _ in range(shortcuts))
        self.second = ShiftedConv2d(2 * width, 2 * width, kernel, gain=0.1)  # a deep stack begins near the identity
        self.label = nn.Embedding(classes, 2 * width) if classes else None

    def forward(self, x: Tensor, *others: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map features ``(B, F, H, W)``, and one such map for each shortcut, to as many."""
        h = self.first(concat_elu(x))
        for shortcut, other in zip(self.shortcuts, others, strict=True):
            h = h + shortcut(concat_elu(other))
        h = self.second(F.dropout(concat_elu(h), self.dropout, self.training))
        bias = self.bias_of(labels)
        return x + F.glu(h if bias is None else h + bias[:, :, None, None], 1)

    def bias_of(self, labels: Tensor | None) -> Tensor | None:
        """Return what labels ``(B,)`` add to a and b, ``(B, 2F)``; None where the block is not told them."""
        return None if self.label is None else self.label(labels)
