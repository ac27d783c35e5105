"""Convolutions over a map that is filled in raster order: what was read before is kept, and nothing is computed twice.

A convolution's sum over its last ``T`` columns, or rows, is one matrix product with those columns side by side. They
never move: column ``i`` stands in slot ``i mod T``, and the matrix turns instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor


def in_turn(weight: Tensor) -> list[Tensor]:
    """Return the matrices ``(T·I, O)`` of a weight ``(O, I, T)``, oldest tap first, over slots used in turn.

    The ``i mod T``-th is the one to use when ``i`` is the newest.
    """
    taps = weight.shape[2]
    slots = torch.arange(taps, device=weight.device)
    turned = [weight[:, :, (slots - newest - 1) % taps] for newest in slots]
    return [rearrange(each, "outputs inputs tap -> (tap inputs) outputs").contiguous() for each in turned]


FEW = 16  # inputs: fewer make products too narrow to pay one by one


class RowConvolution:
    """A convolution over the last, finished rows of a map, for all pixels of a row at once.

    One product a tap over the rows moved sideways; where inputs are few, all taps stand side by side in one.

    Args:
        weight: ``(O, I, T, kernel)``, the oldest row first; the kernel's middle is over the pixel.
        n: images at once.
        width: how wide the map is.
    """

    def __init__(self, weight: Tensor, n: int, width: int) -> None:
        _, inputs, self.rows, kernel = weight.shape
        self.width = width
        self.pushed = 0
        reach = kernel // 2
        if inputs < FEW:  # taps side by side, each a copy of the row that is moved; else one copy, read moved
            beside = kernel
            self.starts = range(kernel - 1, -1, -1)
            offsets = range(reach, reach + 1)
        else:
            beside = 1
            self.starts = range(reach, reach + 1)
            offsets = range(kernel)
        self.seen = weight.new_zeros(width + kernel - 1, n, self.rows, beside, inputs)
        self.matrices = [  # views of the same memory
            rearrange(self.seen[at : at + width], "x n row beside inputs -> (x n) (row beside inputs)")
            for at in offsets
        ]
        taps = weight.split(beside, 3)
        by_row = [in_turn(rearrange(tap, "outputs inputs row beside -> outputs (beside inputs) row")) for tap in taps]
        self.products = list(zip(*by_row, strict=True))  # [newest row][tap]

    def push(self, row: Tensor) -> None:
        """Take the next row, ``(W, n, I)``, in the place of the oldest."""
        for tap, start in enumerate(self.starts):
            self.seen[start : start + self.width, :, self.pushed % self.rows, tap] = row
        self.pushed += 1

    def answer(self, base: Tensor, out: Tensor) -> None:
        """Write ``base`` plus the convolution at the last row that was pushed into ``out``, ``(W·n, O)`` both."""
        for matrix, product in zip(self.matrices, self.products[(self.pushed - 1) % self.rows], strict=True):
            base = torch.addmm(base, matrix, product, out=out)


class ColumnConvolution:
    """A convolution over the last columns of one row, group by group.

    Args:
        weight: ``(O, I, T)``, the oldest column first, the newest being the pixel's own; masked.
        answers: which outputs each group has.
        inputs: where the inputs of each group stand.
        n: images at once.
    """

    def __init__(self, weight: Tensor, answers: Sequence[Tensor], inputs: Sequence[slice], n: int) -> None:
        self.taps = weight.shape[2]
        self.seen = weight.new_zeros(n, self.taps, weight.shape[1])
        self.matrix = self.seen.flatten(1)  # the same memory
        self.slots = [[slot[:, own] for own in inputs] for slot in self.seen.unbind(1)]  # [x mod T][group]
        self.products = [in_turn(weight[own]) for own in answers]

    def begin(self) -> None:
        """Forget the row: left of the next one there is nothing."""
        self.seen.zero_()

    def slot(self, x: int, group: int) -> Tensor:
        """Return the memory that a group's input at a pixel belongs in, ``(n, inputs of the group)``.

        Later groups there still hold an older pixel, under weights that are zero.
        """
        return self.slots[x % self.taps][group]

    def answer(self, x: int, group: int, base: Tensor, out: Tensor | None = None) -> Tensor:
        """Return ``base`` plus a group's outputs at a pixel, ``(n, outputs of the group)``."""
        return torch.addmm(base, self.matrix, self.products[group][x % self.taps], out=out)
