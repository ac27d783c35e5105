"""Images that memory does not hold: from a file of the cache, and the same data set in every bit."""

import struct
import subprocess
import sys
import zipfile
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from genbench import data
from genbench.data import mapped as module
from genbench.data.mapped import mapped

COUNT = 60
LEVELS = np.random.default_rng(0).integers(256, size=(COUNT, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(COUNT) % 3


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


@pytest.fixture
def small_memory(monkeypatch):
    """Of data and nothing else."""
    for name in ("folder", "npz"):
        monkeypatch.setattr(f"genbench.data.{name}.holds", lambda needed: False)


def same(a, b):
    assert a.hashes == b.hashes
    assert (a.told, a.class_names, a.spec) == (b.told, b.class_names, b.spec)
    for name in ("train", "validation", "test"):
        one, other = getattr(a, name), getattr(b, name)
        assert torch.equal(one.images, other.images)
        assert (one.labels is None) == (other.labels is None)
        assert one.labels is None or torch.equal(one.labels, other.labels)


def folder(root, kind):
    parts = ("train", "test") if "official" in kind else ("",)
    for i, (levels, label) in enumerate(zip(LEVELS, LABELS, strict=True)):
        grey = kind == "grey" or (kind == "grey at first" and i < COUNT // 2)
        picture = Image.fromarray(levels).convert("L") if grey else Image.fromarray(levels)
        place = root / parts[i % 2 if len(parts) == 2 else 0] / ("" if kind == "flat" else f"class {label}")
        place.mkdir(parents=True, exist_ok=True)
        (picture.convert("RGB") if kind == "grey" and i % 2 else picture).save(place / f"{i:02}.png")
    (root / parts[0] / "notes.txt").touch()
    return f"folder:{root}"


@pytest.mark.parametrize("kind", ["classes", "flat", "official", "grey", "grey at first"])
@pytest.mark.parametrize("size", [None, 4])
def test_a_folder_is_the_same_data_set(tmp_path, cache, monkeypatch, kind, size):
    name = folder(tmp_path / "pets", kind)
    held = data.load(name, size=size)
    monkeypatch.setattr("genbench.data.folder.holds", lambda needed: False)
    same(data.load(name, size=size), held)
    assert len(list(cache.glob("*.u8"))) == 1
    monkeypatch.setattr("genbench.data.folder.channels_first", lambda *rest: pytest.fail("decoded again"))
    same(data.load(name, size=size), held)


def test_another_folder_size_or_ground_has_another_file_and_a_changed_one_too(tmp_path, cache, small_memory):
    name = folder(tmp_path / "pets", "classes")
    first = data.load(name)
    data.load(name, size=4)
    data.load(name, alpha="black")
    Image.fromarray(255 - LEVELS[0]).save(tmp_path / "pets" / "class 0" / "00.png")
    assert data.load(name).hashes != first.hashes
    assert len(list(cache.glob("*.u8"))) == 4


def arrays(kind):
    more = {}
    images = LEVELS
    if "sources" in kind:
        more["sources"] = LEVELS[..., 0]
        more["field_side"] = np.arange(COUNT) % 4
    if "parts" in kind:
        more |= {"train": np.arange(30), "validation": np.arange(30, 40), "test": np.arange(59, 45, -1)}
    if "labels" in kind:
        more["labels"] = LABELS
    if "first" in kind:
        images = LEVELS.transpose(0, 3, 1, 2)
    if "grey" in kind:
        images = LEVELS[..., 0]
    return {"arr_0" if "alias" in kind else "images": images, **more}


@pytest.mark.parametrize("kind", ["labels", "channels first", "grey", "sources, parts", "parts, labels", "alias"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_is_the_same_data_set(tmp_path, cache, monkeypatch, kind, save):
    save(tmp_path / "a.npz", **arrays(kind))
    held = data.load(f"npz:{tmp_path / 'a.npz'}")
    monkeypatch.setattr("genbench.data.npz.holds", lambda needed: False)
    monkeypatch.setattr("genbench.array_file.CHUNK", 7 * 90)  # seven images at once
    found = data.load(f"npz:{tmp_path / 'a.npz'}")
    same(found, held)
    if held.train.sources is not None:
        assert torch.equal(found.test.sources, held.test.sources)
        assert torch.equal(found.test.fields["side"], held.test.fields["side"])
    assert len(list(cache.glob("*.u8"))) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"images": np.asfortranarray(LEVELS)},
            r"^[^:]*a\.npz: array .images. is larger than memory and in Fortran order; save it in C order",
        ),
        ({"images": LEVELS.astype(np.float32)}, "images are float32; give uint8"),
        ({"images": LEVELS, "labels": LABELS[:-1]}, "labels are int64 .59,.; give one integer for each of 60"),
        ({"images": LEVELS, "imagse": LABELS}, "arrays 'imagse' are not read"),
    ],
)
def test_what_is_refused_is_refused_all_the_same(tmp_path, cache, small_memory, change, said):
    np.savez(tmp_path / "a.npz", **change)
    with pytest.raises(ValueError, match=said):
        data.load(f"npz:{tmp_path / 'a.npz'}")
    assert not list(cache.glob("*.json"))


def test_a_picture_that_cannot_be_read_leaves_no_file(tmp_path, cache, small_memory):
    name = folder(tmp_path / "pets", "classes")
    (tmp_path / "pets" / "class 1" / "01.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"01\.png: cannot be read as an image"):
        data.load(name)
    assert {path.suffix for path in cache.iterdir()} <= {".lock"}


@pytest.mark.parametrize(
    "damage",
    [
        *("pixels cut short", "note gone", "{", '{"shape": [9], "noted": {}}', '{"shape": [2, 1, 2, 2], "noted": 5}'),
        *('{"shape": [2, 1, 2, 2], "noted": {"x": "y"}}', '{"shape": [-2, -1, 2, 2], "noted": {}}'),
        '{"shape": [2, 1.5, 2, 2], "noted": {}}',
    ],
)
def test_a_file_that_is_not_whole_is_written_again(cache, damage):
    def fill(pages):
        asked.append(1)
        pages.begin((2, 1, 2, 2))
        pages.put(1, np.full((1, 2, 2), 7, np.uint8))
        return {"a": 1}

    asked = []
    images, noted = mapped({"of": "two"}, fill)
    images = images.clone()
    assert images.flatten(1).tolist() == [[0] * 4, [7] * 4]
    assert noted == mapped({"of": "two"}, fill)[1] == {"a": 1}
    assert asked == [1]
    (note,), (pixels,) = cache.glob("*.json"), cache.glob("*.u8")
    if damage == "pixels cut short":
        pixels.write_bytes(bytes(5))
    elif damage == "note gone":
        note.unlink()
    else:
        note.write_text(damage)
    assert torch.equal(mapped({"of": "two"}, fill)[0], images)
    assert asked == [1, 1]


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"file/images: cannot be written \(.+\), .*; set GENBENCH_CACHE to a folder"):
        mapped({}, lambda pages: {})


def test_what_a_killed_process_left_goes(cache):
    def fill(pages):
        pages.begin((1, 1, 1, 1))
        return {}

    mapped({"of": 1}, fill)
    (pixels,) = cache.glob("*.u8")
    left = cache / f".{pixels.name}.0123456789abcdef.part"
    left.write_bytes(bytes(9))
    pixels.unlink()
    mapped({"of": 1}, fill)
    assert not left.exists()


def test_what_is_no_data_set_stays_in_its_order(tmp_path, cache, small_memory):
    from genbench.data.folder import pictures
    from genbench.runs import compare

    folder(tmp_path / "pets", "flat")
    assert torch.equal(pictures(tmp_path / "pets"), torch.from_numpy(LEVELS).permute(0, 3, 1, 2))
    np.savez(
        tmp_path / "a.npz", images=LEVELS, train=np.arange(30), validation=np.arange(30, 40), test=np.arange(40, 50)
    )
    assert len(compare.read(str(tmp_path / "a.npz")).images) == COUNT


def test_measuring_takes_no_copy_of_what_is_mapped(tmp_path):
    (tmp_path / "pixels").write_bytes(bytes(64 * 2**20))
    script = """
import resource, sys
import numpy as np, torch
from pathlib import Path
from genbench.files import digest
from genbench.metrics.exact import exact_matches
from genbench.runs.evaluate import levels_used
images = torch.from_numpy(np.memmap(sys.argv[1], np.uint8, "c", shape=(16384, 1, 64, 64)))
def all_of_it(images):
    return digest({"images": images}), exact_matches(images[:5], images), levels_used(images)
all_of_it(images[:300])
held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (1024 * int(held.split()[1]) + 40 * 2**20,) * 2)
all_of_it(images)
try:
    images.clone()
except RuntimeError:
    print("a copy is refused")
"""
    words = [sys.executable, "-c", script, str(tmp_path / "pixels")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stdout == "a copy is refused\n", done.stderr


def test_a_disk_without_room_is_one_line(cache, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: SimpleNamespace(free=2**20))
    with pytest.raises(
        ValueError, match=r"^1\.0 GiB of images, .* has room for 0\.0: make some, or set GENBENCH_CACHE"
    ):
        mapped({}, lambda pages: pages.begin((2**20, 1, 32, 32)))
    assert {path.suffix for path in cache.iterdir()} <= {".lock"}


def test_a_model_learns_from_what_is_mapped(tmp_path, cache, small_memory, monkeypatch):
    import genbench

    found = data.load(folder(tmp_path / "pets", "classes"))
    monkeypatch.setattr("genbench.training.batches.holds", lambda needed: False)
    model = genbench.build("vae", found.spec, width=8)
    assert model.fit(found.splits, genbench.FitConfig(genbench.Budget(steps=2), 8)).steps == 2


GIGABYTES = 20
SCRIPT = """
import resource, sys
import genbench
from genbench import data
resource.setrlimit(resource.RLIMIT_DATA, (2 * 2**30, 2 * 2**30))  # of memory that is no file's
found = data.load(sys.argv[1])
model = genbench.build("gan", found.spec, width=4)
model.fit(found.splits, genbench.FitConfig(genbench.Budget(steps=3), 16))
print(len(found.train), len(found.validation), len(found.test), int(found.train.images[:1000].max()))
"""


@pytest.mark.slow
def test_twenty_gigabytes_are_learned_from_in_two(tmp_path, cache):
    """A sparse archive of black images: what takes its size in memory fails."""
    count, shape = GIGABYTES * 2**30 // (3 * 64 * 64), (3, 64, 64)
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(count, *shape)}, }}"
    whole = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.ljust(117).encode() + b"\n"
    size, block, crc = count * 3 * 64 * 64, bytes(2**26), zlib.crc32(whole)
    for start in range(0, size, len(block)):
        crc = zlib.crc32(block[: min(len(block), size - start)], crc)
    entry = zipfile.ZipInfo("images.npy")
    entry.CRC, entry.file_size = crc, len(whole) + size
    entry.compress_size = entry.file_size
    with (tmp_path / "black.npz").open("wb") as file:
        file.write(entry.FileHeader(zip64=True) + whole)
        file.truncate(file.tell() + size)
        with zipfile.ZipFile(file, "a") as archive:
            entry.header_offset = 0
            archive.filelist.append(entry)
            archive.start_dir, archive._didModify = file.seek(0, 2), True
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, f"npz:{tmp_path / 'black.npz'}"], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert sum(map(int, found.stdout.split()[:3])) == count
