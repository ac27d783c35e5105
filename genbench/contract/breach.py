"""How a check says that a model does not keep a promise, and tells two states or answers apart."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


class Breach(Exception):
    """A promise of the interface that a model does not keep: what was asked, and what was found."""


class Unchecked(Exception):
    """A promise that cannot be checked of a model, and why."""


def same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    """Return whether two states have the same names with the same values, bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def unequal(first: Tensor, second: Tensor) -> str:
    """Return the end of a message: where two tensors of one shape lie farthest apart."""
    if first.shape != second.shape:
        return f" (shape {tuple(first.shape)}, then {tuple(second.shape)})"
    place = int((first.double() - second.double()).abs().argmax())
    before, after = float(first.flatten()[place]), float(second.flatten()[place])
    return f" ({before:.6g}, then {after:.6g})"


@contextmanager
def globally(seed: int) -> Iterator[None]:
    """Seed every generator that nobody passes, inside the block, and put them back behind it."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002 - those are the ones meant
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])
