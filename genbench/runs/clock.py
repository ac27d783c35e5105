"""How long each part of a cell takes, and who hears as it begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[str, float], None]  # of a stage, and how much of it is done


class Clock:
    """A clock that counts the seconds of named stages, and tells each as it begins."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self.seconds = dict[str, float]()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count the block's seconds as ``stage``."""
        self.tell(stage, 0.0)
        began = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began
