"""The process that cells are forked from, which imports what all of them need once."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from types import FrameType, ModuleType

RUNNER = "GENBENCH_RUNNER"  # in the environment: the number of the process that starts all others
PRELOAD = [
    *("genbench.runs.leash", "genbench.runs.worker"),
    *("genbench.features.efficientnet_lite0", "genbench.features.classifier"),
]
PR_SET_PDEATHSIG = 1
SPAWN = multiprocessing.get_context("forkserver")


def warm_up() -> None:
    """Start that process in the background: it imports while this one imports the same and checks the suite.

    By default glibc hands freed blocks above 32 MB back to the system, and the next step faults their pages in again:
    up to half of a PixelCNN's step (benchmarks/allocator.py). Cells keep them; other C libraries ignore the variables.
    """
    for name, size in (("MALLOC_MMAP_THRESHOLD_", 2**30), ("MALLOC_TRIM_THRESHOLD_", 2**34)):
        os.environ.setdefault(name, str(size))
    # Python would look for modules in the working directory first: a checkout there is not what was asked to run.
    os.environ["PYTHONSAFEPATH"] = "1"
    os.environ[RUNNER] = str(os.getpid())
    SPAWN.set_forkserver_preload(PRELOAD)
    resource_tracker.ensure_running()  # which would let signals through again
    with uninterrupted():
        forkserver.ensure_running()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Start processes within: they never hear of Ctrl-C, and this one does behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda *told: heard.append(told))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # processes inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
        if heard and callable(before):
            before(*heard[0])


def die_with_parent() -> None:
    """Have the system end this process with the one that it was forked from, however that ends and whatever is at work.

    Linux alone can; elsewhere a thread that waits for the runner has to do.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def die_with_starter() -> None:
    """End this process with the one that started it, however that ends: nobody waits for its result any more."""
    threading.Thread(target=_follow_starter, daemon=True).start()


def _follow_starter() -> None:
    starter = multiprocessing.parent_process()
    if starter is not None:
        starter.join()
        os._exit(1)


@contextmanager
def unnamed_main() -> Iterator[None]:
    """Start processes within: they import what they run by its name, and not the program that starts them.

    multiprocessing would import that too, and a script without ``if __name__ == "__main__"`` would run all over again.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
