"""Trainings that are too large to come back with their cells: in a storage that every machine reaches, by fsspec.

Among the files of such a cell there is then, in the place of its training, one that says where it lies. Whoever goes on
with the cell fetches it from there; when the cell is whole, the storage has nothing of it any more.
"""

from __future__ import annotations

import re
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import fsspec

from genbench.errors import disk_full, reason
from genbench.files import unfinished_of, written_whole
from genbench.records import layout

DEPTH = 4  # cells/DATASET/LABEL/seed-N
OF_RUN = re.compile(r".+-[0-9a-f]{8}")
NAME = re.compile(r"\d{8}-[0-9a-f]{8}")  # of a training: its number, and what tells two of one number apart
LOCAL = ("file", "local")  # protocols of a folder
ONE_PROCESS = "memory"
WORD = "genbench"


class Unreachable(ValueError):
    """A training in a storage cannot be read just now."""


@dataclass(frozen=True)
class Storage:
    """The part of a storage that belongs to one run.

    Args:
        uri: where it is: ``s3://bucket/folder``, or a folder that all machines see.
        out: the folder of the run, on its own machine.
    """

    uri: str
    out: Path

    @classmethod
    def of_run(cls, uri: str, out: Path) -> Storage:
        """Return the part that belongs to the run in the folder ``out``, by a name that the folder keeps.

        A copy of the folder, which has the name too, is another run and gets another.

        Raises:
            ValueError: for a storage that only one process sees.
        """
        protocol, split, path = uri.rpartition("://")
        if protocol == ONE_PROCESS:
            raise ValueError(
                f"--storage {uri}: no other process sees it; give s3://… or a folder that all machines see"
            )
        if not split or protocol in LOCAL:
            uri = str(Path(path).expanduser().absolute())
        name = f"{out.resolve().name}-{uuid.uuid4().hex[:8]}"
        if (out / layout.STORAGE).is_file():
            kept, *where = (out / layout.STORAGE).read_text(encoding="utf-8").splitlines() or [""]
            name = kept if OF_RUN.fullmatch(kept) and where == [str(out.resolve())] else name
        return cls(f"{uri.rstrip('/')}/{name}", out)

    def claim(self) -> None:
        """Have the run's folder keep the name, and remove what is there of no use any more.

        That is all words, and trainings of cells that are whole or that the run does not have. The process must hold
        the folder by :func:`genbench.files.locked`.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        with written_whole(self.out / layout.STORAGE) as part:
            part.write_text(f"{self.uri.rpartition('/')[2]}\n{self.out.resolve()}\n", encoding="utf-8")
        with suppress(Exception):  # each kind of storage has errors of its own
            system, root = _open(self.uri)
            for place in {path.rpartition("/")[0] for path in system.find(root)}:
                folder = self.out.joinpath(*place.split("/")[-DEPTH:])
                if not (unfinished_of(folder) / layout.AWAY).is_file():
                    system.rm(place, recursive=True)

    def leave(self) -> str:
        """Write a word, as trainings are written, and return where it is: whoever is to use the storage must read it.

        Raises:
            ValueError: in one line, where that cannot be done.
        """
        try:
            with TemporaryDirectory() as folder:
                word = Path(folder, WORD)
                word.write_text(WORD)
                return self._put(word, f"{self.uri}/words")
        except Exception as error:  # each kind of storage has errors of its own
            raise ValueError(f"--storage {self.uri}: cannot be written ({reason(error)})") from error

    def check(self, word: str) -> None:
        """Read a word that another machine has written.

        Raises:
            ValueError: in one line, where it is not there.
        """
        try:
            system, path = _open(word)
            said = system.cat_file(path).decode()
        except Exception as error:  # each kind of storage has errors of its own
            raise ValueError(f"--storage {self.uri}: cannot be read ({reason(error)})") from error
        if said != WORD:
            raise ValueError(f"--storage {self.uri}: another one than that of the run")

    def put(self, unfinished: Path) -> str:
        """Write the training of an unfinished folder under a new name, and say where it is."""
        return self._put(unfinished / layout.TRAINING, self._of(unfinished))

    def prune(self, uri: str) -> None:
        """Remove what is older than the training at ``uri``, which the run has heard of; what cannot be, stays."""
        root, _, name = uri.rpartition("/")
        with suppress(Exception):  # each kind of storage has errors of its own
            system, path = _open(root)
            for old in _names(system, path):
                if old < name:
                    system.rm_file(f"{path}/{old}")

    def clear(self, folder: Path) -> None:
        """Remove what is there of a cell; what cannot be removed stays, and does no harm."""
        with suppress(Exception):  # each kind of storage has errors of its own
            system, root = _open(self._of(folder))
            if system.exists(root):
                system.rm(root, recursive=True)

    def _put(self, file: Path, root: str) -> str:
        system, path = _open(root)
        system.makedirs(path, exist_ok=True)
        number = 1 + max((int(name.partition("-")[0]) for name in _names(system, path)), default=0)
        name = f"{number:08}-{uuid.uuid4().hex[:8]}"
        system.put_file(str(file), f"{path}/{name}")
        return f"{root}/{name}"

    def _of(self, folder: Path) -> str:
        return "/".join([self.uri, *(part.removesuffix(".part") for part in folder.parts[-DEPTH:])])


def check_there(unfinished: Path) -> None:
    """Refuse, in one line, an unfinished folder whose training is in a storage that does not have it.

    Raises:
        ValueError: where it is gone, or the storage cannot be reached.
    """
    away = unfinished / layout.AWAY
    uri = away.read_text().strip()
    try:
        system, path = _open(uri)
        there = system.exists(path)
    except Exception as error:  # each kind of storage has errors of its own
        raise ValueError(f"{away}: {uri} cannot be reached ({reason(error)}); give this machine access") from error
    if not there:
        raise ValueError(f"{away}: {uri} is gone; delete the file, and the cell begins again")


def fetch(unfinished: Path) -> None:
    """Bring the training of an unfinished folder back, where it lies in a storage.

    Raises:
        Unreachable: where it cannot be read.
        OSError: where this machine's disk is full.
    """
    away, here = unfinished / layout.AWAY, unfinished / layout.TRAINING
    if not away.is_file():
        return
    if here.is_file() and here.stat().st_mtime_ns >= away.stat().st_mtime_ns:  # it came back later, and was cut off
        away.unlink()
        return
    uri = away.read_text().strip()
    try:
        system, path = _open(uri)
        with written_whole(here) as part, system.open(path) as there, part.open("wb") as file:
            shutil.copyfileobj(there, file)
    except Exception as error:  # each kind of storage has errors of its own
        if disk_full(error):
            raise
        raise Unreachable(f"{uri}: cannot be read ({reason(error)})") from error
    away.unlink()


def _open(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    system, path = fsspec.core.url_to_fs(uri)
    system.invalidate_cache()  # other machines write there too
    return system, path.rstrip("/")


def _names(system: fsspec.AbstractFileSystem, root: str) -> list[str]:
    try:
        found = [path.rpartition("/")[2] for path in system.ls(root, detail=False)]
        return sorted(name for name in found if NAME.fullmatch(name))
    except FileNotFoundError:  # a folder of an object store is there when something is in it
        return []
