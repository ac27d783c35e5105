"""Readers, on small files in the true format."""

import gzip
import hashlib
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from genbench import data


def pixels(n, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return head + array.tobytes()


@pytest.fixture
def mnist(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    arrays = {}
    for name, n in (("train", 60), ("t10k", 20)):
        arrays[name] = pixels(n, 28, 28, seed=n), (np.arange(n) % 10).astype(np.uint8)
        (raw / f"{name}-images-idx3-ubyte").write_bytes(idx(arrays[name][0]))
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(idx(arrays[name][1]))
    return tmp_path, raw, arrays


def test_idx_files_are_read_as_torchvision_reads_them(mnist, monkeypatch):
    from torchvision import datasets

    root, _, arrays = mnist
    found = data.load("mnist", root=root)
    assert (len(found.train), len(found.validation), len(found.test)) == (50, 10, 20)
    theirs = datasets.MNIST(str(root), train=False)
    assert torch.equal(found.test.images[:, 0], theirs.data)
    assert torch.equal(found.test.labels, theirs.targets)
    assert found.train.labels.bincount().tolist() == [5] * 10
    whole = torch.cat([found.train.images, found.validation.images]).flatten(1).tolist()
    assert sorted(whole) == sorted(arrays["train"][0].reshape(60, -1).tolist())


def test_gzipped_idx_files_are_read_too(mnist):
    root, raw, _ = mnist
    plain = data.load("mnist", root=root).hashes
    for path in list(raw.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert data.load("mnist", root=root).hashes == plain
    assert {line.name: line.found for line in data.listing(root)}["mnist"]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("t10k-images-idx3-ubyte", lambda b: b[:-7], "bytes for shape .* cut short or damaged"),
        ("train-labels-idx1-ubyte", lambda b: b"\1" + b, "not an IDX file of bytes in 1 dimensions"),
        ("train-images-idx3-ubyte", lambda b: b"", "not an IDX file"),
        ("t10k-labels-idx1-ubyte", lambda b: idx(np.zeros(7, np.uint8)), "20 t10k images and 7 labels"),
        ("train-labels-idx1-ubyte", lambda b: idx(np.full(60, 11, np.uint8)), "labels run from 11 to 11"),
    ],
)
def test_damaged_idx_files_are_refused_by_name(mnist, name, change, message):
    root, raw, _ = mnist
    (raw / name).write_bytes(change((raw / name).read_bytes()))
    with pytest.raises(ValueError, match=message):
        data.load("mnist", root=root)


def test_a_truncated_gzip_is_refused(mnist):
    root, raw, _ = mnist
    path = raw / "t10k-images-idx3-ubyte"
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes())[:-50])
    path.unlink()
    with pytest.raises(ValueError, match=r"idx3-ubyte.gz: damaged .*get it again"):
        data.load("mnist", root=root)


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()

    def written(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return name, hashlib.md5((folder / name).read_bytes()).hexdigest()

    def batch(n, seed):
        return {"data": pixels(n, 3072, seed=seed), "labels": [i % 10 for i in range(n)]}

    # The class compares sums of the real files; these are small ones in the same format, with sums of their own.
    monkeypatch.setattr(CIFAR10, "train_list", [written(f"data_batch_{i}", batch(20, i)) for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [written("test_batch", batch(30, 9))])
    meta = written("batches.meta", {"label_names": list("abcdefghij")})
    monkeypatch.setattr(CIFAR10, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]})
    return tmp_path


def test_cifar10(cifar):
    found = data.load("cifar10", root=cifar)
    assert found.spec.shape == (3, 32, 32)
    assert (len(found.train), len(found.validation), len(found.test)) == (90, 10, 30)
    assert np.array_equal(found.test.images.numpy().reshape(30, -1), pixels(30, 3072, seed=9))
    assert found.test.labels.tolist() == [i % 10 for i in range(30)]


def test_a_damaged_cifar10_is_refused(cifar):
    path = cifar / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"cifar10: .*damaged; give its folder"):
        data.load("cifar10", root=cifar)


def test_svhn(tmp_path, monkeypatch):
    from scipy.io import savemat
    from torchvision.datasets import SVHN

    images = {"train": pixels(100, 32, 32, 3, seed=1), "test": pixels(20, 32, 32, 3, seed=2)}
    sums = {}
    for name, values in images.items():
        path = tmp_path / f"{name}_32x32.mat"
        labels = (np.arange(len(values)) % 10 + 1)[:, None]  # SVHN writes 10 for the digit 0
        savemat(path, {"X": values.transpose(1, 2, 3, 0), "y": labels})
        sums[name] = ["", path.name, hashlib.md5(path.read_bytes()).hexdigest()]
    monkeypatch.setattr(SVHN, "split_list", sums)
    found = data.load("svhn", root=tmp_path)
    assert np.array_equal(found.test.images.numpy(), images["test"].transpose(0, 3, 1, 2))
    assert found.test.labels.tolist() == [(i + 1) % 10 for i in range(20)]
    assert (len(found.train), len(found.validation)) == (90, 10)


def test_download_only_when_asked(tmp_path, monkeypatch):
    from torchvision import datasets

    asked = []

    def never(self, *args, **kwargs):
        asked.append(self)
        raise RuntimeError("no network")

    for kind in (datasets.MNIST, datasets.CIFAR10, datasets.SVHN):
        monkeypatch.setattr(kind, "download", never)
    for name in ("mnist", "fashion-mnist", "cifar10", "svhn"):
        with pytest.raises(ValueError, match="missing"):
            data.load(name, root=tmp_path)
    assert not asked
    for name in ("mnist", "cifar10", "svhn"):
        with pytest.raises(ValueError, match="no network"):
            data.load(name, root=tmp_path, download=True)
    assert len(asked) == 3


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


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 3)])
def test_npz(tmp_path, shape):
    images = pixels(30, *shape)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(30) % 3)
    found = data.load(f"npz:{tmp_path / 'a.npz'}")
    assert found.spec.shape == (shape[2] if len(shape) == 3 else 1, 6, 5)
    assert found.spec.classes == 3
    rows = torch.cat([found.train.images, found.validation.images, found.test.images])
    wanted = torch.from_numpy(images.reshape(30, 6, 5, -1)).permute(0, 3, 1, 2)
    assert sorted(rows.flatten(1).tolist()) == sorted(wanted.flatten(1).tolist())


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": pixels(9, 4, 4)}, "no array 'images'"),
        ({"images": pixels(9, 4, 4).astype(np.float32)}, "images are float32; give uint8"),
        ({"images": pixels(9, 4, 4, 2)}, r"shape \(9, 4, 4, 2\); give .*1 or 3 channels"),
        ({"images": pixels(9, 4)}, r"shape \(9, 4\)"),
        ({"images": pixels(0, 4, 4)}, "so there are none"),
        ({"images": pixels(2, 4, 4)}, "2 images are too few"),
        ({"images": pixels(30, 4, 4), "labels": np.zeros(29, int)}, r"labels are int64 \(29,\)"),
        ({"images": pixels(30, 4, 4), "labels": np.zeros(30)}, "labels are float64"),
        ({"images": pixels(30, 4, 4), "labels": np.arange(30) % 2 - 1}, "labels run from -1 to 0"),
        ({"images": pixels(30, 4, 4), "labels": np.arange(30) % 2 * 5}, "labels run from 0 to 5 in 2 classes"),
        ({"images": np.array([None, "code"], dtype=object)}, "not an .npz file of plain arrays"),
    ],
)
def test_npz_of_anything_else_is_refused(tmp_path, arrays, message):
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        data.load(f"npz:{path}")


@pytest.mark.parametrize("content", [b"", b"text", None, "cut", "npy"])
def test_what_is_not_an_npz_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    if content == "cut":
        np.savez(path, images=pixels(30, 4, 4))
        path.write_bytes(path.read_bytes()[:200])
    elif content == "npy":
        with path.open("wb") as file:
            np.save(file, pixels(3, 4, 4))
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npz: (there is no such file|not an|no array)"):
        data.load(f"npz:{path}")


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


@pytest.mark.parametrize("offset", [4, 6])  # in the archive's directory: version needed, flags
def test_an_npz_that_the_archive_reader_gives_up_on_is_refused(tmp_path, offset):
    path = tmp_path / "a.npz"
    np.savez(path, images=pixels(30, 4, 4))
    whole = bytearray(path.read_bytes())
    place = whole.index(b"PK\1\2") + offset + 2
    whole[place] = 200 if offset == 4 else 0x21
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"a\.npz: not an"):
        data.load(f"npz:{path}")


def test_a_set_is_found_only_when_all_its_files_are_there(cifar):
    assert {line.name: line.found for line in data.listing(cifar)}["cifar10"]
    (cifar / "cifar-10-batches-py" / "data_batch_3").unlink()
    assert not {line.name: line.found for line in data.listing(cifar)}["cifar10"]
    with pytest.raises(ValueError, match="data_batch_3 is missing"):
        data.load("cifar10", root=cifar)


def test_a_deep_image_among_colour_ones_is_refused_too(tmp_path):
    for i, image in enumerate(pixels(3, 4, 4, 3)):
        write(tmp_path / f"{i}.png", image)
    write(tmp_path / "z.png", np.full((4, 4), 12800, np.uint16))
    with pytest.raises(ValueError, match=r"z\.png: has pixels of more than 8 bits"):
        data.load(f"folder:{tmp_path}")
