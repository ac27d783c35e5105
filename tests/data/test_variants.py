"""Variants: each formula by hand, what composes and what does not, and that no content is in two places."""

import re
from dataclasses import replace

import pytest
import torch

from genbench import data
from genbench.data.dataset import Dataset
from genbench.data.edges import edge_map
from genbench.data.sources import negative
from genbench.data.variants import VARIANTS, variant_named
from genbench.seed import generator
from genbench.spec import DataSpec, Field, Split

PARTS = ("train", "validation", "test")
PINNED = {
    "unpaired:edges:mnist5k": ("ebaf4b3495aecf90", "51a5db89a388dbfd", "fbe2ff4b7df6f746"),
    "unpaired:edges:digits": ("ec02ef8bfd913afd", "d31661343a7c12fc", "b4d9a5b2a58d071f"),
    "negative:digits": ("a7d522acb9598318", "142a245a98f7c679", "964c217d7e866600"),
    "without-3:digits": ("d652140037d4bcfe", "a9ddc7dc7bf14772", "f0b9c163a8e3348e", "8b7a10d8e8c72fa6"),
}


def keys(images):
    return set(map(bytes, images.flatten(1).numpy()))


def pairs_of(count, classes=2, fields=None, shape=(1, 2, 2)):
    """A data set whose sources tell their own image: image and source i are full of level i."""
    level = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, *shape).contiguous()
    values = {name: torch.arange(count) for name in fields or {}}
    split = Split(level, torch.arange(count) % classes, level, values)
    spec = DataSpec(shape, classes=classes, source=shape, fields=fields or {})
    return Dataset("pairs", "Pairs", spec, split, split, split, {}, aligned=True)


def varied(dataset, prefix):
    return variant_named(prefix)[0].of(dataset, variant_named(prefix)[1])


@pytest.mark.parametrize("name", PINNED)
def test_splits_are_those_that_every_table_was_made_with(name):
    assert tuple(value[:16] for value in data.load(name).hashes.values()) == PINNED[name]


def test_unpaired_training_holds_no_pair_and_tests_hold_all():
    whole = data.load("edges:digits")
    found = data.load("unpaired:edges:digits")
    assert not found.spec.paired
    assert found.aligned
    assert (len(found.train), len(found.train.sources)) == (629, 629)
    apart = data.load("unpaired:negative:digits").train  # a negative says which image it is of; edges may coincide
    assert not keys(negative(apart.images, 17)) & keys(apart.sources)
    for part in ("validation", "test"):
        split = getattr(found, part)
        assert torch.equal(split.sources, edge_map(split.images, 17))
        assert found.hashes[part] == whole.hashes[part]


@pytest.mark.parametrize("prefix", ["lowres2", "blur", "shadow", "cartoon"])
def test_unpaired_training_of_each_variant_has_sources_of_other_rows(prefix):
    whole, apart = data.load(f"{prefix}:digits"), data.load(f"unpaired:{prefix}:digits")
    order = torch.randperm(1258, generator=generator(0, "unpaired", "train"))
    assert torch.equal(apart.train.images, whole.train.images[order[:629]])
    assert torch.equal(apart.train.sources, whole.train.sources[order[629:]])
    assert torch.equal(apart.test.sources, whole.test.sources)


def test_unpaired_rows_are_cut_at_random_once_and_labels_go_with_images():
    fields = {"mine": Field((), 256), "theirs": Field((), 256, "source")}
    found = varied(pairs_of(101, fields=fields), "unpaired")
    images, sources = (values[:, 0, 0, 0].long() for values in (found.train.images, found.train.sources))
    assert (len(images), len(sources)) == (51, 50)
    assert sorted([*images.tolist(), *sources.tolist()]) == list(range(101)), "each row is in one half"
    assert images.sort().values.tolist() != list(range(51)), "and which is drawn"
    assert torch.equal(images, varied(pairs_of(101), "unpaired").train.images[:, 0, 0, 0].long())
    assert torch.equal(found.train.labels, images % 2)
    assert torch.equal(found.train.fields["mine"], images)
    assert torch.equal(found.train.fields["theirs"], sources)


def test_negatives_by_hand_spread_over_the_bytes():
    image = torch.tensor([[[[0, 1], [2, 16]]]], dtype=torch.uint8)
    assert negative(image, 17).flatten().tolist() == [255, 239, 223, 0]
    assert negative(image, 256).flatten().tolist() == [255, 254, 253, 239]


@pytest.mark.parametrize(("prefix", "source_of"), [("edges", edge_map), ("negative", negative)])
def test_data_carry_the_known_map_from_images_to_sources(prefix, source_of):
    found = data.load(f"{prefix}:digits")
    assert found.aligned
    assert found.spec.source == (1, 8, 8)
    for part in PARTS:
        split = getattr(found, part)
        assert torch.equal(split.sources, source_of(split.images, 17))
        assert torch.equal(found.source_of(split.images), split.sources)
    unpaired = data.load(f"unpaired:{prefix}:digits")
    assert torch.equal(unpaired.source_of(unpaired.test.images), unpaired.test.sources)
    assert data.load("digits").source_of is None


def test_a_class_leaves_every_split_and_the_others_close_up():
    whole, found = data.load("digits"), data.load("without-3:digits")
    assert found.spec.classes == 9
    for part in PARTS:
        before, after = getattr(whole, part), getattr(found, part)
        kept = before.labels != 3
        assert torch.equal(after.images, before.images[kept])
        closed = [label - (label > 3) for label in before.labels[kept].tolist()]
        assert after.labels.tolist() == closed
    assert torch.equal(found.anomalous.images, whole.test.images[whole.test.labels == 3])
    assert (found.anomalous.labels == -1).all()
    assert set(found.hashes) == {*PARTS, "anomalous"}
    assert whole.anomalous is None


def test_what_comes_in_front_changes_the_anomalous_images_too():
    found = data.load("negative:without-3:digits")
    assert torch.equal(found.anomalous.sources, negative(found.anomalous.images, 17))
    binary = data.load("binarized:without-3:digits")
    assert int(binary.anomalous.images.max()) == 1
    assert len(data.load("unpaired:edges:without-3:digits").anomalous) == len(found.anomalous)


def test_few_labels_of_a_variant_leave_all_else_that_is_known_of_it():
    found = data.load("unpaired:edges:without-3:digits").with_labels(45)
    assert found.spec.labelled == 45
    assert not found.spec.paired
    assert found.aligned
    assert found.anomalous is not None
    assert found.source_of is not None


def test_titles_say_each_variant():
    assert data.load("unpaired:edges:binarized:digits").title.endswith(", binarised, from edges, unpaired")
    assert data.load("without-3:digits").title.endswith(", without class 3")


def test_each_prefix_is_found_by_its_name_and_no_other():
    for variant in VARIANTS:
        assert variant_named(variant.prefix.replace("K", "7"))[0] is variant
    assert variant_named("without-12")[1] == 12
    for other in ("without-", "without-K", "without-x", "without-٣", "edge", "edges2", ""):
        assert variant_named(other) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unpaired:digits", "unpaired: there are no sources .*; say unpaired:edges:digits"),
        ("edges:negative:digits", "edges: it makes sources of images, and these have some already"),
        ("negative:unpaired:edges:digits", "negative: it makes sources"),
        ("binarized:captions:digits", r"binarized: the fields \['caption'\] are of the images as they were"),
        ("binarized:unpaired:edges:digits", "binarized: images with .* say binarized: right in front of digits"),
        ("unpaired:unpaired:edges:digits", "a variant is asked for twice"),
        ("without-1:without-2:digits", "a variant is asked for twice"),
        ("without-10:digits", "without-10: there is no class 10: give 0 to 9"),
        ("without-2:unpaired:edges:digits", "say without-2: right in front of digits"),
        ("without-two:digits", "without-two: give a number, such as without-2"),
        ("without-K:digits", "without-K: give a number, such as without-2"),
        ("without:digits", "unknown variant 'without' .*did you mean without-2"),
    ],
)
def test_what_cannot_be_varied_is_refused_in_one_line(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        data.load(name)
    assert "\n" not in str(caught.value)
    assert re.match(rf"(data set|unknown variant).*'{name}'", str(caught.value))


def test_classes_and_pairs_that_are_too_few_are_refused():
    unlabelled = replace(pairs_of(4), spec=DataSpec((1, 2, 2), source=(1, 2, 2)))
    with pytest.raises(ValueError, match="where there are 2 or more, and there are 0"):
        varied(unlabelled, "without-0")
    with pytest.raises(ValueError, match="1 training pair cannot be cut into halves"):
        varied(pairs_of(1), "unpaired")
    with pytest.raises(ValueError, match="unpaired already"):
        varied(varied(pairs_of(4), "unpaired"), "unpaired")


def test_only_aligned_data_hand_out_sources_for_validation():
    fields = {"mine": Field((), 256), "theirs": Field((), 256, "source")}
    apart = varied(pairs_of(8, fields=fields), "unpaired")
    assert apart.splits.validation.sources is not None
    found = replace(apart, aligned=False).splits
    assert found.validation.sources is None
    assert set(found.validation.fields) == {"mine"}
    assert found.train is apart.train
