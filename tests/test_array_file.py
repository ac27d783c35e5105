"""The one reader of arrays: all that numpy saves is read; a header that lies is refused before it costs memory."""

import gzip
import io
import os
import random
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from genbench import array_file, memory
from tests.damage import assert_one_line, damaged

GIBIBYTE = 2**30


def npy_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def declared(shape, dtype="|u1", body=b""):
    """An .npy whose header says that, and whatever bytes behind it."""
    head = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() + body


def idx_bytes(shape, body):
    return bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape) + body


def zipped(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def refused(read, said):
    with pytest.raises(ValueError, match=said) as caught:
        read()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        np.asfortranarray(np.arange(24, dtype=np.int32).reshape(2, 3, 4)),
        np.arange(6, dtype=">i8").reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3)),
        np.array(3.5),
        np.zeros((0, 4), np.uint8),
        np.array([True, False]),
        np.array(["a", "bc"]),
    ],
)
def test_whatever_numpy_saved_is_read_in_c_order_and_the_machine_s_bytes(tmp_path, array):
    (tmp_path / "a.npy").write_bytes(npy_bytes(array))
    found = array_file.npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(found, array)
    assert found.shape == array.shape
    assert found.flags.c_contiguous
    assert found.flags.writeable
    assert found.dtype.isnative
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", one=array, two=array, three=array)
        arrays, others = array_file.npz(tmp_path / "a.npz", lambda name: name != "two")
        assert (list(arrays), others) == (["one", "three"], ["two"])
        np.testing.assert_array_equal(arrays["three"], array)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (declared((2**40,)), r"0 bytes for shape \(1099511627776,\) of uint8: cut short or damaged"),
        (declared((2**32, 2**32), body=b"0" * 9), r"9 bytes for shape"),
        (declared((2**62, 4, 0), "<f8"), "plain arrays, or damaged"),
        (declared((-1, -9), body=b"0" * 9), r"9 bytes for shape \(-1, -9\)"),
        (declared((3,), body=b"0000"), r"4 bytes for shape \(3,\)"),
        (declared((1,), "|O", body=b"0" * 8), "an array of object; give numbers"),
        (declared((2,), [("a", "<i4")], body=b"0" * 8), r"an array of \[.*\]; give numbers"),
        (declared((9,), "|S0"), r"an array of \|S0; give numbers"),
        (declared("9 * (1,)"), "plain arrays, or damaged"),
        (declared("(" * 2000), "plain arrays, or damaged"),
        (declared((1,))[:40], "plain arrays, or damaged"),
        (b"\x93NUMPY\3\0" + declared((1,))[8:], r"in a format of numpy's, \(3, 0\), that plain arrays"),
        (b"pictures", "plain arrays, or damaged"),
        (b"", "plain arrays, or damaged"),
    ],
)
def test_a_header_that_the_file_does_not_bear_out_is_refused_by_path_and_member(tmp_path, content, said):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    refused(lambda: array_file.npy(path), rf"^{path}: not an \.npy .*{said}")
    packed = zipped(tmp_path / "a.npz", [("images.npy", content)])
    refused(lambda: array_file.npz(packed), rf"^{packed}: not an \.npz .*array 'images'")


def test_members_that_are_no_arrays_are_said_by_name_unless_nobody_wants_them(tmp_path):
    path = zipped(tmp_path / "a.npz", [("images.npy", npy_bytes(np.zeros(3))), ("read.me", b"text")])
    assert array_file.npz(path, lambda name: name == "images")[1] == ["read.me"]
    refused(lambda: array_file.npz(path), r"array 'read\.me' \(")
    zipped(path, [("a.npy", npy_bytes(np.zeros(3))), ("a", b"")])
    refused(lambda: array_file.npz(path), r"it has two arrays 'a'")
    zipped(path, [("a.npy", npy_bytes(np.zeros(3)))], zipfile.ZIP_LZMA)
    refused(lambda: array_file.npz(path), "packed in a way that numpy does not write")
    zipped(path, [(chr(27) + "[31ma.npy", b"")])
    refused(lambda: array_file.npz(path), r"array '\\x1b\[31ma'")


def test_an_archive_that_declares_more_than_it_can_hold_reserves_nothing(tmp_path):
    size = 128 + GIBIBYTE
    path = zipped(tmp_path / "a.npz", [("a.npy", declared((GIBIBYTE,)))], zipfile.ZIP_STORED)
    whole = bytearray(path.read_bytes())
    for place, at in ((b"PK\3\4", 18), (b"PK\1\2", 20)):
        begin = whole.index(place) + at
        whole[begin : begin + 8] = struct.pack("<II", size, size)
    path.write_bytes(whole)
    tracemalloc.start()
    refused(lambda: array_file.npz(path), r"bytes in the archive cannot be 1073741952")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**21


def test_arrays_beyond_memory_are_refused_before_they_are_reserved(tmp_path, monkeypatch):
    (tmp_path / "a.npy").write_bytes(npy_bytes(np.zeros(1000, np.uint8)))
    monkeypatch.setattr(memory, "total", lambda: 1999)
    refused(lambda: array_file.npy(tmp_path / "a.npy"), r"a\.npy: an array of 1000 bytes would take about")
    monkeypatch.setattr(memory, "total", lambda: 2000)
    assert array_file.npy(tmp_path / "a.npy").nbytes == 1000


def test_what_is_no_regular_file_or_cannot_be_opened_is_refused_and_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "a.npz")
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    for name in ("a.npz", "zero.npz", "."):
        path = tmp_path / name
        refused(lambda path=path: array_file.npz(path), "is no regular file")
        refused(lambda path=path: array_file.idx(path, 3), "is no regular file")
    refused(lambda: array_file.npy(tmp_path / "none.npy"), "there is no such file")
    path = zipped(tmp_path / "b.npz", [])

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", denied)
    refused(lambda: array_file.npz(path), rf"^{path}: cannot be read \(Permission denied\)")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_shapes_are_multiplied_without_wrapping(tmp_path, suffix):
    """21398 · 289529 · 2977518503 = 2⁶⁴ + 10 is 10 in 64 bits, as many bytes as there are."""
    path = tmp_path / f"a{suffix}"

    def write(whole):
        path.write_bytes(gzip.compress(whole) if suffix else whole)

    for shape in ((21398, 289529, 2977518503), (1, 1, 11), (2, 0, 2)):
        write(idx_bytes(shape, b"0" * 10))
        refused(lambda: array_file.idx(path, 3), r"damaged.*get it again|cut short or damaged; get it again")
    write(idx_bytes((3,), b"abc"))
    assert bytes(array_file.idx(path, 1)) == b"abc"
    write(idx_bytes((3,), b"abcd"))
    refused(lambda: array_file.idx(path, 1), "more bytes than shape|bytes for shape")


@pytest.mark.parametrize("kind", ["npy", "npz", "packed", "idx", "idx.gz"])
def test_damage_anywhere_is_one_line_or_an_array(tmp_path, kind):
    """Bits flipped and ends cut off by a fixed seed: each file is read, or refused by its path in one line."""
    array = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
    file = io.BytesIO()
    if kind == "npy":
        np.save(file, array)
    elif kind.startswith("idx"):
        whole = idx_bytes(array.shape, array.tobytes())
        file.write(gzip.compress(whole, mtime=0) if kind == "idx.gz" else whole)
    else:
        (np.savez if kind == "npz" else np.savez_compressed)(file, images=array, labels=np.arange(5))
    path = tmp_path / f"a.{kind}"
    readers = {"npy": array_file.npy, "npz": array_file.npz, "packed": array_file.npz}
    read = readers.get(kind, lambda path: array_file.idx(path, 3))
    for bad in damaged(file.getvalue(), random.Random(kind), 60):
        path.write_bytes(bad)
        assert_one_line(path, read)
