"""Cells → processes → records: the only module that sees everything."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from multiprocessing import connection
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from genbench import data, processor
from genbench.errors import LESS_MEMORY
from genbench.files import locked, remove, unfinished_of
from genbench.records import layout, log
from genbench.records.record import Record, records
from genbench.records.stamp import revision
from genbench.runs import worker
from genbench.runs.config import Cell, Setting
from genbench.runs.plan import Job, Plan, plan
from genbench.runs.progress import ProgressDisplay, expected
from genbench.runs.spawn import SPAWN, uninterrupted, unnamed_main, warm_up
from genbench.runs.suite import Suite
from genbench.runs.suite import write as write_suite
from genbench.runs.sweep import sweep
from genbench.tables import rows
from genbench.tables.view import View
from genbench.training import logs

SAID = {
    "skip": "done already, skipped",
    "keep": f"older measures kept, since {layout.MODEL} is gone (--fresh trains again)",
    "resume": "cut off, resumed",
    "measure": "trained already, measured again",
}


class DiskFull(OSError):
    """An error of a cell with no room to write: no other has any, so the run stops and everything whole stays."""


class Ended(NamedTuple):
    """The end of a job: ``done``, ``diverged``, ``failed``; what to say of it; and how long it took."""

    status: str
    said: str
    seconds: float


def run(
    suite: Suite,
    out: Path,
    console: Console,
    *,
    command: Callable[[Cell, Mapping[str, Any]], str],
    device: str = "cpu",
    fresh: bool = False,
    measure_again: bool = False,
    root: Path | None = None,
    download: bool = False,
    tensorboard: bool = False,
    busy: float | None = None,
) -> int:
    """Run what of a suite is not done yet, and write the table; return the exit status: 1 where a cell failed, else 0.

    Args:
        suite: the suite with the command line's changes.
        out: the folder of the run.
        console: the console that progress and the table are printed on.
        command: a function of a cell and what it spent: the line for the shell that makes it again, for the stamps.
        device: the device, ``"cpu"`` or ``"cuda"``.
        fresh: whether to do again what is done.
        measure_again: whether to measure again, by weights, the cells that are done and older measures measured.
        root: the folder of data sets.
        download: whether to fetch data that are missing, as far as their sources allow.
        tensorboard: whether to write what training logs into each cell's ``tensorboard`` too.
        busy: the number of cores that others kept busy as the run began, if known: :func:`genbench.processor.busy`.

    Raises:
        ValueError: for whatever is wrong with the input, before any training.
        DiskFull: when there is no room left; what is whole stays, what is not is gone on with by the next run.
    """
    began = time.monotonic()
    if tensorboard:
        logs.check()
    warm_up()
    with locked(out):
        laid = plan(
            suite,
            out,
            lambda name: data.load(name, root=root, size=suite.size, alpha=suite.alpha, download=download),
            device=device,
            fresh=fresh,
            measure_again=measure_again,
        )
        sweep(out)
        for folder in (folder for job in laid.jobs if not job.todo for folder in job.folders.values()):
            remove(unfinished_of(folder))
        write_suite(suite, out)
        _announce(laid, suite, console, busy)
        setting = Setting(suite.title, root, revision(), command, tensorboard=tensorboard)
        view = View.of(suite.columns)
        ended = carry_out(laid, setting, console, lambda: _so_far(out, view))
        measured = records(out)
        rows.write(out, measured, view)
        rows.show(measured, console, view=view)
        console.print(f"{out / 'table.md'}; genbench report {out} makes a page of it", markup=False, soft_wrap=True)
        if said := _log(out, laid, ended, began):
            console.print(said, markup=False, highlight=False, soft_wrap=True)
    return 1 if any(end.status == "failed" for end in ended.values()) else 0


def _announce(laid: Plan, suite: Suite, console: Console, busy: float | None) -> None:
    console.print(suite.title, style="bold", markup=False)
    for how, said in SAID.items():
        if titles := "; ".join(job.title for job in laid.jobs if job.how == how):
            console.print(f"{said}: {titles}", markup=False, highlight=False, soft_wrap=True)
    if any(job.todo for job in laid.jobs):
        for line in filter(None, (expected(laid), processor.warning(busy))):
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def _so_far(out: Path, view: View) -> None:
    """Write the table of what has ended; where that fails the cells go on, and the end of the run says why."""
    with contextlib.suppress(ValueError, OSError):
        rows.write(out, records(out), view)


def carry_out(
    laid: Plan, setting: Setting, console: Console, between: Callable[[], None] = lambda: None
) -> dict[int, Ended]:
    """Do every job that is not done, one after the other: they would take each other's processor otherwise.

    ``between`` is called as one has ended and before the next begins.
    """
    display = ProgressDisplay(console, laid)
    ended = dict[int, Ended]()
    with display.live():
        number = 0
        for i, job in enumerate(laid.jobs):
            if job.todo:
                if number:
                    between()
                number += 1
                display.begin(number, job)
                ended[i] = _one(job, setting, display)
                display.end(number, ended[i].said, measured=ended[i].status in ("done", "anchor"))
    return ended


def _one(job: Job, setting: Setting, display: ProgressDisplay) -> Ended:
    """Do one job in a process of its own; if that dies, this does not."""
    began = time.monotonic()
    if job.how in ("run", "measure"):
        for folder in job.folders.values():
            remove(unfinished_of(folder))
    here, there = SPAWN.Pipe(duplex=False)
    child = SPAWN.Process(target=worker.main, args=(job, setting, there), daemon=job.cell.devices == 1)
    failure: tuple[str, str, bool] | None = None
    try:
        with unnamed_main(), uninterrupted():
            child.start()
        there.close()
        while True:
            connection.wait([here, child.sentinel])
            if here.poll():
                try:
                    kind, *rest = here.recv()
                except (EOFError, OSError):
                    break
                if kind == "at":
                    display.at(*rest)
                else:
                    failure = tuple(rest)
            elif not child.is_alive():
                break
        child.join()
    finally:
        if child.is_alive():
            child.kill()
            child.join()
        here.close()
    return _ended(job, setting, failure, child.exitcode, time.monotonic() - began)


def _ended(
    job: Job, setting: Setting, failure: tuple[str, str, bool] | None, status: int | None, seconds: float
) -> Ended:
    if failure is not None and failure[2]:
        raise DiskFull(f"{job.title}: {failure[0]}; make room and run again: what is done stays done")
    if failure is None and status != 0:
        failure = (_cause(status), "", False)
    if failure is not None:
        worker.failed(job, setting, failure[0], failure[1] or None)
        return Ended("failed", f"failed: {failure[0]}", seconds)
    finished = [Record.read(folder) for folder in job.folders.values()]
    if finished[0].status == "diverged":
        return Ended("diverged", f"diverged: {finished[0].reason}", seconds)
    fit = finished[0].fit if job.how != "measure" else None
    said = f"{fit.steps:,} steps, {fit.images:,} images" if fit is not None else "measured"
    return Ended(finished[0].status, said, seconds)


def _cause(status: int | None) -> str:
    """Return what a process that said nothing died of."""
    if status in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return f"its process was killed (signal 9), as a system does that is out of memory; {LESS_MEMORY}"
    what = f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
    return f"its process died of {what}"


def _log(out: Path, laid: Plan, ended: dict[int, Ended], began: float) -> str | None:
    """Add this run to ``runs.json``; return what is to be said of that."""
    cells = [
        log.CellEntry(
            folders=tuple(str(folder.relative_to(out)) for folder in job.folders.values()),
            how=job.how,
            status=ended[i].status if i in ended else None,
            seconds=ended[i].seconds if i in ended else 0.0,
        )
        for i, job in enumerate(laid.jobs)
    ]
    seconds = time.monotonic() - began
    return log.add(out, log.Entry(seconds=seconds, start_up=_age() - seconds, cells=tuple(cells)))


def _age() -> float:
    """Return the seconds since this process began, where the system says so; else 0."""
    try:
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
