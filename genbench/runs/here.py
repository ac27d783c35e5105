"""The engine that needs nothing else: one job after the other, each in a process of its own on this machine."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import connection
from types import TracebackType
from typing import Self

from genbench.errors import LESS_MEMORY
from genbench.runs import worker
from genbench.runs.config import Setting
from genbench.runs.engine import At, Begun, Event, Failure, Over
from genbench.runs.plan import Job
from genbench.runs.spawn import SPAWN, uninterrupted, unnamed_main, warm_up

LISTEN_SECONDS = 1.0  # to a silent process, until whoever cancels this one is listened to


@dataclass(frozen=True)
class Here:
    """One job after the other: they would take each other's processor otherwise.

    Args:
        threads: the number of threads of each job; None for as many as torch takes by itself.
    """

    threads: int | None = None
    at_once = 1
    company = False

    def __enter__(self) -> Self:
        warm_up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def carry_out(self, jobs: Mapping[int, Job], setting: Setting) -> Generator[Event]:
        """Carry out ``jobs`` in order; if the process of one dies, this does not."""
        for number, job in jobs.items():
            yield Begun(number)
            yield from _one(number, job, setting)


def _one(number: int, job: Job, setting: Setting) -> Iterator[Event]:
    here, there = SPAWN.Pipe(duplex=False)
    child = SPAWN.Process(target=worker.main, args=(job, setting, there), daemon=job.cell.devices == 1)
    failure: Failure | None = None
    try:
        with unnamed_main(), uninterrupted():
            child.start()
        there.close()
        while True:
            connection.wait([here, child.sentinel], LISTEN_SECONDS)
            if here.poll():
                try:
                    kind, *rest = here.recv()
                except (EOFError, OSError):
                    break
                if kind == "at":
                    yield At(number, *rest)
                else:
                    failure = Failure(*rest)
            elif not child.is_alive():
                break
        child.join()
    finally:
        if child.is_alive():
            child.kill()
            child.join()
        here.close()
    if failure is None and child.exitcode != 0:
        failure = Failure(_cause(child.exitcode))
    yield Over(number, failure)


def _cause(status: int | None) -> str:
    """Return what a process that said nothing died of."""
    if status in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return f"its process was killed (signal 9), as a system does that is out of memory; {LESS_MEMORY}"
    what = f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
    return f"its process died of {what}"
