"""CIFAR-10, CIFAR-100, STL-10 and SVHN, on small files in the true format, and the download of what torchvision has."""

import hashlib
import pickle

import numpy as np
import pytest

from genbench import data
from tests.data.pixels import pixels


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


def test_cifar100_takes_its_fine_labels_and_their_names(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR100

    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    names = [f"fine {i}" for i in range(100)]
    batches = {
        name: {"data": pixels(n, 3072, seed=n), "fine_labels": [i % 100 for i in range(n)], "coarse_labels": [0] * n}
        for name, n in (("train", 1000), ("test", 200))
    }
    sums = {}
    for name, content in (batches | {"meta": {"fine_label_names": names, "coarse_label_names": ["x"]}}).items():
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR100, "train_list", [("train", sums["train"])])
    monkeypatch.setattr(CIFAR100, "test_list", [("test", sums["test"])])
    monkeypatch.setattr(CIFAR100, "meta", CIFAR100.meta | {"md5": sums["meta"]})
    found = data.load("cifar100", root=tmp_path)
    assert (found.spec.shape, found.spec.classes, found.class_names) == ((3, 32, 32), 100, tuple(names))
    assert (len(found.train), len(found.validation), len(found.test)) == (900, 100, 200)
    assert np.array_equal(found.test.images.numpy().reshape(200, -1), batches["test"]["data"])
    assert found.test.labels.tolist() == batches["test"]["fine_labels"]
    assert {line.name: line.found for line in data.listing(tmp_path)}["cifar100"]


def test_stl10_without_its_unlabelled_images(tmp_path, monkeypatch):
    from torchvision.datasets import STL10

    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    images = {"train": pixels(100, 3, 96, 96, seed=1), "test": pixels(20, 3, 96, 96, seed=2)}
    files = {"unlabeled_X.bin": b"never read"}
    for name, values in images.items():
        files[f"{name}_X.bin"] = values.transpose(0, 1, 3, 2).tobytes()  # column by column
        files[f"{name}_y.bin"] = bytes(i % 10 + 1 for i in range(len(values)))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "class_names.txt").write_text("\n".join("abcdefghij"))
    sums = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    for attribute in ("train_list", "test_list"):
        monkeypatch.setattr(STL10, attribute, [[name, sums[name]] for name, _ in getattr(STL10, attribute)])
    found = data.load("stl10", root=tmp_path)
    assert (found.spec.shape, len(found.train), len(found.validation)) == ((3, 96, 96), 90, 10)
    assert np.array_equal(found.test.images.numpy(), images["test"])
    assert found.test.labels.tolist() == [i % 10 for i in range(20)]
    assert found.class_names == tuple("abcdefghij")


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

    for kind in (datasets.MNIST, datasets.CIFAR10, datasets.STL10, datasets.SVHN):
        monkeypatch.setattr(kind, "download", never)
    for name in ("mnist", "fashion-mnist", "kmnist", "cifar10", "cifar100", "stl10", "svhn"):
        with pytest.raises(ValueError, match="missing"):
            data.load(name, root=tmp_path)
    assert not asked
    for name in ("mnist", "kmnist", "cifar10", "cifar100", "stl10", "svhn"):
        with pytest.raises(ValueError, match="no network"):
            data.load(name, root=tmp_path, download=True)
    assert len(asked) == 6


def test_a_set_is_found_only_when_all_its_files_are_there(cifar):
    assert {line.name: line.found for line in data.listing(cifar)}["cifar10"]
    (cifar / "cifar-10-batches-py" / "data_batch_3").unlink()
    assert not {line.name: line.found for line in data.listing(cifar)}["cifar10"]
    with pytest.raises(ValueError, match="data_batch_3 is missing"):
        data.load("cifar10", root=cifar)
