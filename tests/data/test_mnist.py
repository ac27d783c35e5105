"""IDX files, on small ones in the true format."""

import gzip

import numpy as np
import pytest
import torch

from genbench import data
from tests.data.pixels import pixels


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
    order = torch.tensor([(theirs.data == image).all((1, 2)).nonzero().item() for image in found.test.images[:, 0]])
    assert torch.equal(found.test.labels, theirs.targets[order])
    assert sorted(order.tolist()) == list(range(20)) != order.tolist(), "the first half is the easier"
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
    with pytest.raises(ValueError, match=r"idx3-ubyte.gz: damaged; get it again"):
        data.load("mnist", root=root)
