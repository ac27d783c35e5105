"""What runs on a node of a Ray cluster: a cell in a process of its own, its checkpoints and folders sent back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray

from genbench.errors import reason
from genbench.records import layout
from genbench.records.stamp import processor
from genbench.runs.config import ANCHORS, Company
from genbench.runs.engine import At, Begun, Event, Failure, Over
from genbench.runs.here import Here
from genbench.runs.parcels import Kept, Parcel, Whole, hostname, other_versions, read, unpacked, versions

if TYPE_CHECKING:
    from genbench.data import Dataset

SAY_SECONDS = 0.5  # between two words of progress
SHARE = 20  # a checkpoint is sent when this many times the seconds that the last one took have passed
MOST_BYTES = 2**30  # of what is sent to go on from; more stays where it is, and a lost cell begins again


def probed() -> tuple[dict[str, str | None], str]:
    """Return the versions of a node, and its processor's name."""
    return versions(), processor()


def room(node: dict[str, Any], threads: int, device: str) -> int:
    """Return how many cells a node of :func:`ray.nodes` has room for at once."""
    has = node["Resources"]
    cores = int(has.get("CPU", 0)) // threads
    return min(cores, int(has.get("GPU", 0))) if device == "cuda" else cores


def work(parcel: Parcel, dataset: Dataset | None = None) -> Iterator[Event | Kept | Whole]:
    """Carry out the job of a parcel, number 0, in a folder of its own; yield how it goes and what comes of it.

    The last word is :class:`genbench.runs.engine.Over`; before it come the whole folders, or what there is of them.
    """
    yield Begun(0)
    if (said := other_versions(versions(), parcel.versions, hostname())) is not None:
        yield Over(0, Failure(said))
        return
    try:
        with unpacked(parcel) as job:
            setting = replace(parcel.setting, dataset=dataset, company=_company(parcel), logged=True)
            checkpoints = Checkpoints(job.unfinished, parcel.every) if job.cell.recipe != ANCHORS else None
            failure: Failure | None = None
            stage, told = "", 0.0
            with Here() as here, closing(here.carry_out({0: job}, setting)) as events:
                for event in events:
                    if isinstance(event, Over):
                        failure = event.failure
                    elif isinstance(event, At) and (event.stage != stage or time.monotonic() - told > SAY_SECONDS):
                        stage, told = event.stage, time.monotonic()
                        yield event
                    if checkpoints is not None and checkpoints.due():
                        yield from checkpoints.sent()
            if failure is None:
                yield Whole({name: read(folder) for name, folder in job.folders.items()})
            elif checkpoints is not None and job.trains:
                yield from checkpoints.sent()
    except OSError as error:
        failure = Failure(reason(error))
    if failure is not None and failure.disk:  # this node's, not the run's: others have room
        failure = Failure(f"{failure.why} (on node {hostname()})", failure.trace)
    yield Over(0, failure)


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

    Args:
        folder: the unfinished folder.
        every: the least seconds between two.
    """

    def __init__(self, folder: Path, every: float) -> None:
        self.folder = folder
        self.every = every
        self.seen = self._written()
        self.next = 0.0

    def _written(self) -> int:
        path = self.folder / layout.TRAINING
        return path.stat().st_mtime_ns if path.is_file() else 0

    def due(self) -> bool:
        """Return whether there is a new one, and time to send it."""
        return time.monotonic() >= self.next and self._written() != self.seen

    def sent(self) -> Iterator[Kept]:
        """Yield what there is of the folder, unless it is too much."""
        began = time.monotonic()
        self.seen = self._written()
        if 0 < sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()) <= MOST_BYTES:
            yield Kept(read(self.folder))
        took = time.monotonic() - began
        self.next = began + max(self.every, SHARE * took)
