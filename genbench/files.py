"""Files and folders: written whole or not at all, locked, told by their digests; and where the cache is."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from torch import Tensor

LOCK = ".lock"  # in a folder that a process is at work in; left there by one that was killed, it is free


def held(folder: Path) -> bool:
    """Return whether a process holds the lock of ``folder``: see :func:`locked`."""
    if not (folder / LOCK).is_file():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder``, which the system lets go of however the process ends.

    A folder that was made for the lock, and into which nothing was written, is removed in the end.

    Raises:
        ValueError: where another process holds the lock, with its number; or for a folder that cannot be written.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    held = folder / LOCK
    lock = FileLock(held)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        other = held.read_text().strip() or "another process"
        raise ValueError(f"--out {folder}: process {other} runs in it; wait, or give another folder") from error
    except OSError as error:
        raise ValueError(f"--out {folder}: cannot be written ({error.strerror}); give another folder") from error
    try:
        held.write_text(str(os.getpid()))
        yield
    finally:
        if [entry.name for entry in folder.iterdir()] == [LOCK]:  # refused: leave nothing
            held.unlink()
            with suppress(OSError):  # something else stands in one of them by now, and it stays
                for path in new:
                    path.rmdir()
        lock.release()


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` that replaces it when the block ends well, and is removed when it does not."""
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


def unfinished_of(folder: Path) -> Path:
    """Return the path at which ``folder`` is made, until it is whole."""
    return folder.with_name(folder.name + ".part")


def settle(unfinished: Path, folder: Path) -> None:
    """Put ``unfinished``, now whole, in the place of ``folder``; what was there goes only once the new one stands."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    unfinished.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def restore(folder: Path) -> None:
    """Bring back what a run killed in the middle of :func:`settle` had put aside."""
    old = folder.with_name(f".{folder.name}.old")
    if old.exists() and not folder.exists():
        old.rename(folder)


def cache_dir() -> Path:
    """Return ``GENBENCH_CACHE``, else ``genbench`` in ``XDG_CACHE_HOME`` or ``~/.cache``; it need not exist."""
    named = os.environ.get("GENBENCH_CACHE")
    if named:
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genbench"
    except RuntimeError:  # a container's user without a home: no reason not to load data
        return Path(tempfile.gettempdir()) / f"genbench-{os.getuid()}"


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes, in the order of the names: 64 hexadecimal digits."""
    import torch

    total = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        total.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        total.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as ``sha256sum`` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
