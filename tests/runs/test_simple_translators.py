"""Anchors that translate: exact where a map of their kind made the images, and measured like any samples."""

from dataclasses import replace

import pytest
import torch

from genbench import data
from genbench.metrics.fidelity import paired
from genbench.records import layout
from genbench.runs import anchors, simple_translators
from genbench.runs.anchors import names
from genbench.runs.config import ANCHORS, Setting
from genbench.runs.simple_translators import affine, copy, linear, nearest_source
from genbench.runs.suite import ANCHOR_NAMES, TRANSLATORS
from genbench.spec import DataSpec, Split
from tests.translated import cell_of, translated

QUIET = Setting("Toys", None, None, lambda cell, spent: "again")


def noise(*shape, low=0, high=256, seed=0):
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_a_copy_of_the_same_shape_is_the_source_in_the_images_levels():
    sources = torch.tensor([0, 64, 128, 191, 255, 31, 32, 33] * 8, dtype=torch.uint8).view(1, 1, 8, 8)
    assert torch.equal(copy(sources, DataSpec((1, 8, 8), source=(1, 8, 8))), sources)
    few = copy(sources, DataSpec((1, 8, 8), 5, source=(1, 8, 8)))
    assert few[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 0, 1, 1]


def test_a_copy_repeats_grey_averages_colours_and_enlarges_smoothly():
    grey = noise(3, 1, 8, 8)
    assert torch.equal(copy(grey, DataSpec((3, 8, 8), source=(1, 8, 8))), grey.expand(-1, 3, -1, -1))
    colour = torch.tensor([10, 20, 60], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 8, 8)
    assert set(copy(colour, DataSpec((1, 8, 8), source=(3, 8, 8))).flatten().tolist()) == {30}
    step = torch.zeros((1, 1, 4, 4), dtype=torch.uint8)
    step[..., 2:] = 200
    large = copy(step, DataSpec((1, 8, 8), source=(1, 4, 4)))[0, 0, 0].tolist()
    assert large[0] == 0
    assert 0 < large[3] < 100 < large[4] < 200, "between both, where nearest pixels would be one of them"
    assert max(large) > 200, "cubic: it overshoots a step"
    assert copy(noise(2, 1, 16, 16), DataSpec((1, 8, 8), source=(1, 16, 16))).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_linear_anchor_is_exact_on_a_shift_by_one_pixel(channels):
    spec = DataSpec((channels, 12, 12), source=(channels, 12, 12))
    framed = torch.zeros((80, channels, 12, 12), dtype=torch.uint8)
    framed[..., 5:-5, 5:-5] = noise(80, channels, 2, 2)  # no window of a mirrored edge sees ink
    shifted = framed.roll(1, 3)
    found = linear(Split(shifted[:60], sources=framed[:60]), framed[60:], spec)
    assert torch.equal(found, shifted[60:])
    assert not torch.equal(copy(framed[60:], spec), shifted[60:])


def test_the_linear_anchor_has_a_bias_and_one_filter_for_all_channels():
    spec = DataSpec((3, 9, 9), source=(3, 9, 9))
    sources = noise(60, 3, 9, 9, high=100)
    brighter = sources + 50
    assert torch.equal(linear(Split(brighter[:50], sources=sources[:50]), sources[50:], spec), brighter[50:])
    swapped = sources.roll(1, 1)  # no filter of one channel can do that
    found = linear(Split(swapped[:50], sources=sources[:50]), sources[50:], spec)
    assert (found.double() - swapped[50:].double()).abs().mean() > 10


def test_the_affine_anchor_is_exact_on_an_affine_map_of_another_shape():
    spec = DataSpec((1, 8, 8), source=(1, 4, 4))
    sources = noise(200, 1, 4, 4)
    weights = torch.rand((16, 64), generator=torch.Generator().manual_seed(1), dtype=torch.float64) / 16
    images = (sources.flatten(1).double() @ weights + 20).round().clamp(0, 255).to(torch.uint8).view(-1, 1, 8, 8)
    train, validation = (Split(images[rows], sources=sources[rows]) for rows in (slice(120), slice(120, 150)))
    found = affine(train, validation, sources[150:], spec)
    # The images are rounded, by up to half a level, and so is what comes out.
    assert int((found.int() - images[150:].int()).abs().max()) <= 1
    assert float((found == images[150:]).double().mean()) > 0.8


def test_the_affine_anchors_penalty_is_what_validation_pairs_say():
    spec = DataSpec((1, 8, 8), source=(1, 8, 8))
    sources, images = noise(60, 1, 8, 8), noise(60, 1, 8, 8, seed=1)  # nothing to learn: the mean is best
    train, validation = Split(images[:40], sources=sources[:40]), Split(images[40:], sources=sources[40:])
    mean = images[:40].double().mean(0)
    found = affine(train, validation, sources[40:], spec)
    assert float((found.double() - mean).abs().mean()) < 10
    learned = affine(train, Split(images[:40], sources=sources[:40]), sources[:40], spec)
    assert float((learned.double() - images[:40].double()).abs().mean()) < 1, "64 numbers fit 40 images"


def test_the_nearest_source_of_a_training_source_gives_its_image():
    sources = noise(300, 1, 8, 8, low=200)
    sources[:, 0, 0, 0] = torch.arange(300).remainder(50).to(torch.uint8)
    images = noise(300, 3, 8, 8, seed=2)
    train = Split(images, sources=sources)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(3))
    assert torch.equal(nearest_source(train, sources[order]), images[order])
    near = sources[:1].clone()
    near[0, 0, 0, 0] += 1
    assert torch.equal(nearest_source(train, near), images[:1])


@pytest.mark.parametrize("numbers", [1, 4_000, 60_000])
def test_translations_are_the_same_however_few_are_made_at_once(numbers, monkeypatch):
    spec = DataSpec((3, 13, 10), source=(3, 13, 10))
    sources, images = noise(90, 3, 13, 10), noise(90, 3, 13, 10, seed=1)
    train, validation = (Split(images[rows], sources=sources[rows]) for rows in (slice(60), slice(60, 75)))
    translations = [
        lambda: copy(sources, spec),
        lambda: linear(train, sources[60:], spec),
        lambda: affine(train, validation, sources[75:], spec),
        lambda: nearest_source(train, sources),
    ]
    wanted = [translate() for translate in translations]
    monkeypatch.setattr(simple_translators, "NUMBERS", numbers)
    for translate, found in zip(translations, wanted, strict=True):
        assert torch.equal(translate(), found)


def test_of_several_nearest_sources_the_first_is_taken_in_whatever_block(monkeypatch):
    sources = noise(20, 1, 4, 4)
    both = Split(noise(40, 1, 4, 4, seed=1), sources=torch.cat([sources, sources]))
    for numbers in (16 * 7, 16 * 1000):
        monkeypatch.setattr(simple_translators, "NUMBERS", numbers)
        assert torch.equal(nearest_source(both, sources), both.images[:20])


def test_data_to_translate_from_have_simple_translations_and_no_lossless_files():
    plain = DataSpec((1, 28, 28))
    assert not set(names(plain)) & set(TRANSLATORS)
    pairs = replace(plain, source=(1, 28, 28))
    assert names(pairs) == ("real (test)", "noise", "k-means", "uniform", *TRANSLATORS)
    assert names(replace(pairs, paired=False))[-2:] == ("uniform", "copy"), "the others learn from pairs"
    assert "affine" not in names(replace(pairs, source=(3, 28, 28)))
    assert set(names(pairs)) < set(ANCHOR_NAMES)


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """A function that measures the anchors of a data set, and returns the records by name."""

    def measure(dataset, twin=None):
        monkeypatch.setattr(data, "load", lambda name, **words: dataset)
        cell = cell_of(dataset, recipe=ANCHORS, given=(), twin=twin, budget={}, batch_size=0)
        folders = {
            name: tmp_path / "cells" / "mine" / layout_name(name) / "seed-0.part" for name in names(dataset.spec)
        }
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        found = anchors.work(cell, QUIET, folders, lambda stage, fraction: None)
        return {record.recipe: record for record in found}

    return measure


def layout_name(name):
    return name.replace(" ", "-")


def test_they_are_measured_like_samples_on_pairs(measured, tmp_path):
    dataset = translated("identity", "shadow")
    found = measured(dataset)
    assert tuple(found) == names(dataset.spec)
    assert (found["copy"].status, found["copy"].given) == ("anchor", ("source",))
    assert found["copy"].stamp["drawn"] == "source of the test split, in order"
    assert found["copy"].paired.l1 == found["copy"].shadow.rmse == 0, "these sources are their images"
    assert found["copy"].rank_1.identities == 30
    near = nearest_source(dataset.train, dataset.test.sources)
    assert found["nearest source"].paired == paired(near, dataset.test.images, 256)
    for name in TRANSLATORS:
        assert found[name].quality.images == found[name].paired.images == 60
        assert found[name].agreement.agreement > 0.9, name
        assert (found[name].test, found[name].train) == (None, None)
        assert (tmp_path / "cells" / "mine" / layout_name(name) / "seed-0.part" / layout.GRID).is_file()
    for name in ("real (test)", "noise", "uniform"):
        assert (found[name].paired, found[name].given) == (None, ())
    assert "drawn" not in found["noise"].stamp


def test_a_copy_is_asked_for_the_other_domain_and_stays_where_it_was(measured):
    found = measured(translated("domain", "source_domain", paired=False))
    assert set(found) & set(TRANSLATORS) == {"copy"}
    assert found["copy"].domains.accuracy == 0
    assert found["copy"].paired is not None, "aligned in test, though trained without a pair"


def test_a_copy_without_a_target_is_judged_by_its_sources_labels(measured):
    found = measured(translated("source_label", aligned=False))
    assert found["copy"].paired is None
    assert found["copy"].agreement.agreement > 0.9
    assert found["copy"].taught.accuracy == 1


def test_a_twin_with_the_same_images_shares_no_translation(measured, tmp_path):
    first = measured(translated(name="mine"))
    for name, record in first.items():
        record.write(tmp_path / "cells" / "mine" / layout_name(name) / "seed-0")
    other = translated(name="other")
    test = replace(other.test, sources=255 - other.test.sources)
    found = measured(replace(other, test=test), twin="mine")
    assert found["copy"].paired.l1 > 0
    assert "measured" not in found["copy"].stamp
    assert "measured" in found["noise"].stamp


def test_every_anchor_has_as_many_images_as_a_row(measured):
    counts = {record.quality.images for record in measured(translated()).values() if record.quality}
    assert counts == {60}
