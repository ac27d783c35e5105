"""What ``genbench sample -o`` writes: what the name of the output says, or one line."""

import numpy as np
import pytest
import torch
from PIL import Image

import genbench
from genbench import DataSpec
from genbench.data import folder, npz
from genbench.data.classes import UNKNOWN
from genbench.runs import outputs
from tests.commands import pictures, refused, script

SAMPLES = torch.arange(6 * 3 * 4 * 5).reshape(6, 3, 4, 5).to(torch.uint8)
SPEC = DataSpec((3, 4, 5), 256, 3)
GIVEN = genbench.Batch(SAMPLES, torch.tensor([0, 1, 2, 0, 1, 2]))


@pytest.fixture
def genbench_(monkeypatch, capsys):
    return script(monkeypatch, capsys)


def shown(path):
    return np.asarray(Image.open(path))


def test_an_npz_holds_images_and_labels_and_is_read_again(tmp_path):
    outputs.write(tmp_path / "x.npz", SAMPLES, SPEC, GIVEN, ())
    with np.load(tmp_path / "x.npz") as file:
        assert np.array_equal(file["images"], SAMPLES.permute(0, 2, 3, 1))
        assert file["labels"].tolist() == GIVEN.labels.tolist()
    raw = npz.load(tmp_path / "x.npz")
    assert torch.equal(raw.images, SAMPLES)
    grey = SAMPLES[:, :1] % 17
    outputs.write(tmp_path / "grey.npz", grey, DataSpec((1, 4, 5), 17), None, ())
    with np.load(tmp_path / "grey.npz") as file:
        assert file.files == ["images"]
        assert np.array_equal(file["images"], grey[:, 0]), "in the levels of the data"


@pytest.mark.parametrize("names", [(), ("cat", "dog", "fox")])
def test_a_folder_holds_class_folders_that_are_read_again(tmp_path, names):
    outputs.write(tmp_path / "mine", SAMPLES, SPEC, GIVEN, names)
    raw = folder.load(tmp_path / "mine", None)
    assert raw.class_names == (names or ("0", "1", "2"))
    order = GIVEN.labels.argsort(stable=True)
    assert torch.equal(raw.images, SAMPLES[order])
    assert UNKNOWN not in raw.labels


def test_unlabelled_samples_are_numbered_in_one_folder_or_by_a_pattern(tmp_path):
    outputs.write(tmp_path / "mine", SAMPLES, SPEC, None, ())
    assert [path.name for path in sorted((tmp_path / "mine").iterdir())] == [f"{i:05}.png" for i in range(6)]
    few = SAMPLES[:2, :1] % 17
    outputs.write(tmp_path / "new" / "50%_img_%03d.png", few, DataSpec((1, 4, 5), 17), None, ())
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["50%_img_000.png", "50%_img_001.png"]
    spread = (few[1, 0].double() * 255 / 16).round()
    assert np.array_equal(shown(tmp_path / "new" / "50%_img_001.png"), spread), "levels are spread, as in a grid"


@pytest.mark.parametrize("name", ["x.jpg", "x.npy", "img_%03d.npz", "x.pdf"])
def test_what_is_not_written_is_refused_before_anything_is_drawn(genbench_, tmp_path, name, monkeypatch):
    genbench.save(tmp_path / "model.safetensors", genbench.build("vae", DataSpec((1, 8, 8), 256), width=8))
    monkeypatch.setattr("genbench.runs.inference.model_of", None)
    said = refused(genbench_("sample", tmp_path / "model.safetensors", "-o", tmp_path / name))
    assert f"{name}: give grid.png for one picture, samples.npz" in said


def test_a_folder_of_others_is_not_written_into_and_one_picture_is_one(genbench_, tmp_path):
    genbench.save(tmp_path / "model.safetensors", genbench.build("vae", DataSpec((1, 8, 8), 256), width=8))
    words = ("sample", tmp_path / "model.safetensors", "-n", 2, "-o")
    assert genbench_(*words, f"{tmp_path}/new/")[0] == 0
    assert len(list((tmp_path / "new").iterdir())) == 2
    assert "a folder that is not empty" in refused(genbench_(*words, tmp_path / "new"))
    for way in (("--complete",), ("--source", tmp_path)):
        assert f"{way[0]} draws one picture" in refused(genbench_(*words, tmp_path / "x.npz", *way))


def test_images_that_are_not_square_are_scored(genbench_, tmp_path):
    model = tmp_path / "model.safetensors"
    genbench.save(model, genbench.build("realnvp", DataSpec((1, 8, 12), 256), width=4))
    noise = np.random.default_rng(0)
    for name in "abcd":
        (tmp_path / "wide").mkdir(exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (8, 12), dtype=np.uint8)).save(tmp_path / "wide" / f"{name}.png")
    status, line, _ = genbench_("score", model, "--images", tmp_path / "wide")
    assert status == 0
    assert "; 4 images of" in line
    assert "; 3 of 4 images of" in genbench_("score", model, "--images", tmp_path / "wide", "--limit", 3)[1]
    for i in range(6):
        Image.open(tmp_path / "wide" / "a.png").save(tmp_path / "wide" / f"{i}.png")
    status, line, _ = genbench_("score", model, "--dataset", f"folder:{tmp_path / 'wide'}")
    assert status == 0
    square = pictures(tmp_path / "square", 4)
    assert "images of (1, 8, 8)" in refused(genbench_("score", model, "--images", square))
