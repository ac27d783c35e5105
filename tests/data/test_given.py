"""Data sets that are handed over: torch's, Hugging Face's, arrays, and those that another package declares by name."""

from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

import genbench
from genbench import data
from genbench.data import declared
from tests.data.pixels import pixels

GREY = pixels(40, 6, 5)
COLOUR = pixels(40, 6, 5, 3)
LABELS = np.arange(40) % 4
NAMES = ("ant", "bee", "cow", "doe")


class Listed(list):
    """A data set by its items, as torch takes any."""


class Image_(dict):
    """A column's kind is told by the name of its class."""


Image_.__name__ = "Image"


class ClassLabel:
    names = NAMES


class Rows(list):
    """A stand-in for a data set of Hugging Face's."""

    @property
    def features(self):
        return {"caption": object(), "shot": Image_(), "kind": ClassLabel()}


def contents(split):
    return sorted(zip(map(bytes, split.images.numpy()), split.labels.tolist(), strict=True))


def whole(found):
    return sorted(item for split in (found.train, found.validation, found.test) for item in contents(split))


def expected(images):
    return sorted(zip(map(bytes, images), LABELS.tolist(), strict=True))


def tensor(array):
    return torch.from_numpy(array if array.ndim == 2 else array.transpose(2, 0, 1))


AS = {
    "PIL": Image.fromarray,
    "uint8 tensor": tensor,
    "float tensor": lambda array: tensor(array) / 255,
    "array": lambda array: array,
}


@pytest.mark.parametrize("how", AS)
@pytest.mark.parametrize("images", [GREY, COLOUR], ids=["grey", "colour"])
def test_each_kind_of_item_is_the_pixels_that_it_was_made_of(how, images):
    found = genbench.Dataset.from_torch(Listed((AS[how](x), y) for x, y in zip(images, LABELS, strict=True)))
    channels_first = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    assert found.spec == genbench.DataSpec(channels_first.shape[1:], 256, 4)
    assert whole(found) == expected(channels_first)
    arrays = genbench.Dataset.from_arrays(images, LABELS)
    assert found.hashes == arrays.hashes


def test_a_grey_picture_among_colours_is_colour_wherever_it_stands():
    mixed = [Image.fromarray(x) for x in (*GREY[:2], *COLOUR[:36], *GREY[2:4])]
    found = genbench.Dataset.from_torch(mixed)
    parts = torch.cat([found.train.images, found.validation.images, found.test.images])
    as_colour = [np.repeat(x[None], 3, 0) for x in GREY[:4]] + [x.transpose(2, 0, 1) for x in COLOUR[:36]]
    assert sorted(map(bytes, parts.numpy())) == sorted(np.ascontiguousarray(x).tobytes() for x in as_colour)
    assert found.train.labels is None


def test_a_column_of_images_is_found_and_its_classes_keep_their_names():
    rows = Rows(
        {"caption": "x", "shot": Image.fromarray(x), "kind": int(y)} for x, y in zip(COLOUR, LABELS, strict=True)
    )
    found = genbench.Dataset.from_torch(rows)
    assert found.class_names == NAMES
    assert whole(found) == expected(COLOUR.transpose(0, 3, 1, 2))
    assert genbench.Dataset.from_torch(rows, image="shot", label="kind").hashes == found.hashes
    bare = Listed({"img": Image.fromarray(x), "label": int(y)} for x, y in zip(COLOUR, LABELS, strict=True))
    assert genbench.Dataset.from_torch(bare).hashes == found.hashes
    with pytest.raises(ValueError, match=r"image='photo': give a column of images; there are caption, shot, kind"):
        genbench.Dataset.from_torch(rows, image="photo")
    with pytest.raises(ValueError, match=r"mapping of 'train': give one of these, and another as test"):
        genbench.Dataset.from_torch({"train": rows})


def test_an_official_test_split_stays_one():
    tensors = torch.from_numpy(GREY)[:, None]
    both = [TensorDataset(tensors[part], torch.from_numpy(LABELS[part])) for part in (slice(30), slice(30, 40))]
    found = genbench.Dataset.from_torch(both[0], test=both[1], name="mine")
    assert (found.name, len(found.train), len(found.validation)) == ("mine", 26, 4)
    assert contents(found.test) == sorted(zip(map(bytes, GREY[30:]), LABELS[30:].tolist(), strict=True))
    assert found.test.labels.tolist() != LABELS[30:].tolist(), "in random order"
    arrays = genbench.Dataset.from_arrays(GREY[:30], LABELS[:30], test=(GREY[30:], LABELS[30:]))
    assert arrays.hashes == found.hashes


def test_arrays_stay_as_they_are_and_axes_are_told_apart():
    given, labels = COLOUR.copy(), torch.from_numpy(LABELS.copy())
    found = genbench.Dataset.from_arrays(given, labels, class_names=NAMES)
    assert np.array_equal(given, COLOUR)
    assert labels.tolist() == LABELS.tolist()
    first = genbench.Dataset.from_arrays(torch.from_numpy(COLOUR).movedim(-1, 1), LABELS)
    assert first.hashes == found.hashes
    assert found.class_names == NAMES


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "dataset has no items"),
        (iter([1]), "list_iterator: give one with a length and items by number"),
        ([(GREY[0] / 127.5 - 1, 0)], r"item 0: float64 from -\d.* to .*floats from 0 to 1 \(leave Normalize out\)"),
        ([(GREY[0].astype(int), 0)], "item 0: int64 from .*; give uint8"),
        ([(GREY[0], 0), (GREY[1, :5], 0)], "item 1 is 5×5 and the first is 5×6; have the data set resize"),
        ([(GREY[0], 0), (GREY[1],)], "1 of 2 items have a label"),
        ([(GREY[0], "ant")], "item 0: label 'ant'; give the number of a class, from 0"),
        ([(GREY[0], 3)], "labels run from 3 to 3 in 1 classes; number from 0"),
        ([(GREY[0], 0, 1)], "item 0 has 3 parts"),
        ([("a.png", 0)], "item 0: str is no image"),
        ([(pixels(1, 4, 6, 5)[0], 0)], r"item 0: shape \(4, 6, 5\); give an image of 1 or 3 channels"),
        ([(GREY[0], 0)] * 2, "2 images are too few"),
        ([(Image.new("RGBA", (4, 4)), 0)], "item 0: has transparent pixels"),
    ],
)
def test_what_is_no_such_data_set_is_refused_in_one_line(items, message):
    with pytest.raises(ValueError, match=message) as caught:
        genbench.Dataset.from_torch(items, alpha="refuse")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": GREY / 255}, "images are float64; give uint8"),
        ({"images": GREY, "labels": LABELS[:9]}, r"labels are int64 \(9,\); give one integer for each of 40"),
        ({"images": GREY, "labels": LABELS, "class_names": NAMES[:3]}, "class_names: 3; give one for each class"),
        ({"images": GREY, "labels": LABELS, "test": (GREY, None)}, "labels: of images or of test alone"),
        (
            {"images": GREY, "labels": LABELS[:30], "test": (GREY[:10], LABELS[:20])},
            "labels: 30 for 40 images",
        ),
        ({"images": GREY, "test": (COLOUR, None)}, "given test images"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        genbench.Dataset.from_arrays(**arguments)


def test_a_saved_data_set_is_one_that_runs_have_by_name(tmp_path):
    made = genbench.Dataset.from_arrays(COLOUR, LABELS, class_names=NAMES)
    name = made.save(tmp_path / "mine.npz")
    found = data.load(name)
    for part in ("train", "validation", "test"):
        assert contents(getattr(found, part)) == contents(getattr(made, part))
    assert found.class_names == NAMES
    with pytest.raises(ValueError, match=r"mine\.png: give a name that ends in \.npz"):
        made.save(tmp_path / "mine.png")
    with pytest.raises(ValueError, match="edges:digits: save takes images of 256 levels and labels"):
        data.load("edges:digits").save(tmp_path / "edges.npz")


def blobs():
    return genbench.Dataset.from_arrays(GREY, LABELS, class_names=NAMES)


def broken():
    raise RuntimeError("no disk\nat all")


@pytest.fixture
def declare(monkeypatch):
    def declare(**targets):
        points = [EntryPoint(name, f"{__name__}:{target}", declared.GROUP) for name, target in targets.items()]
        monkeypatch.setattr(declared, "entry_points", lambda group: points if group == declared.GROUP else [])

    return declare


def test_another_package_s_data_set_has_a_name_and_takes_variants(declare):
    declare(blobs="blobs")
    found = data.load("blobs")
    assert (found.name, found.class_names, found.hashes) == ("blobs", NAMES, blobs().hashes)
    assert data.load("edges:blobs").spec.source == (1, 6, 5)
    assert {line.name: line.title for line in data.listing()}["blobs"] == f"{__name__}:blobs"
    with pytest.raises(ValueError, match="did you mean blobs"):
        data.load("blob")
    with pytest.raises(ValueError, match="size=8: only folder:PATH"):
        data.load("blobs", size=8)


@pytest.mark.parametrize(
    ("name", "target", "message"),
    [
        ("bad", "broken", r"data set 'bad': .*:broken fails \(RuntimeError: no disk\); repair it"),
        ("bad", "missing", "data set 'bad': .*:missing fails .*; repair it"),
        ("cifar10", "blobs", "data set 'cifar10' of .*:blobs has the name of another; rename it there"),
        ("a:b", "blobs", "data set 'a:b' of .*: give it a name of letters"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused_in_one_line_and_alone(declare, name, target, message):
    declare(**{name: target})
    assert len(data.load("digits").train) == 1258
    with pytest.raises(ValueError, match=message) as caught:
        data.load("bad")
    assert "\n" not in str(caught.value)


def nothing():
    return []


def test_two_packages_cannot_declare_one_name_nor_return_anything_else(declare, monkeypatch):
    declare(lists="nothing")
    with pytest.raises(ValueError, match=r":nothing returns list, not a genbench\.Dataset"):
        data.load("lists")
    points = [EntryPoint("x", f"{__name__}:{target}", declared.GROUP) for target in ("blobs", "nothing")]
    monkeypatch.setattr(declared, "entry_points", lambda group: points)
    with pytest.raises(ValueError, match=r"data set 'x' is declared twice: .*:blobs and .*:nothing"):
        data.load("x")
