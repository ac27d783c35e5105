"""Folder against folder: all images of each, exactly nothing between equal sets, statistics in a reference's place."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from genbench import data
from genbench.features.base import Extractor, TwoLayers, layers
from genbench.metrics.kid import kid
from genbench.runs import compare
from tests.commands import refused, script


class Eyes(TwoLayers):
    """Twelve random products of an image's pixels as features, and four as logits."""

    def __init__(self, name, features_list):
        super().__init__(name, features_list)
        self.weight = torch.nn.Parameter(torch.randn(3 * 36, 16, generator=torch.Generator().manual_seed(0)))

    def both(self, images):
        seen = images.float().expand(-1, 3, -1, -1).flatten(1) @ self.weight / 255
        return seen[:, :12], seen[:, 12:]


@pytest.fixture(autouse=True)
def eyes(monkeypatch):
    made = []

    def extractor(name, **more):
        made.append(more)
        return Extractor(name, "f" * 64, "none", Eyes(name, layers(Eyes)), batch_size=7)

    monkeypatch.setattr("genbench.features.extractor", extractor)
    return made


def images(count, seed, low=0):
    return np.random.default_rng(seed).integers(low, 256, (count, 6, 6, 3), dtype=np.uint8)


def folder(path, pixels):
    path.mkdir(parents=True)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(path / f"{i:03}.png")
    return str(path)


@pytest.fixture
def genbench_(monkeypatch, capsys):
    return script(monkeypatch, capsys)


@pytest.fixture
def sets(tmp_path):
    """A reference of 60 images, a copy of it in another order as an .npz, and 50 others."""
    reference = images(60, 0)
    np.savez(tmp_path / "same.npz", arr_0=reference[::-1])
    return [folder(tmp_path / "a", reference), str(tmp_path / "same.npz"), folder(tmp_path / "b", images(50, 1, 60))]


def features(pixels):
    return Eyes("x", layers(Eyes)).both(torch.from_numpy(pixels).permute(0, 3, 1, 2))[0].detach()


def test_equal_sets_are_at_no_distance_in_any_order_and_others_at_torch_fidelitys(sets):
    same, other = compare.compare(sets[0], sets[1:])
    assert same["fid"] == 0, "exactly"
    assert (same["precision"], same["recall"], same["coverage"]) == (1, 1, 1)
    real, fake = features(images(60, 0)), features(images(50, 1, 60))
    statistics = [fid_features_to_statistics(each.double()) for each in (real, fake)]
    theirs = fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]
    assert other["fid"] == pytest.approx(theirs, rel=1e-5)
    assert other["kid"] == pytest.approx(kid(real, fake).kid, rel=1e-3)
    assert other["kid_se"] == pytest.approx(kid(real, fake).standard_error, rel=1e-3)
    assert (other["images"], other["reference_images"], other["extractor"]) == (50, 60, "efficientnet-lite0")


def test_the_command_prints_a_table_and_json(genbench_, sets):
    status, said, _ = genbench_("compare", *sets)
    assert status == 0
    assert f"Against {sets[0]}, 60 images, efficientnet-lite0" in said
    first, second = (line for line in said.splitlines() if "│" in line)
    assert [cell.strip() for cell in first.split("│")][2:4] == ["60", first.split("│")[3].strip()]
    assert first.split("│")[3].strip().startswith("0 ± ")
    assert "–" not in second
    found = json.loads(genbench_("compare", *sets, "--format", "json")[1])
    assert [row["set"] for row in found] == sets[1:]
    assert found == compare.compare(sets[0], sets[1:])


def test_statistics_stand_in_a_reference_s_place(genbench_, sets, tmp_path):
    ref = tmp_path / "ref.npz"
    status, said, _ = genbench_("reference", sets[0], "-o", ref)
    assert (status, said.strip()) == (0, f"{ref}: 60 images, 12 features of efficientnet-lite0")
    whole = compare.compare(sets[0], sets[1:])
    for row, before in zip(compare.compare(str(ref), sets[1:]), whole, strict=True):
        assert (row["fid"], row["fid_se"]) == (before["fid"], before["fid_se"])
        assert (row["kid"], row["precision"], row["reference_images"]) == (None, None, 60)
    assert "–" in genbench_("compare", ref, sets[2])[1]
    said = refused(genbench_("compare", ref, sets[2], "--extractor", "inception-v3"))
    assert "of efficientnet-lite0, and inception-v3 is asked for; say --extractor efficientnet-lite0" in said
    with np.load(ref) as file:
        arrays = dict(file)
    assert np.allclose(arrays["mu"], features(images(60, 0)).double().mean(0))
    np.savez(ref, **arrays | {"hash": np.array("0" * 64)})
    assert "statistics of other weights of efficientnet-lite0" in refused(genbench_("compare", ref, sets[2]))
    np.savez(ref, **arrays | {"sigma": arrays["sigma"][:5]})
    assert "sigma (5, 12); give (D,) and (D, D)" in refused(genbench_("compare", ref, sets[2]))
    np.savez(ref, **arrays | {"mu": arrays["mu"] * np.nan})
    assert "not finite" in refused(genbench_("compare", ref, sets[2]))
    assert "learns from labelled images" in refused(genbench_("compare", ref, sets[2], "--extractor", "classifier"))
    assert "statistics are written as .npz" in refused(genbench_("reference", sets[0], "-o", tmp_path / "ref.png"))


def test_statistics_of_others_are_those_of_inception(genbench_, sets, tmp_path, monkeypatch):
    theirs = tmp_path / "theirs.npz"
    np.savez(theirs, mu=np.zeros(2048), sigma=np.eye(2048))
    said = refused(genbench_("compare", theirs, sets[2]))
    assert "statistics of inception-v3, and efficientnet-lite0 is asked for; say --extractor inception-v3" in said
    np.savez(theirs, mu=np.zeros(12), sigma=np.eye(12))
    said = refused(genbench_("compare", theirs, sets[2], "--extractor", "inception-v3"))
    assert "of an unknown extractor of 12 features" in said
    monkeypatch.setattr("genbench.metrics.statistics.INCEPTION_FEATURES", 12)
    (row,) = compare.compare(str(theirs), [sets[2]], extractor="inception-v3")
    seen = features(images(50, 1, 60)).double()
    root = torch.linalg.eigvalsh(seen.T.cov()).clamp(min=0).sqrt().sum()
    expected = seen.mean(0).square().sum() + 12 + seen.T.cov().trace() - 2 * root
    assert row["fid"] == pytest.approx(float(expected), rel=1e-7)
    assert (row["reference_images"], row["notes"]) == (None, [])


def test_sizes_are_brought_together_where_that_is_said(genbench_, sets, tmp_path):
    large = folder(tmp_path / "large", images(20, 2).repeat(2, 1).repeat(2, 2))
    Image.new("RGB", (30, 20)).save(tmp_path / "large" / "wide.png")
    assert "say --size N" in refused(genbench_("compare", sets[0], large))
    assert compare.compare(sets[0], [large], size=6)[0]["images"] == 21
    (tmp_path / "large" / "wide.png").unlink()
    said = refused(genbench_("compare", sets[0], large))
    assert f"{sets[0]} is 6×6 in 256 levels, {large} 12×12 in 256; say --size N" in said


def test_a_classifier_learns_the_reference_s_classes_and_labels_go_with_images(eyes, sets, tmp_path):
    pixels = images(60, 0)
    np.savez(tmp_path / "labelled.npz", images=pixels, labels=(pixels[:, 0, 0, 0] > 128).astype(int))
    compare.compare(str(tmp_path / "labelled.npz"), [sets[2]], extractor="classifier")
    told = eyes[-1]
    assert (told["spec"].shape, told["spec"].classes) == ((3, 6, 6), 2)
    learned = told["classifier_data"]
    assert torch.equal(learned.labels, (learned.images[:, 0, 0, 0] > 128).long())


def test_what_is_no_set_is_refused_in_one_line(genbench_, sets, tmp_path):
    few = folder(tmp_path / "few", images(3, 0))
    assert f"{few}: 3 images, and measures of quality need" in refused(genbench_("compare", sets[0], few))
    assert "none: no folder or file, and no data set either" in refused(
        genbench_("compare", sets[0], tmp_path / "none")
    )
    np.save(tmp_path / "x.npy", images(50, 1, 60))
    assert compare.compare(sets[2], [str(tmp_path / "x.npy")])[0]["fid"] == 0
    np.save(tmp_path / "x.npy", images(50, 1).astype(float))
    assert "images are float64; give uint8" in refused(genbench_("compare", sets[0], tmp_path / "x.npy"))


def test_a_data_set_stands_for_its_training_split(tmp_path):
    name = f"npz:{tmp_path / 'whole.npz'}"
    np.savez(tmp_path / "whole.npz", images=images(20, 0))
    np.save(tmp_path / "train.npy", data.load(name).train.images.permute(0, 2, 3, 1).numpy())
    (row,) = compare.compare(name, [str(tmp_path / "train.npy")])
    assert (row["fid"], row["images"]) == (0, 14)


def test_images_of_few_of_the_references_levels_are_said(sets, tmp_path):
    rounded = images(50, 1) // 128 * 255
    same, coarse = compare.compare(sets[0], [sets[1], folder(tmp_path / "c", rounded)])
    assert not any("levels" in note for note in same["notes"])
    assert "its samples use 2 of the 256 levels of the reference: rounded or scaled by mistake?" in coarse["notes"]
