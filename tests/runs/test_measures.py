"""What is measured of samples, on models whose collapse is known: by whole cells, and by the anchors beside them."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from genbench import data
from genbench.records.record import Record, records
from genbench.runs import measures
from genbench.runs.anchors import centres, gaussian, names
from genbench.spec import DataSpec
from genbench.tables.rows import rows
from tests.records import anchor, collapse, everything, quality, record
from tests.toys import cell, installed, run, suite


@pytest.fixture(scope="module")
def parrots(tmp_path_factory):
    """A run of models that repeat 40 training images, one, and one whatever label they are asked for."""
    options = {"many": {}, "one": {"count": 1}, "told": {"count": 1, "conditional": True}}
    options["taught"] = {"conditional": True, "perceptual": "classifier"}
    table = [{"recipe": "parrot", "label": label, "options": given} for label, given in options.items()]
    with installed(tmp_path_factory.mktemp("site")):
        out = tmp_path_factory.mktemp("run") / "out"
        status, said = run(suite(row=[*table, {"recipe": "toy"}], samples=40), out)
        assert status == 0, said
        yield out


def of(out, label):
    return Record.read(cell(out, label))


def test_what_repeats_training_images_is_all_copies(parrots):
    found = of(parrots, "many").collapse
    assert (found.copies, found.distance) == (1, pytest.approx(0, abs=1e-3))
    assert found.duplicates < 0.2
    assert found.classes == 10
    assert found.covered >= 8
    assert found.diversity > 0.5


def test_what_draws_one_image_has_one_class_no_width_and_duplicates_alone(parrots):
    found = of(parrots, "one").collapse
    assert (found.covered, found.duplicates, found.copies) == (1, 1, 1)
    assert found.diversity == pytest.approx(0, abs=1e-6)
    images = torch.from_numpy(np.load(cell(parrots, "one") / "samples.npy"))
    digits = data.load("digits")
    judge = measures.extractor("classifier", digits, "cpu")
    drawn = int(judge.predict(images[:1], 17).argmax())
    share = float((digits.train.labels == drawn).double().mean())
    assert found.divergence == pytest.approx(-math.log2(share))
    assert found.divergence == pytest.approx(math.log2(10), abs=0.2)


def test_the_anchors_are_the_scale_of_collapse(parrots):
    real, noise, pixels = (of(parrots, name) for name in ("real-test", "noise", "pixel-gaussian"))
    # Of 40 distances the least one is below the hundredth. No image is its own neighbour: all would be.
    assert (real.collapse.duplicates, real.collapse.copies) == (1 / 40, 1 / 40)
    assert real.collapse.distance == 1
    assert real.collapse.covered == 10
    assert real.collapse.diversity == pytest.approx(1, abs=0.2)
    assert noise.collapse.copies == pixels.collapse.copies == 0
    assert noise.collapse.distance > 1
    assert of(parrots, "uniform").collapse is None


def test_agreement_of_a_model_that_is_told_a_label_has_its_binomial_error(parrots):
    table = {row["label"]: row for row in json.loads((parrots / "table.json").read_text())}
    # The labels are drawn in the classes' proportions, and the answer is always the same.
    share = of(parrots, "told").agreement.agreement
    assert share == pytest.approx(0.1, abs=0.03)
    assert table["told"]["agreement_se"] == pytest.approx(math.sqrt(share * (1 - share) / 39))
    assert table["many"]["agreement"] is None
    assert table["real (test)"]["agreement"] > 0.9
    head, *body = [line for line in everything(parrots).splitlines() if line.startswith("|")]
    place = [text.strip() for text in head.split("|")].index("Agreement ↑")
    said = {line.split("|")[1].strip(" *‡"): line.split("|")[place].strip() for line in body[1:]}
    assert {label for label, text in said.items() if text != "–"} == {"told", "taught", "real (test)"}
    assert said["told"].startswith(f"{share:.3f} ± 0.0")
    marked = {line.split("|")[1].strip(" *‡") for line in body[1:] if "‡" in line.split("|")[1]}
    assert marked == {"told", "taught", "many", "one"}, "parrots say what they have heard"


def test_samples_that_were_asked_for_classes_have_a_distance_in_each(parrots):
    real, told = of(parrots, "real-test").quality, of(parrots, "told").quality
    assert sorted(real.fid_classes) == sorted(told.fid_classes) == [str(k) for k in range(10)]
    assert told.fid_class == pytest.approx(sum(told.fid_classes.values()) / 10)
    assert told.fid_class > 1.5 * real.fid_class, "one image for all"
    assert of(parrots, "many").quality.fid_class is None
    table = {row["label"]: row for row in json.loads((parrots / "table.json").read_text())}
    assert (table["told"]["fid_class"], table["many"]["fid_class"]) == (told.fid_class, None)
    assert "FID, mean of classes" in everything(parrots)
    assert "FID, mean of classes" not in (parrots / "table.md").read_text()


def test_a_model_that_was_trained_on_the_extractor_shows_no_distance_under_it(parrots):
    assert (of(parrots, "taught").trained_on, of(parrots, "many").trained_on) == ("classifier", None)
    table = {row["label"]: row for row in json.loads((parrots / "table.json").read_text())}
    hidden = ("fid", "fid_se", "fid_infinity", "kid", "kid_se", "precision", "recall", "is", "fid_rank")
    assert of(parrots, "taught").quality.fid_class is not None
    hidden += ("fid_class", "fid_class_se", "fid_class_rank")
    assert [table["taught"][key] for key in hidden] == [None] * len(hidden)
    assert table["many"]["fid"] is not None
    assert table["taught"]["agreement"] == of(parrots, "taught").agreement.agreement
    assert table["taught"]["copies"] == 1
    text = everything(parrots)
    assert (
        text.count(
            "taught: trained on classifier, so FID, KID, precision, recall, density, coverage, IS under it say nothing"
        )
        == 1
    )
    (line,) = [line for line in text.splitlines() if line.startswith("| taught ")]
    (head,) = [line for line in text.splitlines() if line.startswith("| Recipe")]
    cells = dict(zip((x.strip() for x in head.split("|")), (x.strip() for x in line.split("|")), strict=True))
    assert {cells[name] for name in cells if name.startswith(("FID", "KID", "Precision", "Recall", "IS"))} == {"–"}


def test_a_setting_that_a_model_states_stands_in_its_record(parrots):
    assert of(parrots, "many").setting == "40 images"
    assert of(parrots, "toy").setting is None
    assert "Setting" in everything(parrots)


def tiles(path):
    """The 8×8 images of a grid, ``(rows, 8, 8, 8)`` on 0 … 255: each pixel is seven wide, with gaps of two."""
    image = np.asarray(Image.open(path))
    lines = (image.shape[0] + 2) // 58
    return np.stack(
        [[image[58 * i : 58 * i + 56 : 7, 58 * j : 58 * j + 56 : 7] for j in range(8)] for i in range(lines)]
    )


@pytest.mark.parametrize("label", ["toy", "many", "real-test"])
def test_neighbours_are_the_first_samples_above_the_nearest_training_images(parrots, label):
    digits = data.load("digits")
    extractor = measures.extractor("classifier", digits, "cpu")
    drawn = digits.test.images[:40]
    if label != "real-test":
        drawn = torch.from_numpy(np.load(cell(parrots, label) / "samples.npy"))
    ours, train = (extractor.features(images, 17).features for images in (drawn[:16], digits.train.images))
    nearest = [int((train - row).norm(dim=1).argmin()) for row in ours]
    expected = (digits.train.images[nearest][:, 0].int() * 255 // 16).numpy()
    shown = tiles(cell(parrots, label) / "neighbours.png")
    assert shown.shape == (4, 8, 8, 8)
    samples = (drawn[:16, 0].int() * 255 // 16).numpy()
    assert np.array_equal(shown[[0, 2]].reshape(16, 8, 8), samples)
    assert np.array_equal(shown[[1, 3]].reshape(16, 8, 8), expected)
    assert np.array_equal(expected, samples) == (label == "many")


def test_the_pixel_gaussian_has_each_pixels_mean_and_variance_and_nothing_else(monkeypatch):
    monkeypatch.setattr("genbench.runs.anchors.BLOCK", 7)
    source = torch.Generator().manual_seed(0)
    images = torch.randint(90, 160, (50, 3, 4, 5), generator=source, dtype=torch.uint8)
    images[:, 1] = images[:, :1].amin(1)  # one channel follows another
    images[:, :, 0, 0] = 7
    drawn = gaussian(images, 20_000, 256, 0)
    assert (drawn.dtype, drawn.shape) == (torch.uint8, (20_000, 3, 4, 5))
    assert torch.equal(drawn[:, :, 0, 0], torch.full((20_000, 3), 7, dtype=torch.uint8))
    for moment in (lambda x: x.double().mean(0), lambda x: x.double().std(0, correction=0)):
        assert float((moment(drawn) - moment(images)).abs().max()) < 0.6
    first, second = drawn[:, 0, 2, 2].double(), drawn[:, 1, 2, 2].double()
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.03
    assert torch.equal(drawn[:30], gaussian(images, 20_000, 256, 0)[:30])
    assert not torch.equal(drawn[:30], gaussian(images, 20_000, 256, 1)[:30])


def test_the_pixel_gaussian_stays_within_the_levels():
    images = torch.tensor([0, 3], dtype=torch.uint8).repeat(20).reshape(40, 1, 1, 1)
    drawn = gaussian(images, 1000, 4, 0)
    assert set(drawn.flatten().tolist()) == {0, 1, 2, 3}
    # Beyond half a level outside, on both sides: the tails of N(1.5, 1.5²) are clamped, not wrapped.
    assert (drawn == 0).double().mean() == pytest.approx(0.2525, abs=0.05)


def test_the_pixel_gaussian_is_an_anchor_of_any_data_without_a_likelihood(parrots):
    assert "pixel-gaussian" in names(DataSpec((1, 8, 8), 17))
    found = of(parrots, "pixel-gaussian")
    assert (found.status, found.test) == ("anchor", None)
    assert found.quality.images == 40
    assert found.agreement.agreement is None
    assert (cell(parrots, "pixel-gaussian") / "samples.png").is_file()


def test_the_pixel_histogram_has_bits_and_samples_and_k_means_is_near_to_the_training_images(parrots):
    counted, means, pixels = (of(parrots, name) for name in ("pixel-histogram", "k-means", "pixel-gaussian"))
    assert (counted.status, counted.test.kind, counted.test.method) == ("anchor", "exact", "histogram")
    assert max(counted.train.bpd, counted.test.bpd) < math.log2(17)
    assert means.test is None
    assert means.quality.fid < pixels.quality.fid
    assert means.collapse.copies < 0.2


def test_centres_are_means_and_come_again_only_where_they_must():
    train = data.load("digits").train.images
    found = centres(train, 200, 0)
    count = len(train) // 10
    assert (found.dtype, found.shape) == (torch.uint8, (200, 1, 8, 8))
    assert torch.equal(found[count:], found[: 200 - count])
    near = torch.cdist(found[:count].flatten(1).float(), train.flatten(1).float()).min(1).values
    assert float((near == 0).double().mean()) < 0.1, "copies"
    assert float(near.median()) < float(torch.pdist(train[:200].flatten(1).float()).median()) / 2
    assert torch.equal(found, centres(train, 200, 0))


def test_records_of_before_load_and_make_tables(tmp_path):
    old = record("cgan", given=("label",)).model_dump(mode="json")
    old["agreement"] = {"agreement": 0.9, "confidence": 0.8, "entropy": 0.9, "class_entropy": 3.2, "accuracy": 0.98}
    del old["collapse"], old["setting"]
    folder = tmp_path / "cells" / "mnist5k" / "cgan" / "seed-0"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(old))
    (read,) = records(tmp_path)
    assert (read.collapse, read.setting, read.agreement.standard_error) == (None, None, None)
    (row,) = rows([read])
    assert (row["agreement"], row["agreement_se"], row["copies"], row["setting"]) == (0.9, None, None, None)


def test_of_two_runs_anchors_the_one_that_knows_collapse_is_kept(tmp_path):
    before, after = (anchor("real (test)", quality=quality(9.0), collapse=part) for part in (None, collapse()))
    for name, item in (("a", before), ("b", after)):
        item.write(tmp_path / name / "cells" / "mnist5k" / "real-test" / "seed-0")
    for order in ("ab", "ba"):
        (kept,) = records(*(tmp_path / name for name in order))
        assert kept == after
