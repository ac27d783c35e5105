"""The arithmetic that training is done in. Likelihoods, samples and measures are always in float32 or better."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

    from genbench.interface import GenerativeModel

NAMES = ("float32", "tf32", "bfloat16")
AMPERE = 8  # the first compute capability of NVIDIA's GPUs with products of tf32
AUTO = "auto"  # bfloat16 where the device multiplies in it itself, else float32
FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86 and, last, ARM processors that multiply in bfloat16 themselves

Arithmetic = Callable[[], AbstractContextManager]


def check_name(name: str) -> None:
    """Refuse (``ValueError``) a precision that there is not."""
    if name not in NAMES:
        raise ValueError(f"precision={name!r}: give {', '.join(NAMES[:-1])} or {NAMES[-1]}")


def check(name: str, device: torch.device | str) -> None:
    """Refuse what a device cannot do, or would only imitate.

    Raises:
        ValueError: for an unknown precision, or one that the device does not have.
    """
    check_name(name)
    if name == "bfloat16" and not _has_bfloat16(str(device)):
        needs = "a GPU that has it" if not str(device).startswith("cpu") else f"one of {', '.join(sorted(FLAGS))}"
        raise ValueError(f"precision='bfloat16': {device} lacks it (it takes {needs}); say float32")
    if name == "tf32" and not _has_tf32(str(device)):
        raise ValueError(f"precision='tf32': {device} lacks it (it takes an NVIDIA GPU from Ampere on); say float32")


def resolved(name: str, device: torch.device | str) -> str:
    """Return the precision that ``name``, which may be ``"auto"``, stands for on a device; others are as they are."""
    if name != AUTO:
        return name
    return "bfloat16" if _has_bfloat16(str(device)) else "float32"


def _has_bfloat16(device: str) -> bool:
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and bool(FLAGS & processor_flags())


def _has_tf32(device: str) -> bool:
    import torch

    return device.startswith("cuda") and torch.cuda.is_available() and torch.cuda.get_device_capability()[0] >= AMPERE


@cache
def processor_flags() -> frozenset[str]:
    """Return the flags that the processor has, as Linux tells them; none where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(errors="replace") if cpuinfo.is_file() else ""
    words = [line.partition(":")[2].split() for line in text.splitlines() if line.startswith(("flags", "Features"))]
    return frozenset(words[0] if words else ())


@contextmanager
def training_in(name: str, model: nn.Module) -> Iterator[Arithmetic]:
    """Lay ``model`` out for ``name`` inside the block; each loss is to be computed under what is yielded.

    bfloat16 is autocast: weights, their gradients and the optimiser stay in float32, products are in bfloat16. Images
    and kernels are then laid out channels last, which is what makes it fast (``benchmarks/precision.py``). Under tf32 a
    GPU rounds what it multiplies to ten bits behind the point, anywhere in the block; under float32 it does not,
    whatever torch would do by itself.
    """
    import torch

    kind = next((parameter.device.type for parameter in model.parameters()), "cpu")
    with products(kind, tf32=name == "tf32"):
        if name != "bfloat16":
            yield nullcontext
            return
        _lay_out(model, torch.channels_last)
        try:
            # Without the cache: in some versions of torch it keeps a weight that is first used under no_grad without
            # its gradient. Few weights are used twice in a loss.
            yield partial(torch.autocast, kind, dtype=torch.bfloat16, cache_enabled=False)
        finally:
            _lay_out(model, torch.contiguous_format)


@contextmanager
def products(kind: str, *, tf32: bool) -> Iterator[None]:
    """Have products of float32 rounded to tf32 inside the block or not, on a ``kind`` of device that can.

    Switches that the caller has set by torch's newer names stay as they are: torch refuses to read these by the older.
    """
    import torch

    switches: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before: list[bool] = []
    if kind == "cuda":
        with suppress(RuntimeError):
            before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches[: len(before)]:
            switch.allow_tf32 = tf32
        yield
    finally:
        for switch, value in zip(switches, before, strict=False):
            switch.allow_tf32 = value


def _lay_out(model: nn.Module, memory: torch.memory_format) -> None:
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=memory)


def check_double(model: GenerativeModel, device: torch.device | str) -> None:
    """Refuse (``ValueError``) a model that learns in numbers of 64 bits, for a device that has none."""
    from genbench.narrow import lacks_double

    if model.needs_double and lacks_double(device):
        raise ValueError(
            f"{device} has no numbers of 64 bits, in which {type(model).__name__} learns; say --device cpu"
        )


def chosen_device(device: str) -> str:
    """Return ``cuda`` or ``cpu`` for ``auto``, whichever there is; Apple's ``mps``, which lacks some, is asked for.

    Raises:
        ValueError: for ``cuda`` or ``mps`` where there is none.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, True):
        raise ValueError(f"--device {device}: torch sees no {device.upper()} device here; say auto or cpu")
    return ("cuda" if there["cuda"] else "cpu") if device == "auto" else device
