"""The engine of many cells at once: each a Ray task, on this machine or on a cluster that shares no file system."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import ray
from ray import ObjectRef, ObjectRefGenerator
from ray.exceptions import RayError, RayTaskError

from genbench.errors import named, reason
from genbench.memory import holds
from genbench.records import layout
from genbench.runs import parcels, ray_task
from genbench.runs.config import Setting
from genbench.runs.engine import At, Begun, Event, Failure, Lost, Over, Said
from genbench.runs.nodes import Nodes, Placed
from genbench.runs.plan import Job
from genbench.runs.storage import Storage

MOST_BYTES = 2**30  # of an unfinished cell that comes back
EVERY = 15.0  # seconds between two checkpoints of a cell that come back, at least
MOST_LOSSES = 5  # of one cell between two of its checkpoints: it may be what its machines die of
END_SECONDS = 10.0  # for tasks to end before their processes are ended
POLL_SECONDS = 1.0


class OnRay:
    """The engine with as many cells at once as there is room for, largest first; a lost node's go on elsewhere.

    Args:
        address: the address of a cluster, ``"auto"`` for the one at hand; None for this machine alone.
        jobs: the number of cells at once on this machine alone.
        threads: the number of threads of each cell.
        device: the device, ``"cpu"`` or ``"cuda"``; one GPU each.
        travels: whether data sets are sent along, each once; else nodes load them by name.
        every: the least seconds between two checkpoints of a cell that come back.
        most: the bytes of an unfinished cell that come back, at most.
        storage: where trainings go that are more, if anywhere.
    """

    company = True

    def __init__(
        self,
        address: str | None,
        jobs: int,
        threads: int,
        device: str,
        *,
        travels: bool,
        every: float = EVERY,
        most: int = MOST_BYTES,
        storage: Storage | None = None,
    ) -> None:
        self.address = address
        self.jobs = jobs
        self.threads = threads
        self.device = device
        self.travels = travels
        self.every = every
        self.most = most
        self.storage = storage
        self.started = False
        self.waits = False  # for a node, where none is left
        self.nodes = Nodes(threads, device, trusted=address is None, storage=storage)
        self.datasets: dict[tuple[str, int | None], ObjectRef] = {}
        self.tidying = ThreadPoolExecutor(1)  # of the storage, which may be slow

    def __enter__(self) -> Self:
        self._connect()
        try:
            if self.storage is not None:
                self.storage.claim()
            if self.address is not None:
                self._check_nodes()
            if not self.at_once:
                what = "a GPU" if self.device == "cuda" else f"{self.threads} cores"
                raise ValueError(f"{self._asked}: no node has {what}; give fewer --threads, or another --device")
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    @property
    def _asked(self) -> str:
        return f"--jobs {self.jobs}" if self.address is None else f"--ray {self.address}"

    @property
    def at_once(self) -> int:
        """The number of cells that there is room for."""
        return sum(self.nodes.room(node) for node in self.nodes.alive())

    def _connect(self) -> None:
        if ray.is_initialized():  # a notebook's own
            return
        quiet: dict[str, Any] = {"logging_level": logging.CRITICAL, "log_to_driver": False}
        if self.address is None:
            quiet |= {"include_dashboard": False, "num_cpus": self.jobs * self.threads}
            quiet |= {"num_gpus": self.jobs if self.device == "cuda" else 0}
        # Ray adds the working directory to the paths of workers: a checkout there is not what was asked to run.
        with contextlib.chdir(sys.prefix):
            try:
                ray.init(address=self.address or "local", **quiet)
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                hint = "`ray start --head` begins a cluster" if self.address else "is /tmp full, or its memory?"
                raise ValueError(f"{self._asked}: Ray cannot be reached ({named(error)}); {hint}") from error
        self.started = True
        _silence()

    def _check_nodes(self) -> None:
        try:
            self.nodes.check()
        except ValueError as error:
            raise ValueError(f"{self._asked}: {error}") from error

    def _leave(self) -> None:
        self.datasets.clear()
        self.tidying.shutdown()
        if self.started:
            self.started = False
            ray.shutdown()

    def carry_out(self, jobs: Mapping[int, Job], setting: Setting) -> Generator[Event]:
        """Carry out ``jobs``. A cell whose node or worker is lost goes on from its last checkpoint that came back.

        Raises:
            ValueError: in one line, for data that are too large to travel, or where no node will do.
        """
        if self.travels:
            for job in jobs.values():
                self._sent(job, setting)
        elif self.address is not None:
            self.nodes.meet(setting, [job.cell for job in jobs.values()])
        waiting = sorted(jobs, key=lambda i: -(jobs[i].fit_seconds + jobs[i].measure_seconds))
        running: dict[ObjectRefGenerator, Placed] = {}
        ending: list[ObjectRefGenerator] = []  # whole, but for what they tidy up
        losses: Counter[int] = Counter()
        try:
            while waiting or running:
                while (
                    waiting and (placed := self.nodes.place(waiting[0], jobs[waiting[0]], running.values())) is not None
                ):
                    running[self._submitted(jobs[waiting.pop(0)], setting, placed)] = placed
                yield from self._news(idle=not running)
                for task in _ready(list(running)):
                    number = running[task].job
                    try:
                        event = self._heard(ray.get(next(task)), number, jobs[number], losses)
                    except RayTaskError as error:
                        cause = error.cause or error
                        event = Over(number, Failure(reason(cause), str(error)))
                    except (RayError, StopIteration) as error:
                        event = self._lost(number, f"its worker or node was lost ({type(error).__name__})", losses)
                    if isinstance(event, Lost):
                        waiting.insert(0, number)
                    if isinstance(event, Lost | Over):
                        ending.append(task)
                        del running[task]
                    if event is not None:
                        yield event
        finally:
            _cancel(list(running))
            _await(ending)

    def _news(self, *, idle: bool) -> Iterator[Said]:
        """Yield what is new of nodes; where nothing runs, wait a moment for one.

        Raises:
            ValueError: where none will do.
        """
        if idle and not self.nodes.alive() and not self.waits:
            self.nodes.news.append("no node is left: waiting for one; Ctrl-C stops, and what is done stays done")
        self.waits = idle and not self.nodes.alive()
        while self.nodes.news:
            yield Said(self.nodes.news.pop(0))
        if idle:
            if why := self.nodes.hopeless:
                raise ValueError(f"{self._asked}: no node will do: {why}")
            time.sleep(POLL_SECONDS)

    def _heard(self, word: object, number: int, job: Job, losses: Counter[int]) -> Event | None:
        """Do what a word of a task asks for, and return what of it the run is to hear."""
        match word:
            case parcels.Kept():
                parcels.keep(job, word.files)
                losses[number] = 0
                if self.storage is not None and (uri := word.files.get(layout.AWAY.as_posix())):
                    self.tidying.submit(self.storage.prune, uri.decode())
            case parcels.Whole():
                parcels.finish(job, word.folders)
                if self.storage is not None:
                    for folder in job.folders.values():
                        self.tidying.submit(self.storage.clear, folder)
                return Over(number, None)  # a worker that dies from here on takes nothing with it
            case ray_task.Declined():
                self.nodes.bar(word.node, word.why, word.seconds)
                return self._lost(number, word.why, losses)
            case Begun() | At() | Over():
                return word._replace(job=number)
        return None

    def _lost(self, number: int, why: str, losses: Counter[int]) -> Event:
        losses[number] += 1
        if losses[number] <= MOST_LOSSES:
            return Lost(number, why)
        return Over(number, Failure(f"{why}, {losses[number]} times with no checkpoint between"))

    def _submitted(self, job: Job, setting: Setting, placed: Placed) -> ObjectRefGenerator:
        sent = self.every, self.most, self.storage
        parcel = parcels.Parcel(job, setting, parcels.packed(job), parcels.earlier(job), parcels.versions(), *sent)
        task: Any = ray.remote(num_returns="streaming", max_retries=0)(ray_task.work)
        brought = [self._sent(job, setting)] if self.travels else []
        return task.options(**placed.options).remote(parcel, *brought)

    def _sent(self, job: Job, setting: Setting) -> ObjectRef:
        """Return the data set of a job in the object store, which it is put into once."""
        key = job.cell.dataset, job.cell.size
        if key not in self.datasets:
            dataset = replace(setting, dataset=None).data(job.cell)
            if not holds(dataset.train.images.nbytes):
                raise ValueError(
                    f"{dataset.name}: memory does not hold it, so it is not sent to nodes; "
                    "have it on each at the same place, and say --data-dir"
                )
            try:
                self.datasets[key] = ray.put(dataset.each(lambda split, name: parcels.compact(split)))
            except RayError as error:
                hint = "have it on each node, and say --data-dir"
                raise ValueError(
                    f"{dataset.name}: Ray's object store does not take it ({named(error)}); {hint}"
                ) from error
        return self.datasets[key]


def _silence() -> None:
    """Have Ray print nothing of what its own processes say of workers that die: the run says it in a line."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda data, ignore_prefix: None


def _ready(tasks: list[ObjectRefGenerator]) -> list[ObjectRefGenerator]:
    """Return the tasks that have something to say, all of them as soon as there is one; none after a while."""
    if not tasks or not ray.wait(tasks, num_returns=1, timeout=POLL_SECONDS)[0]:
        return []
    return ray.wait(tasks, num_returns=len(tasks), timeout=0)[0]


def _await(tasks: list[ObjectRefGenerator]) -> None:
    """Give tasks whose work is done a moment to remove their folders."""
    if tasks and ray.is_initialized():
        with contextlib.suppress(RayError):
            ray.wait([task.completed() for task in tasks], num_returns=len(tasks), timeout=END_SECONDS)


def _cancel(tasks: list[ObjectRefGenerator]) -> None:
    """End tasks, first by asking, so that their folders are removed, then by ending their processes."""
    if not tasks or not ray.is_initialized():
        return
    for force, seconds in ((False, END_SECONDS), (True, 1.0)):
        for task in tasks:
            with contextlib.suppress(RayError, ValueError):
                ray.cancel(task, force=force)
        ended = [task.completed() for task in tasks]
        left = ray.wait(ended, num_returns=len(ended), timeout=seconds)[1]
        tasks = [task for task, end in zip(tasks, ended, strict=True) if end in left]
        if not tasks:
            return
