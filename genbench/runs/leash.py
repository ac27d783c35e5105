"""Preloaded first into the process that cells are forked from: that process ends soon after the one that started it.

multiprocessing ends it only once it has imported everything, and once no cell is left.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from genbench.runs.spawn import RUNNER

SECONDS = 0.5


def follow(runner: int) -> None:
    """End this process once its parent is not ``runner``."""
    while os.getppid() == runner:
        time.sleep(SECONDS)
    os._exit(1)


def preloading() -> bool:
    """Return whether it is that process which imports this."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals.get("__name__") == "multiprocessing.forkserver":
            return True
    return False


if preloading():
    threading.Thread(target=follow, args=(int(os.environ[RUNNER]),), daemon=True).start()
