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

from families.autoregressive.columns import ColumnConvolution, RowConvolution


def group_of(features: int, groups: int, chunks: int = 1) -> Tensor:
    """Return the group of each feature, int64 ``(features,)``: equal contiguous stretches, as near as they divide.

    Features that will be split into ``chunks``, as a gate's are, have all groups in each chunk, so that they survive.
    """
    each = features // chunks
    return (torch.arange(each) * groups // each).repeat(chunks)


def group_slices(features: int, groups: int) -> list[slice]:
    """Return the stretch of features that each group has."""
    starts = torch.searchsorted(group_of(features, groups), torch.arange(groups + 1)).tolist()
    return [slice(*pair) for pair in itertools.pairwise(starts)]


def group_members(features: int, groups: int, chunks: int = 1) -> list[Tensor]:
    """Return the indices of each group's features, chunk by chunk."""
    return [(group_of(features, groups, chunks) == group).nonzero()[:, 0] for group in range(groups)]


def stretches(members: list[Tensor]) -> list[slice]:
    """Return the stretches that the members take once they are put one group after the other."""
    return [slice(*pair) for pair in itertools.pairwise([0, *itertools.accumulate(map(len, members))])]


class MaskedConv2d(nn.Module):
    """A ``kernel × kernel`` convolution whose lower half, and right half of the middle row, are missing or masked.

    Only the rows that can see anything are kept, ``kernel // 2 + 1`` of them, and the padding is on top alone.

    Args:
        inputs, outputs: features, each at least ``groups``.
        kernel: the odd side of the kernel.
        mask: ``"A"`` for the first layer, which must not see what it predicts; ``"B"`` behind it.
        groups: channels of the image.
        above: rows above that the kernel reaches, ``kernel // 2`` if not said: none for a horizontal stack.
        chunks: how many the outputs will be split into, each with all groups: 2 for a gate, 4 for an LSTM's.
        bias: whether the layer has one.

    Raises:
        ValueError: for an even kernel, another mask, fewer features than groups, or features that do not split.
    """

    mask: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        mask: Literal["A", "B"],
        groups: int = 1,
        *,
        above: int | None = None,
        chunks: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"kernel={kernel}: give an odd side, so that there is a middle")
        if mask not in ("A", "B"):
            raise ValueError(f"mask={mask!r}: give 'A' or 'B'")
        if min(inputs, outputs // chunks) < groups or outputs % chunks:
            split = f" in {chunks} chunks" if chunks > 1 else ""
            raise ValueError(
                f"{inputs} to {outputs} features{split} for {groups} channels: give each channel one or more in a chunk"
            )
        self.inputs = inputs
        self.outputs = outputs
        self.kernel = kernel
        self.groups = groups
        self.chunks = chunks
        reach = kernel // 2
        self.above = reach if above is None else above
        seen = torch.ones(outputs, inputs, self.above + 1, kernel)
        seen[:, :, -1, reach + 1 :] = 0
        own = group_of(outputs, groups, chunks)[:, None]
        its = group_of(inputs, groups)[None, :]
        seen[:, :, -1, reach] = (own > its if mask == "A" else own >= its).float()
        self.register_buffer("mask", seen, persistent=False)
        self.weight = nn.Parameter(torch.empty_like(seen))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        # He's initialisation by what each output really sees: counting masked weights would shrink the signal
        fan = seen.flatten(1).sum(1).clamp(min=1)
        nn.init.normal_(self.weight).data.mul_((2 / fan).sqrt()[:, None, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        reach = self.kernel // 2
        return F.conv2d(F.pad(x, (reach, reach, self.above, 0)), self.weight * self.mask, self.bias)


class MaskedColumns:
    """One masked convolution computed pixel by pixel, group by group: it keeps the rows that a kernel still reaches.

    ``write`` what the layer is given at a pixel, group by group in raster order, and ``read`` what it answers there.
    What the rows above contribute is computed once a row, so that a pixel costs one small matrix product.

    Args:
        conv: the layer; its weights are taken as they are now.
        n: images drawn at once.
        width: how wide the image is.
        label: ``(n, outputs)`` that are added to every answer.
    """

    def __init__(self, conv: MaskedConv2d, n: int, width: int, label: Tensor | None = None) -> None:
        weight = (conv.weight * conv.mask).detach()
        inputs = group_slices(conv.inputs, conv.groups)
        members = group_members(conv.outputs, conv.groups, conv.chunks)
        order = torch.cat(members)
        bias = weight.new_zeros(n, conv.outputs)
        for known in (conv.bias, label):
            bias = bias if known is None else bias + known.detach()
        self.y = -1
        self.inputs = inputs
        self.row = weight.new_zeros(width, n, conv.inputs)
        self.above = RowConvolution(weight[order, :, :-1], n, width) if conv.above else None
        self.here = ColumnConvolution(weight[:, :, -1, : conv.kernel // 2 + 1], members, inputs, n)
        self.bias = bias[:, order].repeat(width, 1)
        self.bases = self.bias.clone()  # (W·n, outputs): the bias and what the rows above contribute
        pixels = self.bases.view(width, n, -1).unbind(0)
        self.base = [[pixel[:, own] for own in stretches(members)] for pixel in pixels]  # [x][group], the same memory

    def write(self, y: int, x: int, group: int, values: Tensor) -> None:
        """Take the layer's input ``(n, inputs of the group)`` at a pixel."""
        self._enter(y)
        self.here.slot(x, group).copy_(values)
        if self.above is not None:
            self.row[x, :, self.inputs[group]] = values

    def read(self, y: int, x: int, group: int) -> Tensor:
        """Return the layer's output ``(n, outputs of the group)`` at a pixel, chunk by chunk."""
        self._enter(y)
        return self.here.answer(x, group, self.base[x][group])

    def _enter(self, y: int) -> None:
        if y == self.y:
            return
        if self.above is not None and y > 0:
            self.above.push(self.row)
            self.above.answer(self.bias, out=self.bases)
        self.here.begin()
        self.y = y
