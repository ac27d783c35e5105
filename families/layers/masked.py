"""Convolutions that see only what comes before: raster order between pixels, channel order within one (1601.06759).

Features stand in as many groups as the image has channels, and the features of group ``c`` may see what channel ``c``
may see. Mask A forbids a pixel's own group and later ones, mask B only later ones.
"""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def group_of(features: int, groups: int) -> Tensor:
    """The group of each feature, int64 ``(features,)``: equal contiguous stretches, as near as they divide."""
    return torch.arange(features) * groups // features


def group_slices(features: int, groups: int) -> list[slice]:
    """Where each group's features stand."""
    starts = torch.searchsorted(group_of(features, groups), torch.arange(groups + 1)).tolist()
    return [slice(*pair) for pair in itertools.pairwise(starts)]


class MaskedConv2d(nn.Module):
    """A ``kernel × kernel`` convolution whose lower half, and right half of the middle row, are missing or masked.

    Only the rows that can see anything are kept, ``kernel // 2 + 1`` of them, and the padding is on top alone.

    Args:
        inputs, outputs: features, each at least ``groups``.
        kernel: odd side.
        mask: ``"A"`` for the first layer, which must not see what it predicts; ``"B"`` behind it.
        groups: channels of the image.

    Raises:
        ValueError: for an even kernel, another mask, or fewer features than groups.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, mask: Literal["A", "B"], groups: int = 1) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"kernel={kernel}: give an odd side, so that there is a middle")
        if mask not in ("A", "B"):
            raise ValueError(f"mask={mask!r}: give 'A' or 'B'")
        if min(inputs, outputs) < groups:
            raise ValueError(f"{inputs} to {outputs} features for {groups} channels: give each channel at least one")
        self.inputs, self.outputs, self.kernel, self.groups = inputs, outputs, kernel, groups
        reach = kernel // 2
        seen = torch.ones(outputs, inputs, reach + 1, kernel)
        seen[:, :, -1, reach + 1 :] = 0
        own, its = group_of(outputs, groups)[:, None], group_of(inputs, groups)[None, :]
        seen[:, :, -1, reach] = (own > its if mask == "A" else own >= its).float()
        self.register_buffer("mask", seen, persistent=False)
        self.weight = nn.Parameter(torch.empty_like(seen))
        self.bias = nn.Parameter(torch.zeros(outputs))
        # He's initialisation by what each output really sees: counting masked weights would shrink the signal
        fan = seen.flatten(1).sum(1).clamp(min=1)
        nn.init.normal_(self.weight).data.mul_((2 / fan).sqrt()[:, None, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        reach = self.kernel // 2
        return F.conv2d(F.pad(x, (reach, reach, reach, 0)), self.weight * self.mask, self.bias)


class MaskedColumns:
    """One masked convolution computed pixel by pixel, group by group: it keeps the rows that a kernel still reaches.

    ``write`` what the layer is given at a pixel, group by group in raster order, and ``read`` what it answers there. A
    pixel costs ``kernel // 2 + 1`` small matrix products, whatever the image's size.

    Args:
        conv: the layer; its weights are taken as they are now.
        n: images drawn at once.
        width: of the image.
    """

    def __init__(self, conv: MaskedConv2d, n: int, width: int) -> None:
        self.reach = conv.kernel // 2
        self.inputs = group_slices(conv.inputs, conv.groups)
        weight = (conv.weight * conv.mask).detach()
        # the rows of the map are used in turn; what is left of an older row lies under weights that are zero
        self.map = weight.new_zeros(self.reach + 1, n, width + 2 * self.reach, conv.inputs)
        self.answers = [
            (conv.bias.detach()[own], [self._matrix(weight[own], row) for row in range(self.reach + 1)])
            for own in group_slices(conv.outputs, conv.groups)
        ]

    def _matrix(self, weight: Tensor, row: int) -> Tensor:
        """One row of the kernel as a matrix, ``(taps · inputs, outputs)``."""
        taps = weight.shape[-1] if row < self.reach else self.reach + 1
        return weight[:, :, row, :taps].permute(2, 1, 0).flatten(0, 1).contiguous()

    def write(self, y: int, x: int, group: int, values: Tensor) -> None:
        """Take the layer's input ``(n, inputs of the group)`` at a pixel."""
        self.map[y % (self.reach + 1), :, x + self.reach, self.inputs[group]] = values

    def read(self, y: int, x: int, group: int) -> Tensor:
        """The layer's output ``(n, outputs of the group)`` at a pixel."""
        answer, matrices = self.answers[group]
        for row, matrix in enumerate(matrices, start=y + 1):
            seen = self.map[row % (self.reach + 1), :, x : x + len(matrix) // self.map.shape[-1]]
            answer = torch.addmm(answer, seen.flatten(1), matrix)
        return answer
