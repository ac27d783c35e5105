"""How much memory there is, and what is refused since it would take more: a line now, not a killed process later."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

# What a container may take, by the two versions of Linux's control groups.
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
SHARE = 0.5  # of memory, for data: the rest is for what is made of them


@cache
def total() -> int | None:
    """Return the bytes of memory that this machine, or the container that this is in, has; None where nobody says."""
    found = []
    with suppress(ValueError, OSError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in LIMITS:
        with suppress(OSError, ValueError):  # "max" is no number
            found.append(int(Path(path).read_text()))
    return min(found, default=None)


def holds(needed: int) -> bool:
    """Return whether so many bytes of data are kept in memory: as many as half of it, where anybody says how much."""
    there = total()
    return there is None or needed <= there * SHARE


def check_fits(what: str, needed: int, hint: str) -> None:
    """Refuse (``ValueError``) ``what`` for which an estimate of the bytes ``needed`` is above all that there are."""
    there = total()
    if there is not None and needed > there:
        raise ValueError(f"{what} would take about {_size(needed)} of memory, and there are {_size(there)}; {hint}")


def _size(number: int) -> str:
    """Return a number of bytes as people say it."""
    return f"{number / 2**30:,.1f} GiB" if number < 2**50 else f"{number / 2**30:.1e} GiB"
