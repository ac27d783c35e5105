"""Files and folders that appear whole or not at all, and folders that one run has to itself."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What a full disk says: a limit on the size of a file stops a write in the same way.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_WORDS = ("No space left on device", "Disk quota exceeded", "File too large", "file write failed")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system lets go of however the process ends.

    Raises:
        ValueError: where another process holds it, with its number; or for a folder that cannot be written.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("a+")
    except OSError as error:
        raise ValueError(f"--out {folder}: cannot be written ({error.strerror}); give another folder") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            other = file.read().strip() or "another process"
            raise ValueError(f"--out {folder}: process {other} runs in it; wait, or give another folder") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            if [entry.name for entry in folder.iterdir()] == [".lock"]:  # refused: leave nothing
                (folder / ".lock").unlink()
                for path in new:
                    path.rmdir()


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that replaces it when the block ends well, and is removed when it does not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def part_of(folder: Path) -> Path:
    """Where a folder is made before it is whole."""
    return folder.with_name(folder.name + ".part")


def settle(part: Path, folder: Path) -> None:
    """Put a whole ``part`` in the place of ``folder``; what was there goes only once the new one stands."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def restore(folder: Path) -> None:
    """Bring back what a run killed in the middle of :func:`settle` had put aside."""
    old = folder.with_name(f".{folder.name}.old")
    if old.exists() and not folder.exists():
        old.rename(folder)


def disk_full(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, is that of a full disk. torch and safetensors say it in words only."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if any(words in str(error) for words in FULL_WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False


def reason(error: BaseException) -> str:
    """An error in one line, however many it has."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = "" if isinstance(error, ValueError) and lines else f"{type(error).__name__}: "
    return (name + (lines[0] if lines else "")).removesuffix(": ")[:300]
