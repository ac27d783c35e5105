"""Preloaded first into the process that cells are forked from: that process ends soon after the one that started it.

multiprocessing ends it only once it has imported everything, and once no cell is left.
"""

from __future__ import annotations

import os
import threading
import time

from genbench.runs.spawn import RUNNER

SECONDS = 0.5


def _follow(runner: int) -> None:
    while os.getppid() == runner:
        time.sleep(SECONDS)
    os._exit(1)


if os.environ.get(RUNNER) == str(os.getppid()):
    threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()
