"""A cell's process: does one job, writes its folder whole, and says how it went."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from genbench.errors import disk_full, out_of_memory, reason
from genbench.files import LOCK, remove, settle, unfinished_of, written_whole
from genbench.records import layout
from genbench.records.record import Record
from genbench.runs import anchors, cell, stamping, storage
from genbench.runs.clock import Tell
from genbench.runs.config import ANCHORS, Setting
from genbench.runs.plan import Job
from genbench.runs.spawn import die_with_parent, die_with_starter
from genbench.runs.sweep import tidy
from genbench.training.turns import Diverged

TELL_SECONDS = 0.1  # between two words of progress
BEAT_SECONDS = 5.0  # of silence, until the last word is said again
WAIT_SECONDS = 10.0  # for the process of a killed run to let its folder go


def main(job: Job, setting: Setting, wire: Connection) -> None:
    """Do ``job``. Sends ``("at", stage, fraction)`` on the way, and ``("failed", reason, trace, disk)`` if it fails."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal: the runner decides
    die_with_parent()
    die_with_starter()
    if setting.logged:
        _log(unfinished_of(next(iter(job.folders.values()))))
    said = Said(wire)
    threading.Thread(target=said.again, daemon=True).start()
    try:
        do(job, setting, said.tell)
    except Exception as error:
        said.send("failed", *failure(error))
    said.close()


class Said:
    """What a cell's process says on the way, seldom enough; and again where nothing new is said for long."""

    def __init__(self, wire: Connection) -> None:
        self.wire = wire
        self.word: tuple[str, float] | None = None
        self.at = 0.0
        self.over = threading.Event()
        self.lock = threading.Lock()

    def send(self, *words: object) -> None:
        """Send words, one message at a time; whoever has stopped listening is no matter."""
        with self.lock, contextlib.suppress(OSError):
            self.wire.send(words)

    def tell(self, stage: str, fraction: float) -> None:
        """Say how far the cell is, unless something was said just now."""
        self.word = stage, fraction
        if fraction in (0.0, 1.0) or time.monotonic() - self.at > TELL_SECONDS:
            self.at = time.monotonic()
            self.send("at", stage, fraction)

    def again(self) -> None:
        """Say the last word again every few seconds of silence, so that a long stage is not taken for a dead one."""
        while not self.over.wait(BEAT_SECONDS):
            if self.word is not None and time.monotonic() - self.at > BEAT_SECONDS:
                self.send("at", *self.word)

    def close(self) -> None:
        """Say no more."""
        self.over.set()
        with self.lock:
            self.wire.close()


def failure(error: Exception) -> tuple[str, str, bool]:
    """Return why a cell failed in a line, the traceback where that says more, and whether it was a full disk."""
    trace = "" if out_of_memory(error) else "".join(traceback.format_exception(error))
    return reason(error), trace, disk_full(error)


def do(job: Job, setting: Setting, tell: Tell) -> None:
    """Do the job and make its folders whole."""
    if setting.threads is not None:
        torch.set_num_threads(setting.threads)
    folders = {name: unfinished_of(folder) for name, folder in job.folders.items()}
    with contextlib.ExitStack() as held:
        for unfinished in folders.values():
            unfinished.mkdir(parents=True, exist_ok=True)
            held.enter_context(at_work(unfinished))
            with written_whole(unfinished / layout.CONFIGURATION) as file:
                file.write_text(json.dumps(job.cell.configuration, indent=1))
            storage.fetch(unfinished)
        if job.cell.recipe == ANCHORS:
            for record in anchors.work(job.cell, setting, folders, tell):
                _whole(record, folders[record.label], job.folders[record.label])
            return
        folder = job.folders[job.cell.label]
        finished = folder if job.how in ("measure", "time") else None
        earlier = Record.read(folder) if goes_on(job) else None
        if finished is not None:
            _copy(finished, job.unfinished)
        elif job.how == "on":
            _copy(folder, job.unfinished, (layout.HISTORY, layout.BEST.parent.name, layout.TENSORBOARD))
        try:
            if finished is not None and job.how == "time":
                record = cell.time_alone(job.cell, setting, tell, finished)
            else:
                record = cell.work(job.cell, setting, job.unfinished, tell, finished, earlier)
        except Diverged as error:
            if earlier is not None:
                raise ValueError(f"trained on, {error}; the cell with the smaller budget stays") from error
            stamp = stamping.stamped(job.cell, setting) | {"diverged": {"turn": error.turn, "step": error.step}}
            record = Record(**stamping.heading(job.cell), status="diverged", reason=str(error), stamp=stamp)
        _whole(record, job.unfinished, folder)


def _log(unfinished: Path) -> None:
    """Write from now on what this process and its children print into a file of the folder."""
    unfinished.mkdir(parents=True, exist_ok=True)
    with (unfinished / layout.LOG).open("ab", buffering=0) as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    for text in (sys.stdout, sys.stderr):  # which Python fills a block of where no terminal listens
        if isinstance(text, io.TextIOWrapper):
            text.reconfigure(line_buffering=True)


def _copy(finished: Path, unfinished: Path, names: Sequence[str] = ()) -> None:
    """Begin an unfinished folder with what a finished one has, or with what of it has these ``names``.

    The training, which can be gone on with, comes last.
    """
    never = (layout.RECORD, layout.ERROR, LOCK)

    def left_out(folder: str, there: list[str]) -> list[str]:
        if Path(folder) != finished:
            return [layout.TRAINING.name, *([layout.MODEL.name] if names else [])]
        return [name for name in there if name in never or (names and name not in names)]

    shutil.copytree(finished, unfinished, dirs_exist_ok=True, ignore=left_out)
    if (finished / layout.TRAINING).is_file():
        with written_whole(unfinished / layout.TRAINING) as part:
            shutil.copyfile(finished / layout.TRAINING, part)


def failed(job: Job, setting: Setting, why: str, trace: str | None = None) -> None:
    """Leave a record that says ``why`` in each of the job's folders that has none; its unfinished work stays beside.

    What was to be measured again, timed or trained on stays as it was, with the trace beside it.
    """
    if job.how in ("measure", "time") or goes_on(job):
        if job.how in ("measure", "time"):
            remove(job.unfinished)
        if trace is not None:
            with written_whole(job.folders[job.cell.label] / layout.ERROR) as file:
                file.write_text(trace, encoding="utf-8", errors="backslashreplace")
        return
    for name, folder in job.folders.items():
        if job.cell.recipe == ANCHORS:
            if (folder / layout.RECORD).is_file():
                continue
            heading: dict[str, Any] = {"dataset": job.cell.dataset, "recipe": name, "label": name, "family": "anchor"}
            heading |= {"seed": job.cell.seed}
        else:
            heading = stamping.heading(job.cell)
        # Not the .part: that holds what the next run goes on from.
        fresh = folder.with_name(f".{folder.name}.failed")
        remove(fresh)
        fresh.mkdir(parents=True)
        if trace is not None:
            (fresh / layout.ERROR).write_text(trace, encoding="utf-8", errors="backslashreplace")
        Record(**heading, status="failed", reason=why, stamp=stamping.stamped(job.cell, setting)).write(fresh)
        settle(fresh, folder)


def goes_on(job: Job) -> bool:
    """Return whether a job trains a finished cell on, which stays until the longer training is whole."""
    folder = job.folders.get(job.cell.label)
    there = job.how in ("on", "resume") and folder is not None and (folder / layout.RECORD).is_file()
    return there and folder is not None and Record.read(folder).status == "done"


def _whole(record: Record, unfinished: Path, folder: Path) -> None:
    """Make a folder whole: write the record, give the folder its name, and remove what only an unfinished one needs.

    In this order: cut off anywhere, it is either whole or can be gone on with.
    """
    if record.status == "diverged":
        (unfinished / layout.TRAINING).unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    log = unfinished / layout.LOG
    if log.is_file() and log.stat().st_size == 0:
        log.unlink()
    record.write(unfinished)
    settle(unfinished, folder)
    tidy(folder)


@contextlib.contextmanager
def at_work(unfinished: Path) -> Iterator[None]:
    """Hold the unfinished folder's lock: the process of a run that was killed may take a moment to notice.

    Raises:
        ValueError: where another process does not let it go.
    """
    lock = FileLock(unfinished / LOCK)
    try:
        lock.acquire(timeout=WAIT_SECONDS)
    except Timeout as error:
        raise ValueError(f"{unfinished}: another process is still at work in it") from error
    try:
        yield
    finally:
        lock.release()
