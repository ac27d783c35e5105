"""The process that cells are forked from, which imports what all of them need once."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from types import ModuleType

PRELOAD = ["genbench.runs.worker", "genbench.features.efficientnet_lite0", "genbench.features.classifier"]
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
    SPAWN.set_forkserver_preload(PRELOAD)
    forkserver.ensure_running()


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
