"""Cells on their way between machines that share no file system: folders as bytes, and what a node works on."""

from __future__ import annotations

import hashlib
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from genbench.files import settle, unfinished_of, written_whole
from genbench.records import layout, stamp
from genbench.runs.config import Setting
from genbench.runs.plan import Job
from genbench.runs.storage import DEPTH, Storage, fetch
from genbench.runs.sweep import swept, tidy
from genbench.runs.unfinished import has_training
from genbench.runs.worker import at_work
from genbench.spec import Split

Files = dict[str, bytes]  # a folder: contents by path below it
PREFIX = "genbench-cell-"
AS_IT_IS = ("measure", "time")  # jobs whose training is over


@dataclass(frozen=True)
class Parcel:
    """What a node needs to carry out a job.

    Args:
        job: the job, with its folders as they are on the machine of the run.
        setting: its setting; a data set that travels comes beside.
        files: what there is of each of the job's folders so far.
        earlier: the record of each of its folders that is whole, where a job trains it on.
        versions: the versions that the node must have.
        every: the least seconds between two checkpoints that are sent back.
        most: the bytes of what is sent to go on from, at most.
        storage: where trainings go that are more, if anywhere; else they stay, and a lost cell begins again.
    """

    job: Job
    setting: Setting
    files: Mapping[str, Files]
    earlier: Mapping[str, bytes]
    versions: Mapping[str, str | None]
    every: float
    most: int
    storage: Storage | None = None


class Kept(NamedTuple):
    """An unfinished folder on its way back, so that another node can go on from it."""

    files: Files


class Whole(NamedTuple):
    """The finished folders of a job on their way back, by name."""

    folders: Mapping[str, Files]


def read(folder: Path, without: Path | None = None) -> Files:
    """Return the files of a folder, but for locks, what is being written, and one ``without`` which it does.

    The training comes first: a history that is read behind it may be ahead of it, as after a kill, and lacks no rows.
    """
    paths = sorted(_paths(folder), key=lambda path: path.relative_to(folder) != layout.TRAINING)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.relative_to(folder) != without
    }


def size(folder: Path) -> int:
    """Return the bytes of a folder's files, but for those that are being written."""
    found = 0
    for path in _paths(folder):
        with suppress(FileNotFoundError):
            found += path.stat().st_size
    return found


def _paths(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]


def write(folder: Path, files: Files) -> None:
    """Write files into a folder, each whole, the training last for the same reason."""
    for name in sorted(files, key=lambda name: name == layout.TRAINING.as_posix()):
        with written_whole(folder / name) as part:
            part.write_bytes(files[name])


def compact(split: Split) -> Split:
    """Return a split with tensors of their own: one that is part of another's memory would travel with all of it."""

    def own(values: Tensor) -> Tensor:
        return values if values.untyped_storage().nbytes() == values.nbytes else values.clone()

    labels = None if split.labels is None else own(split.labels)
    sources = None if split.sources is None else own(split.sources)
    fields = {name: own(values) for name, values in split.fields.items()}
    return replace(split, images=own(split.images), labels=labels, sources=sources, fields=fields)


def packed(job: Job) -> dict[str, Files]:
    """Return what there is of a job's folders: the finished model to measure, else the work to go on with.

    A job that is trained on begins with what is finished; one that is measured does not need the state of its training.
    """
    if job.how in AS_IT_IS:
        return {name: read(folder, layout.TRAINING) for name, folder in job.folders.items()}
    if job.how == "on" and not has_training(job.unfinished):
        return {name: read(folder) for name, folder in job.folders.items()}
    return {name: read(unfinished_of(folder)) for name, folder in job.folders.items()}


def earlier(job: Job) -> dict[str, bytes]:
    """Return the records of what a job trains on: a training that is lost or diverges leaves them as they are."""
    if job.how not in ("on", "resume"):
        return {}
    records = {name: folder / layout.RECORD for name, folder in job.folders.items()}
    return {name: path.read_bytes() for name, path in records.items() if path.is_file()}


def keep(job: Job, files: Files) -> None:
    """Write what came back of an unfinished job, under its lock. Its training is here, or in a storage: not in both."""
    job.unfinished.mkdir(parents=True, exist_ok=True)
    with at_work(job.unfinished):
        write(job.unfinished, files)
        for one, other in ((layout.TRAINING, layout.AWAY), (layout.AWAY, layout.TRAINING)):
            if one.as_posix() in files:
                (job.unfinished / other).unlink(missing_ok=True)


def finish(job: Job, folders: Mapping[str, Files]) -> None:
    """Make the folders of a job whole, under their locks: cut off before that, there is still what was kept."""
    for name, files in folders.items():
        unfinished = unfinished_of(job.folders[name])
        unfinished.mkdir(parents=True, exist_ok=True)
        with at_work(unfinished):
            for path in _paths(unfinished):  # of what was kept on the way
                if path.relative_to(unfinished).as_posix() not in files:
                    path.unlink()
            write(unfinished, files)
            training = job.folders[name] / layout.TRAINING
            if job.how in AS_IT_IS and training.is_file():  # which did not travel
                shutil.copyfile(training, unfinished / layout.TRAINING)
            settle(unfinished, job.folders[name])
            tidy(job.folders[name])


@contextmanager
def unpacked(parcel: Parcel) -> Iterator[Job]:
    """Yield the job of a parcel in a folder of this machine alone, which is removed in the end.

    What nodes that died have left in folders of this kind is removed before.
    """
    above = Path(tempfile.gettempdir())
    swept(above.glob(f"{PREFIX}*"))
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=above, ignore_cleanup_errors=True) as made, at_work(Path(made)):
        folders = {name: Path(made, *folder.parts[-DEPTH:]) for name, folder in parcel.job.folders.items()}
        job = replace(parcel.job, folders=folders)
        for name, files in parcel.files.items():
            write(folders[name] if layout.RECORD in files else unfinished_of(folders[name]), files)
        for name, record in parcel.earlier.items():
            write(folders[name], {layout.RECORD: record})
        for folder in folders.values():
            fetch(unfinished_of(folder))
        if job.how == "on" and has_training(job.unfinished):
            job = replace(job, how="resume")
        yield job


@cache
def versions() -> dict[str, str | None]:
    """Return what must be the same on all nodes, or a cell would not go on bit for bit: genbench, Python and torch.

    ``code`` is the beginning of the SHA-256 of all files of genbench's own code, for a checkout.
    """
    code = hashlib.sha256()
    for package in ("genbench", "families"):
        root = Path(__file__).parents[2] / package
        for path in sorted(root.rglob("*.py")):
            code.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return {**stamp.versions(("torch",)), "code": code.hexdigest()[:8]}


def other_versions(theirs: Mapping[str, str | None], ours: Mapping[str, str | None], node: str) -> str | None:
    """Return in a line what a node has in another version; None where it has all the same."""
    differ = [name for name in ours if theirs.get(name) != ours[name]]
    if not differ:
        return None
    said = ", ".join(f"{name} {theirs.get(name)} for {ours[name]} here" for name in differ)
    return f"node {node} has {said}; install the same on every node"


def hostname() -> str:
    """Return the name of this machine."""
    return platform.node()
