"""What runs on a node of a Ray cluster: a cell in a process of its own, its checkpoints and folders sent back."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import ray

from genbench.errors import disk_full, reason
from genbench.records import layout
from genbench.records.stamp import processor
from genbench.runs.config import ANCHORS, Cell, Company, Setting
from genbench.runs.engine import At, Begun, Event, Failure, Over
from genbench.runs.here import Here
from genbench.runs.parcels import Files, Kept, Parcel, Whole, hostname, other_versions, read, size, unpacked, versions
from genbench.runs.storage import Storage, Unreachable

if TYPE_CHECKING:
    from genbench.data import Dataset

SAY_SECONDS = 0.5  # between two words of progress
RETRY_SECONDS = 60.0  # for a storage that cannot be read
REST_SECONDS = 300.0  # for a node whose disk is full
SHARE = 20  # a checkpoint is sent when this many times the seconds that the last one took have passed


class Answer(NamedTuple):
    """What a node says before it is used: its versions, its processor's name, and in a line what it lacks."""

    versions: dict[str, str | None]
    processor: str
    lacks: str


class Declined(NamedTuple):
    """A node cannot carry a job out, for no fault of the job; others had better not come for ``seconds``."""

    node: str
    why: str
    seconds: float


def probed(storage: Storage | None, word: str, setting: Setting | None = None, cells: Sequence[Cell] = ()) -> Answer:
    """Say what this node has.

    Args:
        storage: the storage that it must reach, if any.
        word: where the word is that it must read there.
        setting: the setting of the run, if data sets do not travel.
        cells: a cell of each data set that it must have.
    """
    lacks = ""
    try:
        if storage is not None:
            storage.check(word)
        if setting is not None:
            _check_data(setting, cells)
    except (ValueError, OSError) as error:
        lacks = reason(error)
    return Answer(versions(), processor(), lacks)


def _check_data(setting: Setting, cells: Sequence[Cell]) -> None:
    from genbench import data

    for cell in cells:
        found = data.load(cell.dataset, root=setting.root, size=cell.size, alpha=cell.alpha)
        if dict(found.hashes) != cell.data:
            raise ValueError(f"{cell.dataset} is another one here than on the machine of the run")


def room(node: dict[str, Any], threads: int, device: str) -> int:
    """Return how many cells a node of :func:`ray.nodes` has room for at once."""
    has = node["Resources"]
    cores = int(has.get("CPU", 0)) // threads
    return min(cores, int(has.get("GPU", 0))) if device == "cuda" else cores


def work(parcel: Parcel, dataset: Dataset | None = None) -> Iterator[Event | Kept | Whole | Declined]:
    """Carry out the job of a parcel, number 0, in a folder of its own; yield how it goes and what comes of it.

    The last word is the whole folders; or what there is of them and :class:`genbench.runs.engine.Over`, where the job
    failed; or :class:`Declined`, where the node is at fault.
    """
    yield Begun(0)
    node = ray.get_runtime_context().get_node_id()
    if (said := other_versions(versions(), parcel.versions, hostname())) is not None:
        yield Declined(node, said, math.inf)
        return
    try:
        failure = yield from _carried_out(parcel, dataset)
    except Unreachable as error:
        yield Declined(node, f"node {hostname()}: {reason(error)}", RETRY_SECONDS)
        return
    except OSError as error:
        failure = Failure(reason(error), disk=disk_full(error))
    if failure is not None and failure.disk:  # this node's, not the run's: others have room
        yield Declined(node, f"node {hostname()}: {failure.why}", REST_SECONDS)
        return
    if failure is not None:
        yield Over(0, failure)


def _carried_out(parcel: Parcel, dataset: Dataset | None) -> Generator[Event | Kept | Whole, None, Failure | None]:
    with unpacked(parcel) as job:
        setting = replace(parcel.setting, dataset=dataset, company=_company(parcel), logged=True)
        checkpoints = Checkpoints(job.unfinished, parcel) if job.cell.recipe != ANCHORS else None
        failure: Failure | None = None
        stage, told = "", 0.0
        with Here() as here, closing(here.carry_out({0: job}, setting)) as events:
            for event in events:
                if isinstance(event, Over):
                    failure = event.failure
                elif isinstance(event, At) and (event.stage != stage or time.monotonic() - told > SAY_SECONDS):
                    stage, told = event.stage, time.monotonic()
                    yield event
                if checkpoints is not None and not isinstance(event, Over):
                    yield from checkpoints.due()
        if failure is None:
            yield Whole({name: read(folder) for name, folder in job.folders.items()})
        elif checkpoints is not None and job.trains:
            yield from checkpoints.last()
        return failure


def _company(parcel: Parcel) -> Company | None:
    """Return the company that a job has on this machine, however many nodes of Ray there are on it."""
    device, cores = parcel.job.cell.device, parcel.setting.threads or 1
    here = ray.get_runtime_context().get_node_id()
    nodes = [node for node in ray.nodes() if node["Alive"]]
    name = next((node["NodeManagerHostname"] for node in nodes if node["NodeID"] == here), None)
    jobs = sum(room(node, cores, device) for node in nodes if node["NodeManagerHostname"] == name)
    return Company(jobs, cores) if jobs > 1 else None


class Checkpoints:
    """What there is of a cell, each time its training has been written and neither the last was sent just now.

    A training that is too much to be sent is written to the storage beside the cell's own work.

    Args:
        folder: the unfinished folder.
        parcel: the parcel that the cell came in, which says how often, how much, and where more than that goes.
    """

    def __init__(self, folder: Path, parcel: Parcel) -> None:
        self.folder = folder
        self.parcel = parcel
        self.seen = self._written()
        self.next = 0.0
        self.uploads = ThreadPoolExecutor(1)
        self.upload: Future[tuple[str, float]] | None = None

    def _written(self) -> int:
        with suppress(FileNotFoundError):
            return (self.folder / layout.TRAINING).stat().st_mtime_ns
        return 0

    def due(self) -> Iterator[Kept]:
        """Yield what there is of the folder if there is something new, and time to send it, and the last has gone."""
        if self.upload is not None:
            if self.upload.done():
                yield from self._stored()
        elif time.monotonic() >= self.next and self._written() != self.seen:
            yield from self._sent()

    def last(self) -> Iterator[Kept]:
        """Yield what is on its way, and what there is of a cell that failed, for the next run."""
        yield from self._stored()
        yield from self._sent()
        yield from self._stored()

    def _sent(self) -> Iterator[Kept]:
        began = time.monotonic()
        self.seen = self._written()
        if 0 < size(self.folder) <= self.parcel.most:
            yield from self._kept(None, {})
        elif self.parcel.storage is not None and self.seen:
            self.upload = self.uploads.submit(_put, self.parcel.storage, self.folder)
            return
        self._rest(time.monotonic() - began)

    def _stored(self) -> Iterator[Kept]:
        """Yield what there is beside a training that is in the storage now, or write in the cell's log why it is not.

        The history is read behind it and may be ahead of it, as after a kill.
        """
        if self.upload is None:
            return
        took = 0.0
        try:
            uri, took = self.upload.result()
        except Exception as error:  # each kind of storage has errors of its own, and the next checkpoint may get by
            with suppress(OSError), (self.folder / layout.LOG).open("a") as log:
                log.write(f"a checkpoint could not be stored ({reason(error)})\n")
        else:
            yield from self._kept(layout.TRAINING, {layout.AWAY.as_posix(): uri.encode()})
        self.upload = None
        self._rest(took)

    def _kept(self, without: Path | None, more: Files) -> Iterator[Kept]:
        """Yield the folder's files, and some more; nothing where the cell is whole meanwhile and its folder moved."""
        files: Files = {}
        with suppress(FileNotFoundError):
            files = read(self.folder, without)
        if files:
            yield Kept(files | more)

    def _rest(self, took: float) -> None:
        self.next = time.monotonic() - took + max(self.parcel.every, SHARE * took)


def _put(storage: Storage, folder: Path) -> tuple[str, float]:
    """Write a training to the storage; return where it is, and how long that took."""
    began = time.monotonic()
    return storage.put(folder), time.monotonic() - began
