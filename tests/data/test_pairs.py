"""Pairs in folders: both layouts give the same data, and whatever is amiss is said in one line."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from genbench import data

COUNT = 20
SOURCES = np.arange(COUNT, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(6, 2) * 10
IMAGES = np.stack([SOURCES + 1, SOURCES + 2, SOURCES + 3], 3)


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def beside(folder, rows=range(COUNT)):
    """Pictures with source and image side by side, in colour both."""
    for i in rows:
        source = SOURCES[i][..., None].repeat(3, 2)
        write(folder / f"{i:02}.png", np.concatenate([source, IMAGES[i]], 1))
    return folder


def apart(folder, rows=range(COUNT), suffix="png"):
    """The same as files of one name in two folders, the sources grey."""
    for i in rows:
        write(folder / "sources" / f"{i:02}.png", SOURCES[i])
        write(folder / "images" / f"{i:02}.{suffix}", IMAGES[i])
    return folder


def row_of(split):
    return split.sources[:, 0, 0, 0].long() // 10


def test_both_layouts_give_each_image_its_own_source(tmp_path):
    one, other = (data.load(f"pairs:{make(tmp_path / make.__name__)}") for make in (beside, apart))
    assert one.spec.source == other.spec.source == (1, 4, 6), "grey, in however many channels it is stored"
    assert one.told == "20 pairs, 20 images stored in colour and grey in every pixel"
    for found in (one, other):
        assert (found.spec.shape, found.spec.paired, found.aligned) == ((3, 4, 6), True, True)
        assert (len(found.train), len(found.validation), len(found.test)) == (14, 2, 4)
        rows = []
        for split in (found.train, found.validation, found.test):
            assert torch.equal(split.images, torch.from_numpy(IMAGES)[row_of(split)].permute(0, 3, 1, 2))
            assert (split.sources == split.sources[:, :, :1, :1]).all()
            rows += row_of(split).tolist()
        assert sorted(rows) == list(range(COUNT))
    unpaired = data.load(f"unpaired:pairs:{tmp_path / 'apart'}").train
    assert not set(row_of(unpaired).tolist()) & set((unpaired.images[:, 0, 0, 0].long() // 10).tolist())


def test_a_picture_of_two_halves_is_converted_once(tmp_path):
    beside(tmp_path)
    Image.fromarray(np.concatenate([IMAGES[0], IMAGES[0]], 1)).convert("RGBA").save(tmp_path / "00.png")
    Image.new("RGBA", (12, 4)).save(tmp_path / "01.png")
    assert "1 image laid on white where transparent" in data.load(f"pairs:{tmp_path}").told


@pytest.mark.parametrize("make", [beside, apart])
def test_splits_that_a_folder_settles_are_kept(tmp_path, make):
    make(tmp_path / "train", range(12))
    make(tmp_path / "test", range(12, 20))
    found = data.load(f"pairs:{tmp_path}")
    assert sorted([*row_of(found.train).tolist(), *row_of(found.validation).tolist()]) == list(range(12))
    assert (len(found.train), len(found.validation)) == (11, 1)
    assert sorted(row_of(found.test).tolist()) == list(range(12, 20)) != row_of(found.test).tolist()
    make(tmp_path / "val", range(10, 12))
    for i in (10, 11):
        for file in (tmp_path / "train").rglob(f"{i}.png"):
            file.unlink()
    found = data.load(f"pairs:{tmp_path}")
    assert sorted(row_of(found.train).tolist()) == list(range(10))
    assert sorted(row_of(found.validation).tolist()) == [10, 11]
    assert sorted(row_of(found.test).tolist()) == list(range(12, 20))


@pytest.mark.parametrize("make", [beside, apart])
def test_val_is_the_test_split_where_there_is_no_other(tmp_path, make):
    make(tmp_path / "train", range(12))
    make(tmp_path / "val", range(12, 20))
    (tmp_path / ".hidden").mkdir()
    found = data.load(f"pairs:{tmp_path}")
    assert (len(found.train), len(found.validation)) == (11, 1)
    assert sorted([*row_of(found.train).tolist(), *row_of(found.validation).tolist()]) == list(range(12))
    assert sorted(row_of(found.test).tolist()) == list(range(12, 20))
    (tmp_path / "val").rename(tmp_path / "test")
    assert data.load(f"pairs:{tmp_path}").hashes == found.hashes


@pytest.mark.parametrize("odd", ["validation", "sources"])
def test_a_folder_beside_train_that_would_not_be_read_is_refused(tmp_path, odd):
    for split in ("train", "test", odd):
        beside(tmp_path / split)
    refused(f"pairs:{tmp_path}", f"beside train/ stands {odd}/, which would not be read; move it away")


def test_sources_and_images_may_differ_in_size_and_each_is_resized(tmp_path):
    apart(tmp_path)
    for i in range(COUNT):
        write(tmp_path / "images" / f"{i:02}.png", IMAGES[i].repeat(2, 0).repeat(2, 1))
    assert data.load(f"pairs:{tmp_path}").spec.shape == (3, 8, 12)
    found = data.load(f"pairs:{tmp_path}", size=4)
    assert (found.spec.shape, found.spec.source) == ((3, 4, 4), (1, 4, 4))
    halves = data.load(f"pairs:{beside(tmp_path / 'beside')}", size=4)
    assert (halves.spec.shape, halves.spec.source) == ((3, 4, 4), (1, 4, 4))
    assert (halves.train.images[:, 1] - halves.train.sources[:, 0] == 2).all(), "each half for itself"


def test_suffixes_may_differ(tmp_path):
    assert len(data.load(f"pairs:{apart(tmp_path, suffix='bmp')}").train) == 14


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: (p / "images" / "03.png").unlink(), r"sources/03\.png has no partner of that name in .*images"),
        (lambda p: (p / "sources" / "04.png").unlink(), r"images/04\.png has no partner of that name in .*sources"),
        (lambda p: (p / "images").rename(p / "targets"), "there is no .*images; give sources/ and images/"),
        (lambda p: write(p / "sources" / "03.bmp", SOURCES[3]), "have one name; keep one of them"),
        (lambda p: write(p / "images" / "03.png", IMAGES[3][:, :5]), r"03\.png is 5×4 and .*00\.png is 6×4; say --s"),
        (lambda p: (p / "images" / "03.png").write_bytes(b"none"), r"03\.png: cannot be read as an image"),
        (lambda p: write(p / "stray.png", IMAGES[0]), "pictures beside sources/ and images/, which would not be read"),
        (lambda p: apart(p / "train"), "train alone; give train, and test or val or both"),
        (lambda p: (apart(p / "val"), apart(p / "test")), "val, test alone; give train, and test or val or both"),
    ],
)
def test_what_is_amiss_apart_is_said_in_one_line(tmp_path, spoil, message):
    spoil(apart(tmp_path))
    refused(f"pairs:{tmp_path}", message)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: write(p / "03.png", IMAGES[3][:, :5]), r"03\.png: is 5 pixels wide, which two pictures"),
        (lambda p: write(p / "03.png", IMAGES[3]), r"03\.png is 3×4 and .*00\.png is 6×4; say --size N"),
        (lambda p: [file.unlink() for file in p.glob("*")], "no pictures side by side, and no folders sources/ and im"),
        (lambda p: Image.fromarray(SOURCES[3].astype(np.float32)).save(p / "z.tif"), "has pixels of 32 bits"),
    ],
)
def test_what_is_amiss_beside_is_said_in_one_line(tmp_path, spoil, message):
    spoil(beside(tmp_path))
    refused(f"pairs:{tmp_path}", message)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: beside(p / "test"), "side by side in one split and apart in another"),
        (lambda p: (apart(p / "test"), write(p / "a.png", IMAGES[0])), "pictures beside train/"),
        (lambda p: apart(p / "test", []), "no pictures side by side, and no folders"),
        (lambda p: (apart(p / "test"), shutil.rmtree(p / "train"), apart(p / "train", [0])), "1 images are too few"),
    ],
)
def test_what_is_amiss_in_splits_is_said_in_one_line(tmp_path, spoil, message):
    apart(tmp_path / "train")
    (tmp_path / "test").mkdir()
    spoil(tmp_path)
    refused(f"pairs:{tmp_path}", message)


def test_what_is_no_folder_of_pairs_is_refused(tmp_path):
    refused(f"pairs:{tmp_path}/none", "there is no such folder")
    refused("pairs:", "unknown data set 'pairs:'")
    refused(f"edges:pairs:{apart(tmp_path)}", "edges: it makes sources of images, and these have some already")
    with pytest.raises(ValueError, match="size=0: give the side in pixels, at least 1"):
        data.load(f"pairs:{tmp_path}", size=0)


def test_two_folders_are_two_domains(tmp_path):
    for i in range(COUNT):
        write(tmp_path / "a" / f"{i}.png", IMAGES[i])
        if i < 10:
            write(tmp_path / "b" / f"{i}.png", IMAGES[i] + 5)
    name = f"domains:folder:{tmp_path}/a+folder:{tmp_path}/b"
    found = data.load(name)
    assert found.spec.shape == found.spec.source == (3, 4, 6)
    assert (found.spec.paired, found.aligned) == (False, False)
    assert (len(found.train.sources), len(found.train)) == (14, 7)
    assert (len(found.test.sources), len(found.test)) == (2, 2)
    assert data.load(name, size=4).spec.shape == (3, 4, 4)
    write(tmp_path / "grey" / "0.png", SOURCES[0])
    refused(f"domains:folder:{tmp_path}/a+folder:{tmp_path}/none", "none: there is none; give the folder")
    for i in range(COUNT):
        write(tmp_path / "grey" / f"{i}.png", SOURCES[i])
    refused(f"domains:folder:{tmp_path}/a+folder:{tmp_path}/grey", "has shape .*; give two data sets of one shape")


def refused(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        data.load(name)
    assert "\n" not in str(caught.value)
