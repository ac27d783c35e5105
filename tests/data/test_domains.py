"""Several domains: each formula by hand, what training is told, and that nothing shows an image in two of them."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from genbench import data
from genbench.data.domains import joined, styled, tinted
from genbench.spec import DataSpec, Field, Split, to_bytes
from tests.data.pixels import pixels
from tests.data.test_mnist import idx

SEEN = {"colours": tinted, "styles": styled}
PINNED = {
    "colours:digits": ("8eaab2caac0568a8", "e65df2f4ff038e24", "ed092b796109e829"),
    "styles:digits": ("01f8dbed56892725", "6230b7033419a618", "9c67fcc3b0c1fe8e"),
    "colours:mnist5k": ("ee25cff8df2725ec", "009fd9cd88168036", "158ee1438dd94de1"),
    "styles:mnist5k": ("1de18e54374738de", "b6cdc2e8a057afb6", "81b6b0e777efa1e1"),
    "domains:simulated+mnist5k": ("9cdd5ce615e1caf8", "0bbc9683ee894711", "c594dea368b4e0c7"),
}


@pytest.mark.parametrize("name", PINNED)
def test_splits_are_those_that_every_table_was_made_with(name):
    assert tuple(value[:16] for value in data.load(name).hashes.values()) == PINNED[name]


def test_tints_by_hand():
    grey = torch.tensor([0, 1, 100, 255], dtype=torch.uint8).view(1, 1, 2, 2).expand(4, -1, -1, -1)
    found = tinted(grey, torch.arange(4), 256).flatten(2).tolist()
    whole, quarter = [0, 1, 100, 255], [0, 0, 25, 64]
    assert found[0] == [whole, quarter, quarter]
    assert found[1] == [quarter, whole, quarter]
    assert found[2] == [quarter, [0, 0, 38, 96], whole]
    assert found[3] == [whole, [0, 1, 88, 224], quarter]


def test_styles_by_hand():
    image = torch.zeros(4, 4, dtype=torch.uint8)
    image[1, 1], image[3, 3] = 9, 5
    found = styled(image.expand(4, 1, 4, 4), torch.arange(4), 17)[:, 0].tolist()
    assert found[0] == image.tolist()
    assert found[1] == [[9, 9, 9, 0], [9, 9, 9, 0], [9, 9, 9, 5], [0, 0, 5, 5]]
    assert found[2] == [[9, 9, 9, 0], [9, 0, 9, 0], [9, 9, 9, 5], [0, 0, 5, 0]]
    assert found[3] == [[16, 16, 16, 16], [16, 7, 16, 16], [16, 16, 16, 16], [16, 16, 16, 11]]


@pytest.mark.parametrize("prefix", SEEN)
def test_training_sees_each_image_in_one_domain_and_tests_in_two(prefix):
    plain, found = data.load("digits"), data.load(f"{prefix}:digits")
    channels = 3 if prefix == "colours" else 1
    assert found.spec.shape == found.spec.source == (channels, 8, 8)
    assert found.spec.fields == {"domain": Field((), 4), "source_domain": Field((), 4, "source")}
    assert (found.spec.paired, found.aligned, found.source_of) == (False, True, None)
    for name in ("train", "validation", "test"):
        content, split = getattr(plain, name), getattr(found, name)
        own, there = split.fields["source_domain"], split.fields["domain"]
        assert torch.equal(split.labels, content.labels)
        assert torch.equal(split.images, SEEN[prefix](content.images, there, 17))
        assert torch.equal(split.sources, to_bytes(SEEN[prefix](content.images, own, 17), 17))
        counts = (own * 4 + there).bincount(minlength=16).view(4, 4)
        if name == "train":
            assert torch.equal(own, there)
            assert counts.diag().max() - counts.diag().min() <= 1
        else:
            assert (counts.diag() == 0).all(), "no image is translated into its own domain"
            assert (counts[~torch.eye(4, dtype=torch.bool)] > 0).all()


def test_a_row_draws_its_domains_whatever_stands_behind_it():
    whole = data.load("colours:mnist5k").test.fields["source_domain"]
    few = data.load("colours:digits").test.fields["source_domain"]
    assert torch.equal(whole[: len(few)], few)


def test_two_data_sets_are_two_domains_without_a_pair():
    a, b, found = (data.load(name) for name in ("simulated", "mnist5k", "domains:simulated+mnist5k"))
    assert not found.aligned
    assert not found.spec.paired
    assert found.spec.fields == {"source_label": Field((), 10, "source")}
    for name in ("train", "validation", "test"):
        split, theirs = getattr(found, name), getattr(a, name)
        labels = dict(zip(map(bytes, theirs.images.numpy()), theirs.labels.tolist(), strict=True))
        assert [labels[bytes(image)] for image in split.sources.numpy()] == split.fields["source_label"].tolist()
        assert set(map(bytes, split.sources.numpy())) == set(labels)
        assert torch.equal(split.images, getattr(b, name).images)
        assert torch.equal(split.labels, getattr(b, name).labels)
        assert (split.labels == split.fields["source_label"]).float().mean() < 0.2, "rows say nothing of each other"
    assert found.splits.validation.sources is None
    assert found.splits.validation.fields == {}


def test_domains_of_other_sizes_are_cut_outside_training_and_spread_over_the_bytes():
    a, b = data.load("without-3:binarized:mnist5k"), data.load("binarized:simulated")
    found = joined(a, b)
    assert len(found.train.sources) == len(a.train) < len(found.train)
    assert len(found.test.sources) == len(found.test) == len(a.test)
    assert torch.equal(found.test.images, b.test.images[: len(a.test)])
    assert set(map(bytes, found.test.sources.numpy())) == set(map(bytes, (a.test.images * 255).numpy()))
    assert found.spec.fields == found.train.fields == {}, "no class of nine is one of ten"


def test_labels_of_sources_are_left_out_where_classes_are_called_otherwise():
    a, b = data.load("simulated"), data.load("mnist5k")
    named = replace(a, class_names=tuple("abcdefghij"))
    assert joined(named, b).spec.fields == {}
    assert joined(named, replace(b, class_names=tuple("abcdefghij"))).spec.fields == {
        "source_label": Field((), 10, "source")
    }


def test_fields_of_the_sources_are_told_from_those_of_the_images():
    a, b = data.load("simulated"), data.load("mnist5k")
    both = []
    for one in (a, b):
        placed = one.each(lambda split, _: Split(split.images, fields={"place": split.labels}))
        both.append(replace(placed, spec=DataSpec(one.spec.shape, fields={"place": Field((), 10)})))
    found = joined(*both)
    assert found.spec.fields == {"place": Field((), 10), "source_place": Field((), 10, "source")}
    assert torch.equal(found.train.fields["place"], b.train.labels)
    assert found.train.fields["source_place"].bincount().tolist() == [350] * 10
    assert not torch.equal(found.train.fields["source_place"], b.train.labels)
    taken = replace(b, spec=DataSpec(b.spec.shape, fields={"source_place": Field((), 10)}))
    with pytest.raises(ValueError, match="it makes a field 'source_place', and the data have one already"):
        joined(both[0], taken)


def test_a_folder_may_hold_a_plus(tmp_path):
    path = tmp_path / "a+b.npz"
    np.savez(path, images=np.arange(20, dtype=np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2))
    other = tmp_path / "c.npz"
    np.savez(other, images=np.arange(20, 40, dtype=np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2))
    assert data.load(f"domains:npz:{path}+npz:{other}").spec.source == (1, 8, 8)
    with pytest.raises(ValueError, match="more than one plus"):
        data.load("domains:npz:a+npz:b+npz:c")
    with pytest.raises(ValueError, match=r"both are made of npz:.*, so they would hold pairs"):
        data.load(f"domains:npz:{path}+npz:{path.parent}/./{path.name}")


def plain(folder, levels, mode="L", size=(8, 8)):
    """A folder with an image of each level, all over."""
    folder.mkdir(parents=True)
    for level in levels:
        Image.new(mode, size, level).save(folder / f"{level}.png")
    return folder


def test_an_image_that_stands_in_both_domains_is_refused_whatever_they_are_called(tmp_path):
    inside = plain(tmp_path / "pics" / "a", range(20))
    plain(tmp_path / "pics" / "b", range(20, 40))
    both = f"domains:folder:{inside}+folder:{tmp_path}/pics"
    with pytest.raises(
        ValueError, match=r"20 images of folder:\S+pics are in folder:\S+a too, so they would hold pairs"
    ):
        data.load(both)
    data.load(f"domains:folder:{inside}+folder:{tmp_path}/pics/b")
    twin = plain(tmp_path / "twin", range(100, 120))
    shutil.copy(inside / "7.png", twin)
    name = f"domains:folder:{twin}+folder:{inside}"
    with pytest.raises(ValueError, match=r"1 image of .* is in .*twin too, .*; keep each in one of the two") as caught:
        data.load(name)
    assert str(caught.value).startswith(f"data set '{name}': 1 image of folder:{inside} is in folder:{twin} too")


def test_an_image_of_any_split_is_seen():
    a, b = data.load("simulated"), data.load("mnist5k")
    for one in ("train", "validation", "test"):
        for other in ("train", "validation", "test"):
            split = getattr(b, other)
            images = split.images.clone()
            images[-1] = getattr(a, one).images[-1]
            with pytest.raises(ValueError, match="1 image of mnist5k is in simulated too"):
                joined(a, replace(b, **{other: replace(split, images=images)}))


def test_a_folder_is_brought_to_the_size_of_a_set_that_has_its_own(tmp_path):
    ours = plain(tmp_path / "ours", range(20), size=(40, 30))
    with pytest.raises(ValueError, match="give two data sets of one shape"):
        data.load(f"domains:folder:{ours}+mnist5k")
    for name in (f"domains:folder:{ours}+mnist5k", f"domains:mnist5k+folder:{ours}"):
        found = data.load(name, size=28)
        assert found.spec.shape == found.spec.source == (1, 28, 28)
    clear = plain(tmp_path / "clear", [(level, level, level, 0) for level in range(20)], "RGBA", (28, 28))
    for ground, level in (("black", 0), ("#ffffff", 255)):
        found = data.load(f"domains:mnist5k+folder:{clear}", alpha=ground)
        assert set(found.train.images.flatten().tolist()) == {level}
    with pytest.raises(ValueError, match=r"size=28: only folder:PATH .* domains:simulated\+mnist5k keeps its size"):
        data.load("domains:simulated+mnist5k", size=28)
    with pytest.raises(ValueError, match="alpha='black': only folder:PATH"):
        data.load("domains:simulated+mnist5k", alpha="black")


def test_characters_are_not_the_digits_of_the_same_number(tmp_path):
    for name, first in (("KMNIST", 0), ("MNIST", 100)):
        raw = tmp_path / name / "raw"
        raw.mkdir(parents=True)
        for split, n in (("train", 60), ("t10k", 20)):
            images = pixels(n, 28, 28, seed=first + n)
            (raw / f"{split}-images-idx3-ubyte").write_bytes(idx(images))
            (raw / f"{split}-labels-idx1-ubyte").write_bytes(idx((np.arange(n) % 10).astype(np.uint8)))
    assert data.load("kmnist", root=tmp_path).class_names[:3] == ("o", "ki", "su")
    assert data.load("domains:kmnist+mnist", root=tmp_path).spec.fields == {}
    assert "source_label" in data.load("domains:mnist5k+mnist", root=tmp_path).spec.fields


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("domains:digits", "give two names with a plus between them"),
        ("domains:", "give two names with a plus"),
        ("domains:digits+dgits", "unknown data set 'dgits': did you mean digits"),
        ("domain:digits+mnist5k", "did you mean domains"),
        ("domains:digits+mnist5k", r"digits has shape .* in 17 levels and mnist5k .*; give two data sets of one"),
        ("domains:binarized:mnist5k+simulated", "in 2 levels and simulated has shape"),
        ("domains:edges:simulated+mnist5k", "edges:simulated has sources of its own"),
        ("domains:binarized:digits+without-3:digits", "both are made of digits, so they would hold pairs"),
        ("unpaired:domains:simulated+mnist5k", "unpaired: sources and images are unpaired already"),
        ("without-3:domains:simulated+mnist5k", "say without-3: right in front of each of the two names"),
        ("colours:edges:digits", "colours: it makes sources of images, and these have some already"),
        ("styles:colours:digits", "styles: it makes sources"),
        ("unpaired:styles:digits", "unpaired: sources and images are unpaired already"),
    ],
)
def test_what_makes_no_domains_is_refused_in_one_line(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        data.load(name)
    assert "\n" not in str(caught.value)
    assert re.match(r"(data set|unknown variant)", str(caught.value))


def test_domains_of_images_in_colour_or_with_domains_are_refused(tmp_path):
    images = np.zeros((20, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "colour.npz", images=images)
    np.savez(tmp_path / "domain.npz", images=images[..., 0], field_domain=np.arange(20))
    with pytest.raises(ValueError, match="it makes domains of grey images, and these have 3 channels"):
        data.load(f"styles:npz:{tmp_path}/colour.npz")
    with pytest.raises(ValueError, match="it makes a field 'domain', and the data have one already"):
        data.load(f"styles:npz:{tmp_path}/domain.npz")
