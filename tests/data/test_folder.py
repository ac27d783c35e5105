"""Folders of images: classes, splits, sizes, and what spoils one."""

import numpy as np
import pytest
import torch
from PIL import Image

from genbench import data
from genbench.data import folder
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


def test_train_and_test_of_two_sizes_are_refused_by_two_files(tmp_path):
    for part, side in (("train", 4), ("test", 5)):
        for i in range(10):
            write(tmp_path / part / f"{i}.png", pixels(1, side, side)[0])
    with pytest.raises(ValueError, match=r"test/0\.png is 5×5 and .*train/0\.png is 4×4; say --size"):
        data.load(f"folder:{tmp_path}")


def test_sixteen_bits_become_the_eight_that_hold_them_and_it_is_said(tmp_path):
    for i in range(10):
        write(tmp_path / f"{i}.png", np.full((4, 4), 256 * 20 * i + 255, np.uint16))
    found = data.load(f"folder:{tmp_path}")
    images = torch.cat([found.train.images, found.validation.images, found.test.images])
    assert sorted(images[:, 0, 0, 0].tolist()) == [20 * i for i in range(10)]
    assert found.told == "10 images, no classes, 10 images brought from 16 bits to 8"


def test_grey_in_colour_files_is_one_channel_unless_one_image_has_a_colour(tmp_path):
    for i, image in enumerate(pixels(9, 4, 4)):
        write(tmp_path / f"{i}.png", image[..., None].repeat(3, 2) if i % 2 else image)
    found = data.load(f"folder:{tmp_path}")
    assert found.spec.shape == (1, 4, 4)
    assert found.told == "9 images, no classes, 4 images stored in colour and grey in every pixel"
    write(tmp_path / "9.png", pixels(1, 4, 4, 3)[0])
    found = data.load(f"folder:{tmp_path}")
    assert found.spec.shape == (3, 4, 4)
    assert found.told == "10 images, no classes"
    rows = torch.cat([found.train.images, found.validation.images, found.test.images])
    assert sum(bool((image == image[:1]).all()) for image in rows) == 9


def test_files_that_are_no_images_are_skipped_and_counted_and_folders_in_classes_are_read(tmp_path):
    for name in ("apple/red", "apple/green/small", "bee"):
        for i, image in enumerate(pixels(5, 4, 4)):
            write(tmp_path / name / f"{i}.png", image)
    (tmp_path / "bee" / "4.png").rename(tmp_path / "bee" / "4.PNG")
    Image.fromarray(pixels(1, 4, 4)[0]).save(tmp_path / "bee" / "5.jfif", format="JPEG")
    for junk in ("apple/._0.png", ".DS_Store", "bee/Thumbs.db", "notes.TXT", "bee/README", "__MACOSX/._a.png"):
        (tmp_path / junk).parent.mkdir(exist_ok=True)
        (tmp_path / junk).write_bytes(b"junk")
    (tmp_path / "bee" / "gone.png").symlink_to(tmp_path / "nowhere")
    write(tmp_path / "bee" / ".cache" / "0.png", pixels(1, 9, 9)[0])
    (tmp_path / "bee" / "round").symlink_to(tmp_path)
    found = data.load(f"folder:{tmp_path}")
    assert (found.spec.classes, found.train.labels.bincount().tolist()) == (2, [7, 4])
    skipped = "7 files skipped (3 hidden, 1 .txt, 1 .db, 1 without suffix, 1 no regular files)"
    assert sorted(found.told) == sorted(f"16 images, 2 classes, {skipped}")
    assert found.told.startswith("16 images, 2 classes, 7 files skipped (3 hidden, 1 .")


def test_a_picture_with_transparency_lies_on_white_or_as_was_said(tmp_path):
    clear = np.full((4, 4, 4), 0, np.uint8)
    for i in range(10):
        write(tmp_path / f"{i}.png", clear)
    for alpha, level in (("white", 255), ("black", 0), ("#808080", 128)):
        found = data.load(f"folder:{tmp_path}", alpha=alpha)
        assert (found.spec.shape, int(found.train.images.min())) == ((1, 4, 4), level)
        assert f"10 images laid on {alpha} where transparent" in found.told
    with pytest.raises(ValueError, match=r"0\.png: has transparent pixels; say --alpha white"):
        data.load(f"folder:{tmp_path}", alpha="refuse")
    with pytest.raises(ValueError, match=r"alpha='whit': give white, black"):
        data.load(f"folder:{tmp_path}", alpha="whit")
    with pytest.raises(ValueError, match=r"alpha='black': only folder:PATH and pairs:PATH have transparent"):
        data.load("digits", alpha="black")


def test_more_than_memory_holds_is_refused_before_it_is_made(tmp_path, monkeypatch):
    for i, image in enumerate(pixels(10, 4, 4)):
        write(tmp_path / f"{i}.png", image)
    with pytest.raises(ValueError, match=r"size=10000000: a picture of more than 67,108,864 pixels; give a smaller"):
        data.load(f"folder:{tmp_path}", size=10_000_000)
    monkeypatch.setattr("genbench.memory.total", lambda: 199)
    with pytest.raises(ValueError, match=r"10 images as large as .*0\.png would take about"):
        folder.pixels(sorted(tmp_path.glob("*.png")), folder.Reading())
    with pytest.raises(ValueError, match=r"size=8 would take about 0\.0 GiB of memory, and there are"):
        folder.pixels(sorted(tmp_path.glob("*.png")), folder.Reading(8))


def test_what_reading_found_is_in_the_listing_and_in_a_join(tmp_path):
    for part in "ab":
        for i, image in enumerate(pixels(10, 4, 4, seed=ord(part))):
            write(tmp_path / part / f"{i}.png", image)
    (tmp_path / "b" / "x.txt").write_text("")
    a, b = f"folder:{tmp_path}/a", f"folder:{tmp_path}/b"
    assert data.load(f"edges:{b}").facts["read"] == "10 images, no classes, 1 file skipped (1 .txt)"
    found = data.load(f"domains:{a}+{b}").told
    assert found == f"{a}: 10 images, no classes; {b}: 10 images, no classes, 1 file skipped (1 .txt)"
