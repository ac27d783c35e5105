"""Names of classes, and which rows are measured where fewer are than there are."""

import numpy as np
import pytest
import torch

from genbench import data
from genbench.data.classes import UNKNOWN, in_order, names_of, numbers
from genbench.data.splits import chosen
from tests.data.pixels import pixels
from tests.data.test_folder import write


def test_numbers_in_names_stand_by_their_value():
    assert in_order(["10", "2", "1"]) == ["1", "2", "10"]
    assert in_order(["class 10", "class 9", "a", "B", "02", "2"]) == ["02", "2", "B", "a", "class 9", "class 10"]


def test_a_name_is_matched_as_it_is_in_capitals_or_not_and_else_as_a_number():
    assert numbers(["dog", "FOX", "wolf", "0"], ["cat", "dog", "fox"]) == [1, 2, UNKNOWN, 0]
    assert numbers(["2", "10", "0"], ["2", "10"]) == [0, 1, UNKNOWN], "a number that is a name is no place"
    assert numbers(["a", "A"], ["A", "a"]) == [1, 0]
    assert names_of((), 3) == ("0", "1", "2")
    assert names_of(("x", "y"), 2) == ("x", "y")


def test_a_folder_keeps_the_names_of_its_classes_in_the_order_of_their_numbers(tmp_path):
    for name in ("1", "2", "10"):
        for i in range(10):
            write(tmp_path / name / f"{i}.png", np.full((4, 4), int(name), np.uint8))
    found = data.load(f"folder:{tmp_path}")
    assert found.class_names == ("1", "2", "10")
    for split in (found.train, found.test):
        assert torch.tensor([1, 2, 10])[split.labels].tolist() == split.images[:, 0, 0, 0].tolist()
    assert data.load(f"without-1:folder:{tmp_path}").class_names == ("1", "10")
    assert data.load(f"edges:folder:{tmp_path}").class_names == ("1", "2", "10")
    assert data.load(f"captions:folder:{tmp_path}").vocabulary.words[-3:] == ("1", "2", "10")


def test_a_name_that_is_an_adjective_too_is_no_word_of_captions(tmp_path):
    for name in ("thin", "Polar bear"):
        for i, image in enumerate(pixels(10, 4, 4)):
            write(tmp_path / name / f"{i}.png", image)
    assert data.load(f"captions:folder:{tmp_path}").vocabulary.words[-2:] == ("class-0", "class-1")
    (tmp_path / "thin").rename(tmp_path / "fox")
    assert data.load(f"captions:folder:{tmp_path}").vocabulary.words[-2:] == ("polar-bear", "fox")


def test_of_rows_in_the_order_of_their_classes_each_class_has_its_share():
    labels = torch.arange(12).repeat_interleave(12)
    few = chosen(144, 24, labels)
    assert labels[few].bincount().tolist() == [2] * 12
    assert len(labels[few][:12].unique()) < 12, "in random order, not class after class"
    assert not torch.equal(few, chosen(144, 24, labels, seed=1))
    assert torch.equal(few, chosen(144, 24, labels))
    uneven = torch.tensor([0] * 90 + [1] * 9 + [-1])
    assert (uneven[chosen(100, 20, uneven)] + 1).bincount().tolist() == [1, 17, 2]


def test_without_labels_rows_are_drawn_at_random_and_all_stay_as_they_are():
    few = chosen(1000, 100)
    assert len(few.unique()) == 100
    assert 350 < float(few.double().mean()) < 650
    for labels in (None, torch.arange(10)):
        assert chosen(10, 10, labels).tolist() == list(range(10))
        assert chosen(10, 99, labels).tolist() == list(range(10))


def test_splits_that_a_file_settles_come_in_random_order(tmp_path):
    images, rows = np.arange(200, dtype=np.uint8).repeat(16).reshape(-1, 4, 4), np.arange(200)
    parts = {"train": rows[:100], "validation": rows[100:150], "test": rows[150:]}
    np.savez(tmp_path / "a.npz", images=images, labels=rows // 100, **parts)
    found = data.load(f"npz:{tmp_path / 'a.npz'}")
    for name, own in parts.items():
        came = getattr(found, name).images[:, 0, 0, 0].tolist()
        assert came != own.tolist()
        assert sorted(came) == own.tolist()
        assert (np.array(came) // 100 == getattr(found, name).labels.numpy()).all()


@pytest.mark.parametrize(("images", "labels"), [("arr_0", "arr_1"), ("arr_0", "y"), ("images", "y"), ("arr_0", None)])
@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2)])
def test_arrays_of_other_programs_are_read(tmp_path, images, labels, axes):
    shown, classes = pixels(30, 6, 5, 3), np.arange(30) % 3
    named = {images: shown.transpose(axes)} | ({labels: classes[:, None]} if labels else {})
    np.savez(tmp_path / "a.npz", **named)
    found = data.load(f"npz:{tmp_path / 'a.npz'}")
    assert (found.spec.shape, found.spec.classes) == ((3, 6, 5), 3 if labels else 0)
    known = {image.transpose(2, 0, 1).tobytes(): label for image, label in zip(shown, classes, strict=True)}
    for i, image in enumerate(found.train.images.numpy()):
        label = known.pop(image.tobytes())
        assert not labels or label == found.train.labels[i]


def test_an_array_that_is_called_twice_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=pixels(30, 4, 4), arr_0=pixels(30, 4, 4, seed=1))
    with pytest.raises(ValueError, match="arrays 'arr_0' are not read"):
        data.load(f"npz:{tmp_path / 'a.npz'}")
    np.savez(tmp_path / "a.npz", arr_0=pixels(30, 4, 4), arr_1=np.zeros(30, int), y=np.ones(30, int))
    with pytest.raises(ValueError, match="arrays 'y' are not read"):
        data.load(f"npz:{tmp_path / 'a.npz'}")
