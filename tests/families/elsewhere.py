"""A device that there is not: its tensors say that they live there, and do not mix with those of the CPU.

The numbers are on the CPU all the same, so that training, sampling and scoring run to their end and nothing has to be
left out because it reads a value. What a GPU would refuse is refused here.
"""

from collections.abc import ValuesView

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

ELSEWHERE = torch.device("lazy:0")  # of all kinds of device one whose backward pass needs no thread of its own
CROSSING = {torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default}
TAKES_A_NUMBER = {torch.ops.aten.index_put.default, torch.ops.aten.index_put_.default, torch.ops.aten.fill_.Tensor}
BY_INDEX = {"aten::index", "aten::index_put", "aten::index_put_"}  # rows may be named by a tensor of the CPU


class There(torch.Tensor):
    """A tensor that says it lives elsewhere."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner):
        kept = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        return torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, **kept, layout=inner.layout, device=ELSEWHERE, requires_grad=inner.requires_grad
        )

    def __init__(self, inner):
        self.inner = inner

    def tolist(self):
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f"{func}: use a tensor of this device inside Elsewhere() alone")


PLACES = {}  # of generators, by the address that an operation is handed in place of the object


class Generator(torch.Generator):
    """A generator that says it lives where it was asked for."""

    def __new__(cls, device="cpu"):
        return super().__new__(cls, device="cpu")

    def __init__(self, device="cpu"):
        PLACES[self._cdata] = torch.device(device)

    @property
    def device(self):
        return PLACES[self._cdata]


def among(values):
    """The tensors among arguments, those in lists too."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple, ValuesView)):
            yield from among(value)


def replaced(value, kind, act):
    """An argument or a result with what ``act`` gives in place of each tensor of a kind, in lists too."""
    if isinstance(value, (list, tuple)):
        return type(value)([replaced(each, kind, act) for each in value])
    return act(value) if isinstance(value, kind) else value


class Elsewhere(TorchDispatchMode):
    """Inside the block the device is there; ``narrow``, it has no numbers of 64 bits, as Apple's mps."""

    def __init__(self, narrow=False):
        super().__init__()
        self.narrow = narrow

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        by_index = func.name().partition(".")[0] in BY_INDEX and isinstance(args[0], There)
        tensors = list(among((args[0], args[2:]) if by_index else (args, kwargs.values())))
        there = any(isinstance(tensor, There) for tensor in tensors)
        asked, source = kwargs.get("device"), kwargs.get("generator")
        home = torch.device(asked) if asked is not None else ELSEWHERE if there else torch.device("cpu")
        if there and func not in CROSSING:
            self.check(func, [tensor for tensor in tensors if not isinstance(tensor, There)])
        if source is not None and PLACES[source._cdata] != home:
            raise RuntimeError(f"{func}: a generator on {PLACES[source._cdata]} for numbers on {home}")
        if asked is not None:
            kwargs["device"] = torch.device("cpu")
        unwrapped = replaced(args, There, lambda tensor: tensor.inner)
        options = {name: replaced(value, There, lambda tensor: tensor.inner) for name, value in kwargs.items()}
        out = func(*unwrapped, **options)
        if home == ELSEWHERE:
            if self.narrow and any(tensor.dtype == torch.float64 for tensor in among([out])):
                raise TypeError(f"{func}: this device has no float64")
            out = replaced(out, torch.Tensor, There)
        return return_and_correct_aliasing(func, args, kwargs, out) if tensors else out

    def check(self, func, here):
        """Refuse tensors of the CPU, but for single numbers where a GPU takes them."""
        numbers = func in TAKES_A_NUMBER or torch.Tag.pointwise in func.tags
        if any(tensor.dim() or not numbers for tensor in here):
            raise RuntimeError(f"{func}: tensors of two devices meet")
