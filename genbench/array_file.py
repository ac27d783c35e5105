"""Files of arrays, read in one place: ``.npy``, ``.npz`` and IDX, by whatever hand.

A header is believed as far as the file bears it out: what it declares must be what is there, byte for byte, and fit in
memory, before any of it is reserved. Nothing is unpickled. Arrays come in C order and the machine's own byte order.
"""

from __future__ import annotations

import gzip
import math
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from genbench.errors import printable, short
from genbench.files import check_regular
from genbench.memory import check_fits

NUMBERS = "buifcSU"  # kinds of types without a pointer in them; of texts, what reads them says that it wants numbers
DEFLATED = 1032  # times as long as its bytes in an archive: no deflated stream comes to more
HEADER = 4096  # characters of an array's header, of which numpy writes 128
CHUNK = 2**20
SAID = "not an .npz file of plain arrays, or damaged"
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
IDX_BYTES = b"\0\0\x08"  # and the number of dimensions: how an IDX file of unsigned bytes begins


class _RefusedError(ValueError):
    """What is wrong with an array; path and member are put in front."""


@dataclass(frozen=True)
class Head:
    """What an array is: its shape, the type of its numbers, and whether its first axis runs fastest in the file."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool

    @property
    def bytes(self) -> int:
        """The bytes that it takes."""
        return math.prod(self.shape) * self.dtype.itemsize


def npy(path: Path) -> np.ndarray:
    """Return the array of an ``.npy`` file.

    Raises:
        ValueError: with the path, for a file that is missing, unreadable, damaged, or of other things than numbers.
    """
    with _reading(path, "not an .npy file of plain arrays, or damaged"), path.open("rb") as file:
        return _array(file, path.stat().st_size, str(path))


def npz(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the arrays of an ``.npz`` file whose names are ``wanted``, and the names of all others.

    Raises:
        ValueError: with the path and the array's name, where :func:`npy` raises it.
    """
    arrays: dict[str, np.ndarray] = {}
    others: list[str] = []
    with _members(path) as (archive, members):
        for name, entry in members.items():
            if not wanted(name):
                others.append(name)
                continue
            with _member(path, archive, entry) as member:
                arrays[name] = _array(member, entry.file_size, f"{path}: {name}")
    return arrays, others


def heads(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> tuple[dict[str, Head], list[str]]:
    """Return what the arrays of an ``.npz`` file are whose names are ``wanted``, and the names of all others.

    Raises:
        ValueError: where :func:`npz` raises it.
    """
    found: dict[str, Head] = {}
    with _members(path) as (archive, members):
        for name, entry in members.items():
            if not wanted(name):
                continue
            with _member(path, archive, entry) as member:
                found[name] = _head(member, entry.file_size)
    return found, [name for name in members if name not in found]


def rows(path: Path, name: str) -> Iterator[np.ndarray]:
    """Yield the rows of an array of an ``.npz`` file, some at once, in order and in C order: no more is in memory.

    Raises:
        ValueError: where :func:`npz` raises it, and for an array in Fortran order, whose rows lie all over it.
    """
    with _members(path) as (archive, members), _member(path, archive, members[name]) as member:
        head = _head(member, members[name].file_size)
        if head.fortran and len(head.shape) > 1:
            raise ValueError(f"{path}: array {name!r} is larger than memory and in Fortran order; save it in C order")
        each = max(1, CHUNK // max(1, math.prod(head.shape[1:]) * head.dtype.itemsize))
        for start in range(0, head.shape[0], each):
            count = min(each, head.shape[0] - start)
            yield _filled(member, (count, *head.shape[1:]), head.dtype, f"{path}: {name}")


def idx(path: Path, dimensions: int) -> np.ndarray:
    """Return the unsigned bytes of an IDX file with so many dimensions, gzipped where its name ends in ``.gz``.

    Raises:
        ValueError: with the path, where :func:`npy` raises it, or for an IDX file of anything else.
    """
    zipped = path.suffix == ".gz"
    with _reading(path, "damaged; get it again"), (gzip.open if zipped else open)(path, "rb") as file:
        head = file.read(4 + 4 * dimensions)
        if len(head) < 4 + 4 * dimensions or head[:4] != IDX_BYTES + bytes([dimensions]):
            raise ValueError(f"{path}: not an IDX file of bytes in {dimensions} dimensions; get it again")
        shape = tuple(int.from_bytes(head[4 * i : 4 * i + 4], "big") for i in range(1, dimensions + 1))
        there = path.stat().st_size * (DEFLATED if zipped else 1) - len(head)
        expected = math.prod(shape)
        if expected == 0 or expected > there or (not zipped and expected < there):
            raise ValueError(f"{path}: {there} bytes for shape {shape}, cut short or damaged; get it again")
        array = _filled(file, shape, np.dtype(np.uint8), str(path))
        if file.read(1):
            raise ValueError(f"{path}: more bytes than shape {shape} has; get it again")
        return array


@contextmanager
def _members(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """Yield an archive, open, and the arrays in it by name."""
    with _reading(path, SAID), path.open("rb") as whole, zipfile.ZipFile(whole) as archive:
        members: dict[str, zipfile.ZipInfo] = {}
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if name in members:
                raise _RefusedError(f"it has two arrays {name!r}")
            members[name] = entry
        yield archive, members


@contextmanager
def _member(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """Yield an array of an archive, open, once its size is one that its bytes can have."""
    name = entry.filename.removesuffix(".npy")
    with _reading(path, f"{SAID}: array {name!r}"), archive.open(entry) as member:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _RefusedError("packed in a way that numpy does not write")
        packed = min(entry.compress_size, path.stat().st_size)
        if entry.file_size > packed * (DEFLATED if entry.compress_type else 1):
            raise _RefusedError(f"{packed} bytes in the archive cannot be {entry.file_size}")
        yield member


@contextmanager
def _reading(path: Path, said: str) -> Iterator[None]:
    """Turn whatever reading a file raises inside into one line with its path; ``said`` is what that mostly means."""
    check_regular(path)
    try:
        yield
    except _RefusedError as error:
        raise ValueError(f"{path}: {printable(said)}: {error}") from error
    except PermissionError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise ValueError(f"{path}: {printable(said)} ({short(error)})") from error
    except Exception as error:  # damaged archives and headers raise nearly anything
        raise ValueError(f"{path}: {printable(said)} ({short(error)})") from error


def _array(file: IO[bytes], size: int, name: str) -> np.ndarray:
    """Return the array in a stream of ``size`` bytes as numpy saves one."""
    head = _head(file, size)
    array = _filled(file, head.shape[::-1] if head.fortran else head.shape, head.dtype, name)
    return (array.T if head.fortran else array).astype(head.dtype.newbyteorder("="), order="C", copy=False)


def _head(file: IO[bytes], size: int) -> Head:
    """Return what a stream of ``size`` bytes says that it holds, which is as many bytes as there are."""
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:  # (3, 0) is for names of fields beyond Latin-1, which no array of numbers has
        raise _RefusedError(f"saved in a format of numpy's, {version}, that plain arrays do not have")
    shape, fortran, dtype = HEADERS[version](file, max_header_size=HEADER)
    if dtype.hasobject or dtype.kind not in NUMBERS or not dtype.itemsize:
        raise _RefusedError(f"an array of {dtype}; give numbers")
    there = size - file.tell()
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != there:
        raise _RefusedError(f"{there} bytes for shape {shape} of {dtype}: cut short or damaged")
    return Head(shape, dtype, fortran)


def _filled(file: IO[bytes] | gzip.GzipFile, shape: tuple[int, ...], dtype: np.dtype, name: str) -> np.ndarray:
    """Return the next values of a stream as an array in C order."""
    expected = math.prod(shape) * dtype.itemsize
    check_fits(f"{name}: an array of {expected} bytes", 2 * expected, "give a smaller one")
    array = np.empty(shape, dtype)
    flat = array.reshape(-1).view(np.uint8) if expected else array
    begin = 0
    while begin < expected:
        got = file.read(min(expected - begin, CHUNK))
        if not got:
            raise _RefusedError(f"{expected - begin} of {expected} bytes are missing: cut short or damaged")
        flat[begin : begin + len(got)] = np.frombuffer(got, np.uint8)
        begin += len(got)
    return array
