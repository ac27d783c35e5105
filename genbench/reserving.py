"""A model too large for the machine, refused while it is built, before what it reserves is written to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from genbench.memory import check_fits

COPIES = 4  # of each weight in training: itself, its gradient, and Adam's two moments
HINT = "make them smaller by the recipe's options"


class BoundedBuilding(TorchDispatchMode):
    """Within it, refuse (``ValueError``) a tensor with which the training of all that are made would exceed memory.

    What is given back meanwhile counts too: networks keep nearly all that is made while they are built.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reserved = 0

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - an operator of torch's
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever it answers
        """Count what an operator that makes a tensor of a size is about to reserve, and let it."""
        given = dict(kwargs or {})
        size = _size(func, args)
        if size is not None and torch.device(given.get("device") or "cpu").type != "meta":
            values = torch.empty((), dtype=given.get("dtype"), device="meta")
            self.reserved += math.prod(size) * values.element_size()
            check_fits("training its networks", COPIES * self.reserved, HINT)
        return func(*args, **given)


def _size(func: Any, args: tuple[Any, ...]) -> Sequence[int] | None:  # noqa: ANN401 - an operator of torch's
    """Return the size of the tensor that an operator makes of nothing but its size; None for any other."""
    for argument, value in zip(func._schema.arguments, args, strict=False):
        if isinstance(value, torch.Tensor):
            return None
        if argument.name == "size":
            return value if isinstance(value, (list, tuple)) else None
    return None
