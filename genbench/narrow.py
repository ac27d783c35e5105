"""Devices that have no numbers of 64 bits, as Apple's mps: what training sums in 64 elsewhere it sums in 32 there.

The rule stands here alone: models say ``.double()`` where sums are long, and inside :func:`narrowed` that gives 32
bits on such a device, as any other request for 64 by ``dtype`` does, and arrays of numpy's that are brought there. What
is measured of a trained model the CPU computes, in 64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

LACKING = {"mps"}
MADE = (torch.tensor, torch.as_tensor, torch.asarray)  # of what is no tensor yet


def lacks_double(device: torch.device | str) -> bool:
    """Return whether a device has no numbers of 64 bits."""
    return torch.device(device).type in LACKING


def measuring(device: str) -> str:
    """Return where a model that was trained on a device is measured, but for its speed: there, or by the CPU."""
    return "cpu" if lacks_double(device) else device


def narrowed(device: torch.device | str) -> AbstractContextManager[object]:
    """Return a block in which numbers of 64 bits become 32 on ``device``, if it has no others; else it does nothing."""
    return Narrowed() if lacks_double(device) else nullcontext()


class Narrowed(TorchFunctionMode):
    """Inside the block whatever asks a device that lacks them for numbers of 64 bits gets 32."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever torch's functions return
        kwargs = kwargs or {}
        named = (kwargs.get("device"), *(args[1:] if func is Tensor.to else ()))
        if any(map(_lacking, (*args, *kwargs.values()))) or any(map(_names_one, named)):
            if func in MADE and args and getattr(args[0], "dtype", None) == "float64":
                kwargs = {"dtype": torch.float32, **kwargs}
            if func is Tensor.to and args[0].dtype is torch.float64:  # on its way there
                args = (args[0].float(), *args[1:])
            func = Tensor.float if func is Tensor.double else func
            args, kwargs = tuple(map(_narrow, args)), {name: _narrow(value) for name, value in kwargs.items()}
        return func(*args, **kwargs)


def _names_one(value: object) -> bool:
    """Return whether a text is the name of such a device, ``"mps"`` or ``"mps:0"``."""
    return isinstance(value, str) and value.partition(":")[0] in LACKING


def _lacking(value: object) -> bool:
    """Return whether an argument is such a device, or lies on one."""
    if isinstance(value, (list, tuple)):
        return any(map(_lacking, value))
    device = value.device if isinstance(value, Tensor) else value
    return isinstance(device, torch.device) and device.type in LACKING


def _narrow(value: object) -> object:
    return torch.float32 if value is torch.float64 else value
