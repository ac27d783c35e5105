"""Files and folders: written whole or not at all, locked, told by their digests; and where the cache is."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from genbench.errors import printable

if TYPE_CHECKING:
    from torch import Tensor

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has none
LOCK = ".lock"  # in a folder that a process is at work in; left there by one that was killed, it is free


def held(folder: Path) -> bool:
    """Return whether a process holds the lock of ``folder``: see :func:`locked`."""
    if not _own(folder / LOCK):
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
        ValueError: where another process holds the lock, with its number; for a folder that cannot be written; or for a
            lock that is a link, or another file's second name: what stands in the folder is not written through.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    held = folder / LOCK
    lock = FileLock(held)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(held) and not _own(held):
            raise ValueError(f"{held}: is no file of its own, but a link or the like; remove it")
        lock.acquire(timeout=0)
    except Timeout as error:
        other = held.read_text().strip() or "another process"
        said = f"process {printable(other)[:20]} runs in it; wait, or give another folder"
        raise ValueError(f"--out {folder}: {said}") from error
    except OSError as error:
        raise ValueError(f"--out {folder}: cannot be written ({error.strerror}); give another folder") from error
    try:
        with open(held, "w", opener=lambda path, flags: os.open(path, flags | NOFOLLOW)) as file:
            file.write(str(os.getpid()))
        yield
    finally:
        if [entry.name for entry in folder.iterdir()] == [LOCK]:  # refused: leave nothing
            held.unlink()
            with suppress(OSError):  # something else stands in one of them by now, and it stays
                for path in new:
                    path.rmdir()
        lock.release()


def _own(path: Path) -> bool:
    """Return whether a path is that of a regular file, by no link, and the only one of it."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def check_regular(path: Path) -> None:
    """Refuse (``ValueError``) what is no file that can be read to its end: a folder, a device, a pipe, or nothing."""
    try:
        kind = path.stat().st_mode
    except FileNotFoundError as error:
        raise ValueError(f"{path}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not stat.S_ISREG(kind):
        raise ValueError(f"{path}: is no regular file; give one")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` that replaces it when the block ends well, and is removed when it does not.

    Nobody can have put a link there: nobody knew its name, and there was nothing. A link at ``path`` itself is
    replaced, not written through.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW, 0o666))  # less what the umask takes
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
    remove(old)
    if os.path.lexists(folder):
        folder.rename(old)
    unfinished.rename(folder)
    remove(old)


def linked(folder: Path) -> bool:
    """Return whether a folder is a link or has one in it, through which what is written there would go elsewhere."""
    return folder.is_symlink() or any(path.is_symlink() for path in folder.rglob("*"))


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, or the link that stands in its place; what it leads to stays."""
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


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
        total.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as ``sha256sum`` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
