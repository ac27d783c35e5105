"""Photographs in packages: a hand-made package stands in for them, and the true ones are pinned where they are."""

import re
import sys
from hashlib import sha256

import numpy as np
import pytest
import torch
from PIL import Image

from genbench import data
from genbench.data import photos
from genbench.data.photos import Photograph, cut, halved
from genbench.data.sources import grey

PINNED = {
    "photos": ("c4075e0cbf55ec4f", "0e81dc3be8afaa13", "f0c4de83232c9460"),
    "lowres4:photos": ("4530a4010a6ae1b7", "41682b630f45d963", "001bd9bd0b701ccd"),
    "blur:photos": ("9b49be133964aabb", "27da8461c84c0e86", "ac14ef045e59b920"),
    "shadow:photos": ("cbc65d9a3c5b5868", "8526389ca9b17e05", "f7fc9b84369aa9b2"),
    "unpaired:cartoon:photos": ("f8805b1f0c5ab653", "47d12587a02413eb", "1f2cc482287fa729"),
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three noisy pictures, one a split, whose code must not run."""
    folder = tmp_path / "album"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    album = []
    for split, size in (("train", 96), ("validation", 80), ("test", 212)):
        path = folder / "data" / f"{split}.png"
        pixels = np.random.default_rng(size).integers(0, 256, (70, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        album.append(Photograph("album", f"data/{split}.png", sha256(path.read_bytes()).hexdigest(), split))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(photos, "PHOTOGRAPHS", tuple(album))
    return folder


@pytest.mark.parametrize("name", PINNED)
def test_splits_are_those_that_every_table_was_made_with(name):
    if not photos.found():
        pytest.skip("scikit-image is not installed: pip install 'genbench[photos]'")
    found = data.load(name)
    counts = data.SOURCES["photos"].counts
    halves = (counts[0] + 1) // 2 if name.startswith("unpaired:") else counts[0]
    assert (len(found.train), len(found.validation), len(found.test)) == (halves, *counts[1:])
    assert tuple(value[:16] for value in found.hashes.values()) == PINNED[name]


def test_a_photograph_is_halved_by_whole_numbers_and_loses_odd_edges():
    pixels = torch.tensor([[0, 1, 9], [0, 1, 9], [255, 254, 9], [255, 253, 9], [9, 9, 9]], dtype=torch.uint8)
    assert halved(pixels[None]).tolist() == [[[1], [254]]], "(2 + 2) >> 2 = 1 and (1017 + 2) >> 2 = 254"


def test_grey_by_hand():
    red, green, blue, white = torch.eye(4, 3, dtype=torch.uint8) * 255 + torch.tensor([[0], [0], [0], [255]]).byte()
    shades = grey(torch.stack([red, green, blue, white])[:, :, None, None])
    assert shades.flatten().tolist() == [76, 150, 29, 255]
    assert grey(torch.tensor([[[[7]]]], dtype=torch.uint8)).tolist() == [[[[7]]]]


def test_patches_that_are_nearly_plain_are_left_out():
    pixels = torch.zeros(3, 32, 32 + 3 * 32, dtype=torch.uint8)
    for patch, step in enumerate((15, 16, 17)):  # half of it that much brighter: a deviation of half the step
        pixels[:, :16, 32 * patch : 32 * (patch + 1)] = step
    kept = cut(pixels, 32)
    assert [int(patch.max()) for patch in kept] == [16, 17]
    assert len(cut(torch.randint(256, (3, 40, 56), dtype=torch.uint8), 8)) == 2 * 4


def test_no_photograph_is_in_two_splits_and_no_package_is_imported(package):
    found = data.load("photos")
    assert (found.spec.shape, found.spec.classes, found.spec.source) == ((3, 32, 32), 0, None)
    for name in ("train", "validation", "test"):
        with Image.open(package / "data" / f"{name}.png") as image:
            half = halved(torch.from_numpy(np.array(image)).permute(2, 0, 1))
        expected = cut(half, 8 if name == "train" else 16)
        assert sorted(map(bytes, getattr(found, name).images.numpy())) == sorted(map(bytes, expected.numpy()))
    assert "album" not in sys.modules
    assert len(found.train) == 3
    assert not torch.equal(found.test.images, expected), "shuffled: measures take the first of the test split"


def test_each_photograph_stands_once():
    assert len({photograph.sha256 for photograph in photos.PHOTOGRAPHS}) == len(photos.PHOTOGRAPHS) == 8


@pytest.mark.parametrize("name", ["photos", "unpaired:cartoon:photos"])
def test_what_is_missing_or_another_is_refused_in_one_line(package, name):
    picture = package / "data" / "test.png"
    picture.write_bytes(picture.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=r"photos: .*test\.png is another file than .*; pip install 'genbench"):
        data.load(name)
    assert photos.found()
    picture.unlink()
    assert not photos.found()
    assert not next(line for line in data.listing() if line.name == "photos").found
    with pytest.raises(ValueError, match=r"photos: album/data/test\.png is in no .*; pip install") as caught:
        data.load(name)
    assert re.fullmatch(r".+", str(caught.value))


def test_without_the_package_nothing_is_found(monkeypatch):
    monkeypatch.setattr(photos, "PHOTOGRAPHS", (Photograph("no_such_package", "a.png", "", "train"),))
    assert not photos.found()
    with pytest.raises(ValueError, match=r"no_such_package/a\.png is in no installed package"):
        photos.load()
