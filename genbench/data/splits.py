"""Rows of a data set: in parts of given shares, some at random, each class in its share."""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.seed import generator

SHARES = (0.7, 0.1, 0.2)  # training, validation, test
HELD_OUT = (0.9, 0.1)  # training, validation, where the source has a test split of its own


def stratified(labels: Tensor | None, count: int, shares: tuple[float, ...], seed: int = 0) -> list[Tensor]:
    """Return rows ``0 … count-1`` in disjoint parts of the given shares, each class within one image of its share.

    Within a class rows are drawn at random from a fixed seed, and each part comes in random order.

    Args:
        labels: the labels, int64 ``(count,)``; None makes one class of all.
        count: the number of rows.
        shares: the share of each part; they sum to 1.
        seed: the seed of the draw.

    Raises:
        ValueError: where a part would be empty.
    """
    source = generator(seed, "split")
    order = torch.randperm(count, generator=source)
    parts: list[list[Tensor]] = [[] for _ in shares]
    for label in [None] if labels is None else labels.unique().tolist():
        rows = order if labels is None else order[labels[order] == label]
        marks = [round(len(rows) * sum(shares[:i])) for i in range(len(shares) + 1)]
        for part, begin, end in zip(parts, marks, marks[1:], strict=False):
            part.append(rows[begin:end])
    whole = [torch.cat(part) for part in parts]
    if min(map(len, whole)) == 0:
        raise ValueError(f"{count} images are too few to split into parts of {shares}: give more")
    return [part[torch.randperm(len(part), generator=source)] for part in whole]


def in_splits(labels: Tensor, test: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return the rows of training, validation and test split, as of images whose order nobody else asks for.

    Args:
        labels: the labels, int64 ``(N,)``, one class of all where there are none.
        test: the labels of an official test split, whose rows stand behind the others and come in random order.
    """
    if test is None:
        train, validation, held_out = stratified(labels, len(labels), SHARES)
        return train, validation, held_out
    train, validation = stratified(labels, len(labels), HELD_OUT)
    return train, validation, len(labels) + torch.randperm(len(test), generator=generator(0, "test"))


def chosen(count: int, n: int, labels: Tensor | None = None, seed: int = 0) -> Tensor:
    """Return ``n`` of the rows ``0 … count-1``, each class in its share, drawn at random and in random order.

    Where there are no more than ``n``, they are all, as they stand.

    Args:
        count: the number of rows.
        n: the number of rows wanted.
        labels: the labels, int64 ``(count,)``, of which -1 is a class too; None makes one class of all.
        seed: the seed of the draw.
    """
    if n >= count:
        return torch.arange(count)
    order = torch.randperm(count, generator=generator(seed, "chosen"))
    if labels is None:
        return order[:n]
    return order[places(labels[order]).argsort(stable=True)[:n].sort().values]


def places(labels: Tensor) -> Tensor:
    """Return k / m for the k-th row of a class of m, float64: in this order every beginning holds each its share."""
    place = torch.empty(len(labels), dtype=torch.float64)
    for label in labels.unique().tolist():
        rows = (labels == label).nonzero()[:, 0]
        place[rows] = torch.arange(len(rows), dtype=torch.float64) / len(rows)
    return place
