"""How busy the processor is with other work: what a training that counts seconds loses by it, nobody sees later.

The cores are those that this process may run on; a container that is given a share of the time of more cores than that
sees the load of all of them.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

SECONDS = 0.25  # of a look
LOOKS = 4  # of which the calmest counts: a burst is no neighbour
NOTICED = 0.4  # of a core, from which on it is said
IDLE = (3, 4)  # of the counters of /proc/stat: idle, and waiting for a disk


def busy(seconds: float = SECONDS, looks: int = LOOKS) -> float | None:
    """Return how many of this process's cores others keep busy, while it sleeps; None where the system does not say.

    Args:
        seconds: how long a look takes.
        looks: how many there are; the least of them is returned.
    """
    found = [_busy(seconds) for _ in range(looks)]
    return min((value for value in found if value is not None), default=None)


def _busy(seconds: float) -> float | None:
    before = _counters()
    if before is None:
        return None
    time.sleep(seconds)
    after = _counters() or before
    shares = []
    for core, (idle, total) in after.items():
        passed = total - before.get(core, (idle, total))[1]
        if passed > 0:
            shares.append(1 - (idle - before[core][0]) / passed)
    return sum(shares)


def cores() -> set[int]:
    """Return the numbers of the cores that this process may run on."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def free(busy: float, threads: int) -> int | None:
    """Return how many threads a training is to take where ``busy`` cores are taken by others; None for torch's own.

    They are the share of torch's own ``threads`` that is as large as the share of cores left.

    Threads wait for each other at every operation, so that one which shares its core holds up all: two beside one busy
    process do about two thirds of what one does (``benchmarks/company.py``). ``OMP_NUM_THREADS`` is left to say it.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return None
    left = max(round(threads * (1 - busy / len(cores()))), 1)
    return left if left < threads else None


def warning(busy: float | None, threads: int | None = None) -> str | None:
    """Return what to say where ``busy`` cores are taken by others; None where that is hardly any, or unknown.

    Args:
        busy: the number of cores that others keep busy.
        threads: the number of threads that each cell takes, if it is not torch's own.
    """
    if busy is None or busy < NOTICED:
        return None
    fewer = "" if threads is None else f"; threads of each cell: {threads} (--threads)"
    return (
        f"this machine is busy: others take {busy:.1f} of {len(cores())} cores; trainings that count seconds make "
        f"fewer steps, and speeds come out lower{fewer}"
    )


def _counters() -> dict[int, tuple[int, int]] | None:
    """Return the ticks that each core was idle, and all of its ticks."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    found = {}
    mine = cores()
    for line in lines:
        name, *words = line.split()
        core = name.removeprefix("cpu")
        if name.startswith("cpu") and core.isdigit() and int(core) in mine:
            ticks = [int(word) for word in words[:8]]  # guests are counted among the users already
            found[int(core)] = (sum(ticks[place] for place in IDLE), sum(ticks))
    return found or None
