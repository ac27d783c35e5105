"""Peak memory of this process, which is a cell's own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import torch

MEGABYTE = 1e6


@dataclass(frozen=True)
class Memory:
    """Memory's peaks since the process began, in megabytes of 10⁶ bytes.

    Args:
        resident_mb: the peak of the process: Python, torch and the data included.
        cuda_mb: the peak that torch allocated on the device; None where none was used.
    """

    resident_mb: float
    cuda_mb: float | None


def peak_memory(device: torch.device | str = "cpu") -> Memory:
    """Return the peaks so far, of this process and on ``device``."""
    on = torch.device(device)
    cuda = torch.cuda.max_memory_allocated(on) / MEGABYTE if on.type == "cuda" else None
    return Memory(_peak_bytes() / MEGABYTE, cuda)


def _peak_bytes() -> int:
    # Linux hands the maximum of getrusage on to children: a small cell would report its parent's peak. The high-water
    # mark of its own address space starts afresh.
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, the others kibibytes
