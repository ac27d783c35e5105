"""Folders of images: classes, splits, sizes, and what spoils one."""

import numpy as np
import pytest
from PIL import Image

from genbench import data
from tests.data.pixels import pixels


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def test_a_folder_of_classes(tmp_path):
    for label, name in enumerate(("apple", "bee")):
        for i, image in enumerate(pixels(20, 6, 6, 3, seed=label)):
            write(tmp_path / name / f"{i:02}.png", image)
    found = data.load(f"folder:{tmp_path}")
    assert found.spec.shape == (3, 6, 6)
    assert found.spec.classes == 2
    assert (len(found.train), len(found.validation), len(found.test)) == (28, 4, 8)
    everything = {
        bytes(np.transpose(image, (2, 0, 1))): seed for seed in (0, 1) for image in pixels(20, 6, 6, 3, seed=seed)
    }
    for split in (found.train, found.validation, found.test):
        for image, label in zip(split.images, split.labels, strict=True):
            assert everything[bytes(image.numpy())] == label


def test_train_and_test_folders_grey_and_flat(tmp_path):
    for part, n in (("train", 30), ("test", 7)):
        for i, image in enumerate(pixels(n, 5, 4, seed=n)):
            write(tmp_path / part / f"{i:02}.png", image)
    found = data.load(f"folder:{tmp_path}")
    assert found.spec.shape == (1, 5, 4)
    assert found.spec.classes == 0
    assert found.train.labels is None
    assert (len(found.train), len(found.validation), len(found.test)) == (27, 3, 7)
    assert sorted(map(bytes, found.test.images.numpy())) == sorted(map(bytes, pixels(7, 5, 4, seed=7)))


def test_images_are_resized_and_cropped_to_the_centre(tmp_path):
    wide = np.zeros((16, 48), np.uint8)
    wide[:, 16:32] = 200  # only the centre is left
    for i in range(12):
        write(tmp_path / f"{i:02}.png", wide if i % 2 else wide.T.copy())
    found = data.load(f"folder:{tmp_path}", size=8)
    assert found.spec.shape == (1, 8, 8)
    assert (found.train.images.int() - 200).abs().max() <= 16  # bicubic overshoot at the cut


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: (p / "a" / "03.png").write_bytes(b"no image"), r"a/03.png: cannot be read as an image"),
        (
            lambda p: (p / "a" / "03.png").write_bytes((p / "a" / "03.png").read_bytes()[:60]),
            r"a/03.png: cannot be read",
        ),
        (lambda p: write(p / "b" / "99.png", pixels(1, 9, 7)[0]), r"99.png is 7×9 and .*00.png is 6×6; say --size"),
        (lambda p: write(p / "extra.png", pixels(1, 6, 6)[0]), "both beside and inside class folders"),
    ],
)
def test_a_spoilt_folder_is_refused_by_the_path_of_what_spoils_it(tmp_path, spoil, message):
    for name in "ab":
        for i, image in enumerate(pixels(10, 6, 6)):
            write(tmp_path / name / f"{i:02}.png", image)
    data.load(f"folder:{tmp_path}")
    spoil(tmp_path)
    with pytest.raises(ValueError, match=message):
        data.load(f"folder:{tmp_path}")


def test_folders_without_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no images in it"):
        data.load(f"folder:{tmp_path}")
    with pytest.raises(ValueError, match="there is none"):
        data.load(f"folder:{tmp_path / 'missing'}")
    for part, name in (("train", "a"), ("test", "b")):
        write(tmp_path / part / name / "0.png", pixels(1, 4, 4)[0])
    with pytest.raises(ValueError, match=r"classes of test/ .* are not those of train/"):
        data.load(f"folder:{tmp_path}")


def test_a_class_folder_s_test_images_do_not_come_class_by_class(tmp_path):
    for part in ("train", "test"):
        for name in "abc":
            for i, image in enumerate(pixels(20, 4, 4)):
                write(tmp_path / part / name / f"{i:02}.png", image)
    found = data.load(f"folder:{tmp_path}")
    assert set(found.test.labels[:15].tolist()) == {0, 1, 2}
    assert found.test.labels.bincount().tolist() == [20] * 3
    (tmp_path / "val").mkdir()
    with pytest.raises(ValueError, match="beside train/ stands val/"):
        data.load(f"folder:{tmp_path}")


def test_a_folder_with_train_and_no_test_is_split_in_three(tmp_path):
    for name in "ab":
        for i, image in enumerate(pixels(10, 4, 4)):
            write(tmp_path / "train" / name / f"{i:02}.png", image)
    found = data.load(f"folder:{tmp_path}")
    assert (len(found.train), len(found.validation), len(found.test), found.spec.classes) == (14, 2, 4, 2)


def test_sixteen_bits_are_refused_and_not_clipped(tmp_path):
    for i in range(10):
        write(tmp_path / f"{i}.png", np.full((4, 4), 1000 * i, np.uint16))
    with pytest.raises(ValueError, match=r"0\.png: has pixels of more than 8 bits"):
        data.load(f"folder:{tmp_path}")


def test_train_and_test_of_two_sizes_are_refused_by_two_files(tmp_path):
    for part, side in (("train", 4), ("test", 5)):
        for i in range(10):
            write(tmp_path / part / f"{i}.png", pixels(1, side, side)[0])
    with pytest.raises(ValueError, match=r"test/0\.png is 5×5 and .*train/0\.png is 4×4; say --size"):
        data.load(f"folder:{tmp_path}")


def test_an_image_too_large_to_open_is_refused_by_its_path(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    write(tmp_path / "0.png", pixels(1, 8, 8)[0])
    with pytest.raises(ValueError, match=r"0\.png: cannot be read as an image"):
        data.load(f"folder:{tmp_path}")


def test_a_deep_image_among_colour_ones_is_refused_too(tmp_path):
    for i, image in enumerate(pixels(3, 4, 4, 3)):
        write(tmp_path / f"{i}.png", image)
    write(tmp_path / "z.png", np.full((4, 4), 12800, np.uint16))
    with pytest.raises(ValueError, match=r"z\.png: has pixels of more than 8 bits"):
        data.load(f"folder:{tmp_path}")
