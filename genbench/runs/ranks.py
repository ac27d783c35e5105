"""A cell's training on several devices: one process a device, all begun again where one dies."""

from __future__ import annotations

import pickle
import signal
import traceback
from datetime import timedelta
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import distributed

from genbench import catalog
from genbench.errors import reason
from genbench.interface import GenerativeModel
from genbench.records import layout
from genbench.runs import fitting
from genbench.runs.clock import Tell
from genbench.runs.config import Cell, Setting
from genbench.runs.spawn import SPAWN, die_with_parent, die_with_starter, uninterrupted, unnamed_main
from genbench.training import parallel
from genbench.training.config import FitReport

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

    from genbench.data import Dataset

TRIES = 3  # deaths in a row without a checkpoint between them that a training survives, less one
PATIENCE = timedelta(minutes=30)  # for another rank, which may be fitting a start to the data; deaths are seen at once


class Rank(NamedTuple):
    """A process that trains, and the end of the pipe by which it says how far it is."""

    process: ForkServerProcess
    wire: Connection


def train(
    cell: Cell, setting: Setting, model: GenerativeModel, dataset: Dataset, unfinished: Path, tell: Tell
) -> FitReport:
    """Fit, from the last checkpoint if there is one, on as many devices as the cell says.

    With several, ``model`` is not trained here but read from the checkpoint that their processes end with.

    Raises:
        Diverged: when training does.
        ValueError: for more devices than there are, or a batch that they cannot share.
        RuntimeError: where processes die again and again before they come to a checkpoint.
        Exception: whatever else fails in one of them.
    """
    if cell.devices == 1:
        return fitting.train(cell, setting, model, dataset, unfinished, tell)
    parallel.check(cell.devices, cell.device, cell.batch_size)
    training = unfinished / layout.TRAINING
    tries = TRIES
    while tries:
        before = training.stat().st_mtime_ns if training.is_file() else 0
        died = _together(cell, setting, unfinished, tell)
        if died is None:
            return fitting.go_on(cell.model_copy(update={"devices": 1}), setting, model, dataset, unfinished)
        moved = training.is_file() and training.stat().st_mtime_ns != before
        tries = TRIES if moved else tries - 1
    raise RuntimeError(f"{died}, {TRIES} times in a row before a checkpoint")


def main(cell: Cell, setting: Setting, unfinished: Path, rank: int, meeting: Path, wire: Connection) -> None:
    """Train as one of the cell's ranks. Sends ``("at", stage, fraction)``, and ``("failed", error)`` if it fails."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    die_with_starter()
    try:
        _join(cell, rank, meeting)
        _train(cell, setting, unfinished, rank, lambda *told: wire.send(("at", *told)))
    except Exception as error:
        wire.send(("failed", _sendable(error)))  # before the others notice, who can only say that it is gone
        raise SystemExit(1) from None
    distributed.destroy_process_group()


def _join(cell: Cell, rank: int, meeting: Path) -> None:
    """Become one of the ranks. They meet at the file ``meeting``, which must be new."""
    if cell.device == "cuda":
        torch.cuda.set_device(rank)
    store = distributed.FileStore(str(meeting), cell.devices)
    distributed.init_process_group(
        parallel.backend(cell.device), store=store, rank=rank, world_size=cell.devices, timeout=PATIENCE
    )


def _train(cell: Cell, setting: Setting, unfinished: Path, rank: int, tell: Tell) -> None:
    fitting.settle(cell.device)
    if cell.device != "cuda":  # they share the processor
        torch.set_num_threads(max((setting.threads or torch.get_num_threads()) // cell.devices, 1))
    learned = setting.data(cell).with_labels(cell.labelled)
    model = catalog.build(cell.recipe, learned.spec, seed=cell.seed, **cell.options)
    model.to(f"cuda:{rank}" if cell.device == "cuda" else "cpu")
    if rank == 0:
        fitting.train(cell, setting, model, learned, unfinished, tell)
    else:
        fitting.go_on(cell, setting, model, learned, unfinished)


def _sendable(error: Exception) -> Exception:
    """Return the error with its traceback as a note, or one with its message where it cannot travel."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # an exception of somebody's own may raise anything here
        return RuntimeError(reason(error))
    return error


def _together(cell: Cell, setting: Setting, unfinished: Path, tell: Tell) -> str | None:
    """Train in a process a device until all have ended, or one has badly; return what that died of, or None.

    Raises:
        Exception: what a rank failed with by itself; that another was gone is no failure of its own.
    """
    ranks: list[Rank] = []
    with TemporaryDirectory() as folder:
        try:
            for rank in range(cell.devices):
                here, there = SPAWN.Pipe(duplex=False)
                told = (cell, setting, unfinished, rank, Path(folder) / "meeting", there)
                process = SPAWN.Process(target=main, args=told, daemon=True)
                with unnamed_main(), uninterrupted():
                    process.start()
                there.close()
                ranks.append(Rank(process, here))
            failures = _watched(ranks, tell)
            ends = [each.process.exitcode for each in ranks]
        finally:
            for each in ranks:
                each.process.kill()
                each.process.join()
        failures += [word for each in ranks for word in _heard(each.wire, tell)]
    for error in failures:
        if not isinstance(error, parallel.Lost):
            raise error
    dead = [f"the process of device {i} died ({end})" for i, end in enumerate(ends) if end]
    return dead[-1] if dead else "a device's process was lost" if failures else None


def _watched(ranks: list[Rank], tell: Tell) -> list[Exception]:
    """Tell how far training is, until every rank has ended or one has badly; return what they failed with."""
    failures: list[Exception] = []
    while not failures and any(each.process.is_alive() for each in ranks):
        wires = [each.wire for each in ranks if not each.wire.closed]
        connection.wait([*wires, *(each.process.sentinel for each in ranks if each.process.is_alive())])
        for wire in wires:
            failures += _heard(wire, tell)
        if any(each.process.exitcode for each in ranks):
            break
    return failures


def _heard(wire: Connection, tell: Tell) -> list[Exception]:
    """Pass on what has come by a pipe, and return the failures among it; a pipe at its end is closed."""
    failures: list[Exception] = []
    try:
        while not wire.closed and wire.poll():
            kind, *rest = wire.recv()
            if kind == "at":
                tell(*rest)
            else:
                failures.extend(rest)
    except (EOFError, OSError):
        wire.close()
    return failures
