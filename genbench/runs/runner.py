"""Cells → processes → records: the only module that sees everything."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from genbench import data, processor
from genbench.files import locked, remove, unfinished_of
from genbench.records import layout, log
from genbench.records.record import Record, records
from genbench.records.stamp import revision
from genbench.runs import worker
from genbench.runs.config import ANCHORS, SPEED, Cell, Setting
from genbench.runs.engine import At, Begun, Engine, Failure, Lost, Over, Said
from genbench.runs.here import Here
from genbench.runs.plan import Job, Plan, owed, plan
from genbench.runs.progress import ProgressDisplay, expected
from genbench.runs.suite import Suite
from genbench.runs.suite import write as write_suite
from genbench.runs.sweep import check_unlinked, sweep
from genbench.runs.unfinished import longer
from genbench.tables import rows
from genbench.tables.view import View
from genbench.training import logs

SAID = {
    "skip": "done already, skipped",
    "keep": f"measures kept as they are, since {layout.MODEL} is gone (--fresh trains again)",
    "resume": "cut off, resumed",
    "on": "trained on from a smaller budget",
    "measure": "trained already, measured again",
    "time": "trained beside others, timed alone",
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
    engine: Engine | None = None,
) -> int:
    """Run what of a suite is not done yet, and write the table; return the exit status: 1 where a cell failed, else 0.

    Args:
        suite: the suite with the command line's changes.
        out: the folder of the run.
        console: the console that progress and the table are printed on.
        command: a function of a cell and what it spent: the line for the shell that makes it again, for the stamps.
        device: the device, ``"cpu"`` or ``"cuda"``.
        fresh: whether to do again what is done.
        measure_again: whether to measure again, by weights, the cells that are done and older measures measured, or
            whose estimate moved and may have more work.
        root: the folder of data sets.
        download: whether to fetch data that are missing, as far as their sources allow.
        tensorboard: whether to write what training logs into each cell's ``tensorboard`` too.
        busy: the number of cores that others kept busy as the run began, if known: :func:`genbench.processor.busy`.
        engine: the engine that carries jobs out; by default one after the other on this machine.

    Raises:
        ValueError: for whatever is wrong with the input, before any training.
        DiskFull: when there is no room left; what is whole stays, what is not is gone on with by the next run.
    """
    began = time.monotonic()
    if tensorboard:
        logs.check()
    engine = Here() if engine is None else engine
    check_unlinked(out)
    with locked(out), engine:
        laid = plan(
            suite,
            out,
            lambda name: data.load(name, root=root, size=suite.size, alpha=suite.alpha, download=download),
            device=device,
            fresh=fresh,
            measure_again=measure_again,
        )
        sweep(out)
        for job in laid.jobs:
            for folder in job.folders.values():
                if not job.todo and not longer(job.cell, unfinished_of(folder)):
                    remove(unfinished_of(folder))
        write_suite(suite, out)
        _announce(laid, suite, console, busy, engine)
        setting = Setting(suite.title, root, revision(), command, threads=engine.threads, tensorboard=tensorboard)
        view = View.of(suite.columns)
        ended = carry_out(laid, setting, console, lambda: _so_far(out, view), engine)
        measured = records(out)
        rows.write(out, measured, view)
        rows.show(measured, console, view=view)
        console.print(f"{out / 'table.md'}; genbench report {out} makes a page of it", markup=False, soft_wrap=True)
        if said := _log(out, laid, ended, began):
            console.print(said, markup=False, highlight=False, soft_wrap=True)
    return 1 if any(end.status == "failed" for end in ended.values()) else 0


def _announce(laid: Plan, suite: Suite, console: Console, busy: float | None, engine: Engine) -> None:
    doing = any(job.todo for job in laid.jobs)
    if doing and (others := processor.warning(busy, engine.threads)):
        console.print(others, markup=False, highlight=False, soft_wrap=True)
    console.print(suite.title, style="bold", markup=False)
    for how, said in SAID.items():
        if titles := "; ".join(job.title for job in laid.jobs if job.how == how):
            console.print(f"{said}: {titles}", markup=False, highlight=False, soft_wrap=True)
    if doing:
        console.print(expected(laid, engine.at_once), markup=False, highlight=False, soft_wrap=True)


def _so_far(out: Path, view: View) -> None:
    """Write the table of what has ended; where that fails the cells go on, and the end of the run says why."""
    with contextlib.suppress(ValueError, OSError):
        rows.write(out, records(out), view)


def carry_out(
    laid: Plan,
    setting: Setting,
    console: Console,
    between: Callable[[], None] = lambda: None,
    engine: Engine | None = None,
) -> dict[int, Ended]:
    """Do every job that is not done. Speed under company waits until all are done, and is measured alone.

    Args:
        laid: the plan.
        setting: the setting of all of its jobs.
        console: the console that progress is printed on.
        between: a function that is called whenever one has ended and others have not.
        engine: the engine that carries jobs out, open; by default one after the other on this machine.
    """
    engine = Here() if engine is None else engine
    todo = {number: job for number, job in enumerate(laid.jobs) if job.todo}
    if not engine.company:
        return _pass(todo, setting, console, between, engine)
    first = {number: _untimed(job) for number, job in todo.items() if job.how != "time"}
    ended = _pass(first, setting, console, between, engine)
    alone = {
        number: replace(job, how="time", fit_seconds=0.0, measure_seconds=job.cell.timing)
        for number, job in todo.items()
        if job.cell.recipe != ANCHORS and (number not in ended or ended[number].status == "done") and owed(job)
    }
    if alone:
        between()
    for number, end in _pass(alone, setting, console, between, engine).items():
        ended[number] = end._replace(seconds=end.seconds + (ended[number].seconds if number in ended else 0.0))
    return ended


def _untimed(job: Job) -> Job:
    """Return the job without the speed of drawing, which its record will owe."""
    if job.cell.recipe == ANCHORS or SPEED not in job.cell.measures:
        return job
    measures = tuple(name for name in job.cell.measures if name != SPEED)
    return replace(job, cell=job.cell.model_copy(update={"measures": measures, "owed": (SPEED,)}))


def _pass(
    jobs: Mapping[int, Job], setting: Setting, console: Console, between: Callable[[], None], engine: Engine
) -> dict[int, Ended]:
    for job in jobs.values():
        if job.how in ("run", "on", "measure", "time"):
            for folder in job.folders.values():
                remove(unfinished_of(folder))
    display = ProgressDisplay(console, Plan(list(jobs.values())), engine.at_once)
    begun: dict[int, tuple[int, float]] = {}  # by job: its number for people, and when it first began
    ended = dict[int, Ended]()
    with display.live(), contextlib.closing(engine.carry_out(jobs, setting)) as events:
        for event in events:
            if isinstance(event, Said):
                console.print(event.text, markup=False, highlight=False, soft_wrap=True)
                continue
            job = jobs[event.job]
            place, began = begun.setdefault(event.job, (len(begun) + 1, time.monotonic()))
            match event:
                case Begun():
                    if ended:
                        between()
                    display.begin(place, job)
                case At():
                    display.at(event.stage, event.fraction, place)
                case Lost():
                    display.lost(place, event.why)
                case Over():
                    end = ended[event.job] = _ended(job, setting, event.failure, time.monotonic() - began)
                    display.end(place, end.said, measured=end.status in ("done", "anchor"))
    return ended


def _ended(job: Job, setting: Setting, failure: Failure | None, seconds: float) -> Ended:
    if failure is not None and failure.disk:
        raise DiskFull(f"{job.title}: {failure.why}; make room and run again: what is done stays done")
    if failure is not None:
        worker.failed(job, setting, failure.why, failure.trace or None)
        return Ended("failed", f"failed: {failure.why}", seconds)
    finished = [Record.read(folder) for folder in job.folders.values()]
    if finished[0].status == "diverged":
        return Ended("diverged", f"diverged: {finished[0].reason}", seconds)
    fit = finished[0].fit if job.how not in ("measure", "time") else None
    said = f"{fit.steps:,} steps, {fit.images:,} images" if fit is not None else "measured"
    return Ended(finished[0].status, said, seconds)


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
