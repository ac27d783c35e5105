import importlib
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from genbench import data, files
from genbench.data import mnist5k
from genbench.data.dataset import digest
from genbench.data.edges import edge_map
from genbench.data.splits import stratified
from genbench.data.variants import VARIANTS

PINNED = {
    "digits": ("96432411b8f5d3b0", "7acaf37b069389ec", "2cb1fe53b6f9d835"),
    "mnist5k": ("8bbc020826ed12fa", "15cdc5992c7e46cb", "f76c0712caa92216"),
    "binarized:digits": ("4148aa3d0a01976e", "75b1a9a39f62d47c", "69157b81b67682e8"),
    "binarized:mnist5k": ("decd34175deb0567", "efc5491c93f4aef2", "98bcc334ca6de94c"),
    "edges:digits": ("cfcf481f2a6288e0", "d31661343a7c12fc", "b4d9a5b2a58d071f"),
    "edges:mnist5k": ("fe46727639df569a", "51a5db89a388dbfd", "fbe2ff4b7df6f746"),
}


@pytest.mark.parametrize("name", PINNED)
def test_splits_are_those_that_every_table_was_made_with(name):
    found = data.load(name)
    assert tuple(found.hashes[part][:16] for part in ("train", "validation", "test")) == PINNED[name]


@pytest.mark.parametrize("name", ["digits", "mnist5k", "simulated"])
def test_the_three_splits_hold_each_image_once(name):
    found = data.load(name)
    counts = tuple(len(split) for split in (found.train, found.validation, found.test))
    assert counts == data.SOURCES[name].counts
    whole = torch.cat([found.train.images, found.validation.images, found.test.images])
    raw = importlib.import_module(f"genbench.data.{name}").load()
    assert sorted(map(bytes, whole.flatten(1).numpy())) == sorted(map(bytes, raw.images.flatten(1).numpy()))
    spec = found.spec
    source = data.SOURCES[name]
    assert (spec.shape, spec.levels, spec.classes) == (source.shape, source.levels, source.classes)
    assert found.splits.train is found.train
    assert found.splits.validation is found.validation


def test_mnist5k_has_each_class_equally_often():
    found = data.load("mnist5k")
    for split, each in ((found.train, 350), (found.validation, 50), (found.test, 100)):
        assert split.labels.bincount().tolist() == [each] * 10


def test_each_class_is_within_one_image_of_its_share():
    labels = torch.tensor([0] * 53 + [1] * 17 + [2] * 101)[
        torch.randperm(171, generator=torch.Generator().manual_seed(0))
    ]
    parts = stratified(labels, 171, (0.7, 0.1, 0.2))
    assert torch.cat(parts).sort().values.tolist() == list(range(171))
    for label, count in ((0, 53), (1, 17), (2, 101)):
        for part, share in zip(parts, (0.7, 0.1, 0.2), strict=True):
            assert abs(int((labels[part] == label).sum()) - count * share) < 1
    assert not (labels[parts[0]].diff() >= 0).all(), "a part is not sorted by class"
    with pytest.raises(ValueError, match="3 images are too few"):
        stratified(None, 3, (0.7, 0.1, 0.2))


def test_the_digest_sees_every_array():
    from dataclasses import replace

    split = data.load("edges:digits").validation
    changed = [
        replace(split, images=split.images.roll(1, 0)),
        replace(split, labels=split.labels.roll(1)),
        replace(split, sources=split.sources.roll(1, 0)),
        replace(split, images=split.images.view(180, 1, 4, 16)),
    ]
    assert len({digest(split), *map(digest, changed)}) == 5


def test_mnist5k_comes_from_a_cache_that_is_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path))
    parses = []
    parsed = mnist5k._parsed()
    monkeypatch.setattr(mnist5k, "_parsed", lambda: (parses.append(1), parsed)[1])
    first, second = mnist5k.load(), mnist5k.load()
    assert len(parses) == 1
    assert torch.equal(first.images, second.images)
    file = tmp_path / "mnist5k.npz"
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole[:100_000] + b"\1" + whole[100_001:]):
        file.write_bytes(damaged)
        assert torch.equal(mnist5k.load().images, first.images)
        assert file.read_bytes() == whole
    assert len(parses) == 4


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "file" / "below"))
    assert len(mnist5k.load().images) == 5000


def test_the_cache_is_where_it_is_said_to_be(monkeypatch, tmp_path):
    monkeypatch.delenv("GENBENCH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files.cache_dir() == tmp_path / "genbench"
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "mine"))
    assert files.cache_dir() == tmp_path / "mine"
    monkeypatch.delenv("GENBENCH_DATA")
    assert data.data_dir() == tmp_path / "mine" / "data"


def test_binarized_pixels_are_drawn_with_their_grey_value_as_probability():
    grey, binary = data.load("digits"), data.load("binarized:digits")
    assert binary.spec.levels == 2
    chance = grey.train.images.double() / 16
    drawn = binary.train.images.double()
    assert torch.equal(binary.train.labels, grey.train.labels)
    assert (drawn[chance == 0] == 0).all()
    assert (drawn[chance == 1] == 1).all()
    for level in range(1, 16):
        here = drawn[grey.train.images == level]
        p = level / 16
        assert abs(here.mean() - p) < 4 * math.sqrt(p * (1 - p) / len(here))
    assert torch.equal(data.load("binarized:digits").test.images, binary.test.images)


def test_edges_of_a_square_are_its_outline():
    image = torch.zeros(1, 1, 10, 10, dtype=torch.uint8)
    image[..., 3:7, 3:7] = 255
    edges = edge_map(image, 256)[0, 0]
    assert set(edges.unique().tolist()) == {0, 255}
    assert (edges[4:6, 4:6] == 0).all(), "nothing inside"
    assert (edges[:2] == 0).all()
    assert (edges[:, 8:] == 0).all(), "nothing far outside"
    for row in (4, 5):
        assert (edges[row] > 0).sum() == 2, "one pixel on each side"
        assert (edges[:, row] > 0).sum() == 2
    assert (edge_map(torch.full((1, 3, 6, 6), 9, dtype=torch.uint8), 17) == 0).all(), "none in a plain image"


def test_edges_follow_the_range_of_levels_and_not_the_brightness_of_one_image():
    faint = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    faint[..., 4:] = 30
    assert (edge_map(faint, 256) == 0).all()
    assert (edge_map(faint, 31) > 0).any()


def test_sources_are_the_edges_of_their_own_image():
    plain, edges = data.load("digits"), data.load("edges:digits")
    assert edges.spec.source == (1, 8, 8)
    assert edges.spec.paired
    for part in ("train", "validation", "test"):
        images, split = getattr(plain, part).images, getattr(edges, part)
        assert torch.equal(split.images, images)
        assert torch.equal(split.sources, edge_map(images, 17))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnits5k", "unknown data set 'mnits5k': did you mean mnist5k"),
        ("edge:digits", "unknown variant 'edge' .*did you mean edges"),
        ("edges:", "unknown data set ''"),
        ("folder:", "unknown data set 'folder:'"),
        ("edges:edges:digits", "a variant is asked for twice"),
        ("binarized:edges:digits", "say binarized: right in front of digits"),
        ("mnist", r"nothing/MNIST/raw/train-images-idx3-ubyte: missing, gzipped or not; give its folder by --data-dir"),
        ("cifar10", "cifar10: .*cifar-10-batches-py/data_batch_1 is missing; .*--download"),
        ("svhn", "svhn: .*train_32x32.mat is missing; .*--download"),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        data.load(name)
    assert "\n" not in str(caught.value)


def test_size_is_for_folders():
    with pytest.raises(ValueError, match="size=16: only folder:PATH and pairs:PATH are resized; digits"):
        data.load("digits", size=16)


def test_the_listing_says_what_is_found(tmp_path):
    lines = {line.name: line for line in data.listing(tmp_path)}
    assert lines["digits"].found
    assert not lines["cifar10"].found
    assert str(tmp_path) in lines["cifar10"].where
    others = ("domains:A+B", *(f"{kind}:PATH" for kind in data.PATHS), *(f"{v.prefix}:NAME" for v in VARIANTS))
    assert {*others, *data.SOURCES} == set(lines)


def test_a_user_without_a_home_can_load_data(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("GENBENCH_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(files.Path, "home", homeless)
    assert files.cache_dir().is_absolute()


def test_a_cache_that_is_no_archive_of_ours_is_made_again(tmp_path, monkeypatch):
    path = tmp_path / "mnist5k.npz"
    np.savez(path, images=0)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"PK\1\2") + 6] = 200  # version needed: NotImplementedError
    path.write_bytes(whole)
    assert mnist5k._cached(path) is None


def test_edges_are_the_same_however_many_images_come_together():
    images = data.load("digits").train.images[:600]
    assert torch.equal(edge_map(images, 17), torch.cat([edge_map(image[None], 17) for image in images]))


def test_heavy_packages_wait_until_they_are_used():
    import subprocess
    import sys

    heavy = "{'torchvision', 'sklearn', 'mlxtend', 'scipy', 'PIL'}"
    code = f"import sys, genbench.data as d; d.listing(); print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_sound_cache_of_other_images_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path))
    images, labels = mnist5k.load().images[:, 0].numpy(), mnist5k.load().labels.numpy()
    np.savez(tmp_path / "mnist5k.npz", images=255 - images, labels=labels)  # its check sums are right
    assert np.array_equal(mnist5k.load().images[:, 0].numpy(), images)


def test_a_labelled_share_is_stratified_fixed_and_grows():
    whole = data.load("mnist5k")
    kept = {}
    for n in (10, 100, 3500):
        few = whole.with_labels(n)
        kept[n] = few.train.labels >= 0
        assert few.train.labels[kept[n]].bincount().tolist() == [n // 10] * 10
        assert torch.equal(few.train.labels[kept[n]], whole.train.labels[kept[n]])
        assert (few.train.labels[~kept[n]] == -1).all()
        assert few.spec.labelled == n
    assert bool((kept[100] | ~kept[10]).all()), "the labels of a smaller share are among those of a greater"
    assert torch.equal(kept[100], data.load("mnist5k").with_labels(100).train.labels >= 0)
    assert bool((whole.train.labels >= 0).all()), "the data set itself is as it was"


def test_a_labelled_share_leaves_all_else_as_it_is():
    whole = data.load("edges:digits")
    few = whole.with_labels(50)
    assert (few.hashes, few.name, few.title) == (whole.hashes, whole.name, whole.title)
    assert few.test is whole.test
    assert few.validation is whole.validation
    assert torch.equal(few.train.images, whole.train.images)
    assert torch.equal(few.train.sources, whole.train.sources)


def test_a_labelled_share_of_uneven_classes_has_some_of_each():
    whole = data.load("digits")
    rare = (whole.train.labels != 3) | (torch.arange(len(whole.train)) > 300)
    labels = torch.where(rare, whole.train.labels, 4)
    uneven = replace(whole, train=replace(whole.train, labels=labels))
    for n in (10, 57, 200):
        counts = uneven.with_labels(n).train.labels.clamp(min=-1).add(1).bincount(minlength=11)[1:]
        assert int(counts.sum()) == n
        shares = labels.bincount().double() / len(labels) * n
        assert (counts >= 1).all()
        assert ((counts - shares).abs() <= 1).all()


@pytest.mark.parametrize(
    ("name", "n", "said"),
    [
        ("digits", 9, "labelled=9: give 10, one a class of digits, to 1258, all that it has"),
        ("digits", 1259, "labelled=1259: give 10"),
        ("digits", -1, "labelled=-1: give 10"),
        ("unlabelled", 5, "labelled=5: unlabelled has no labels"),
    ],
)
def test_a_share_that_cannot_be_is_refused(name, n, said):
    whole = data.load("digits")
    if name == "unlabelled":
        whole = replace(whole, name=name, spec=replace(whole.spec, classes=0))
    with pytest.raises(ValueError, match=said):
        whole.with_labels(n)
