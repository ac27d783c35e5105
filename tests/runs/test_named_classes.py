"""Classes with names: samples, labels on the command line and scored images are matched by name, never by position."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

import genbench
from genbench import DataSpec, data
from genbench.data import external
from genbench.metrics.quality import MINIMUM_IMAGES
from genbench.plots import grid, sample_grid
from genbench.records.record import Record
from genbench.runs.evaluate import evaluate
from genbench.tables.rows import rows
from tests.commands import refused, script

NAMES = ("cat", "dog", "fox")
LIGHT = {"cat": 0, "dog": 1, "fox": 2, "wolf": 2, "x": 0, "y": 1, "z": 2}  # which third of an image is light


@pytest.fixture
def genbench_(monkeypatch, capsys):
    return script(monkeypatch, capsys)


def drawn(folder, names, count=20):
    """Class folders of images, each light in the third that is its class's."""
    noise = np.random.default_rng(len(names))
    for name in names:
        (folder / name).mkdir(parents=True)
        place = LIGHT[name]
        for i in range(count):
            image = noise.integers(0, 60, (9, 9), dtype=np.uint8)
            image[3 * place : 3 * place + 3] += 150
            Image.fromarray(image).save(folder / name / f"{i:02}.png")
    return folder


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("data") / "animals", NAMES, 40)


def measured(samples, animals, out, **more):
    return evaluate(samples, dataset=f"folder:{animals}", extractor="classifier", out=out, label="mine", **more)


def test_samples_are_matched_by_the_names_of_their_folders(animals, tmp_path):
    record = measured(drawn(tmp_path / "mine", ("dog", "fox", "wolf")), animals, tmp_path / "out")
    assert record.agreement.agreement == 1, "the labels of dogs and foxes are right"
    assert record.collapse.covered == 2
    assert record.collapse.missing == ("cat",)
    said = rows([record])[0]["notes"]
    assert "mine: no class of the data is called wolf: 20 samples count without a label" in said
    assert "mine: no samples of cat, of 3 classes: a collapse" in said
    assert "mine: hardly a sample of cat." in said
    assert record.stamp["class_names"] == list(NAMES)


def test_the_picture_of_samples_that_come_class_by_class_shows_every_class(animals, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(sample_grid, "SHOWN", 6)
    monkeypatch.setattr(sample_grid, "write", lambda *given, names: shown.append((given[3].labels.tolist(), names)))
    record = measured(drawn(tmp_path / "mine", NAMES, 5), animals, tmp_path / "out")
    assert (record.quality.images, shown) == (15, [([0, 0, 1, 1, 2, 2], NAMES)])


def test_more_are_measured_than_a_tiny_test_split_has(tmp_path):
    known = drawn(tmp_path / "known", NAMES, 10)
    assert len(data.load(f"folder:{known}").test) == 6
    record = measured(drawn(tmp_path / "mine", NAMES, 5), known, tmp_path / "out")
    assert record.quality.images == MINIMUM_IMAGES


def test_class_folders_that_none_of_the_classes_have_are_refused(animals, tmp_path):
    theirs = drawn(tmp_path / "mine", ("x", "y", "z"))
    with pytest.raises(ValueError, match=r"class folders x, y, z: none is a class of folder:\S+ \(cat, dog, fox\)"):
        measured(theirs, animals, tmp_path / "out")
    images = np.random.default_rng(0).integers(0, 256, (60, 9, 9), dtype=np.uint8)
    np.savez(tmp_path / "nameless.npz", images=images, labels=np.arange(60) % 3)
    found = external.read(theirs, data.load(f"npz:{tmp_path / 'nameless.npz'}"))
    assert found.notes == ("its class folders x, y, z are taken for the classes 0, 1, 2, in this order",)
    assert found.labels.tolist() == [0] * 20 + [1] * 20 + [2] * 20
    np.savez(tmp_path / "plain.npz", images=images)
    assert external.read(theirs, data.load(f"npz:{tmp_path / 'plain.npz'}")).labels is None


@pytest.fixture
def cell(animals, tmp_path):
    """A cell of a model that is given labels, and its record."""
    folder = tmp_path / "cells" / "animals" / "cgan" / "seed-0"
    spec = DataSpec((1, 9, 9), 256, 3)
    genbench.save(folder / "checkpoint" / "model.safetensors", genbench.build("cgan", spec, width=8))
    about = {"dataset": f"folder:{animals}", "recipe": "cgan", "label": "cgan", "family": "gan", "seed": 0}
    Record(**about, status="done", stamp={"class_names": list(NAMES)}).write(folder)
    return folder


def test_a_label_is_drawn_by_its_name(genbench_, cell, tmp_path):
    made = {}
    for label in ("fox", "Fox", "2", "dog"):
        assert genbench_("sample", cell, "-n", 3, "--label", label, "-o", tmp_path / "x.npz")[0] == 0
        with np.load(tmp_path / "x.npz") as file:
            made[label] = file["images"].tobytes(), file["labels"].tolist()
    assert made["fox"] == made["Fox"] == made["2"] != made["dog"]
    assert [made[label][1] for label in ("fox", "dog")] == [[2] * 3, [1] * 3]
    said = refused(genbench_("sample", cell, "--label", "wolf", "-o", tmp_path / "x.npz"))
    assert "--label wolf: this model knows cat, dog, fox" in said
    alone = cell / "checkpoint" / "model.safetensors"
    assert "--label fox: this model knows 0 to 2" in refused(genbench_("sample", alone, "--label", "fox"))


def test_images_are_scored_under_the_class_of_their_folder_s_name(animals, genbench_, tmp_path):
    spec = DataSpec((1, 9, 9), 256, 3)
    model = genbench.build("pixelcnn", spec, width=8, depth=1, conditional=True)
    noise = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data += 0.5 * torch.randn(parameter.shape, generator=noise)
    folder = tmp_path / "cell"
    genbench.save(folder / "checkpoint" / "model.safetensors", model)
    about = {"dataset": "x", "recipe": "pixelcnn", "label": "pixelcnn", "family": "x", "seed": 0, "status": "done"}
    Record(**about, stamp={"class_names": list(NAMES)}).write(folder)
    some = drawn(tmp_path / "some", ("dog", "fox"), 3)
    status, line, _ = genbench_("score", folder, "--images", some)
    assert status == 0
    images = data.folder.load(some, None)
    likelihood = model.log_likelihood(genbench.Split(images.images, images.labels + 1)).nats.mean()
    assert line.split()[1] == f"{-float(likelihood) / (81 * np.log(2)):.4f}"
    (some / "fox").rename(some / "wolf")
    said = refused(genbench_("score", folder, "--images", some))
    assert "no class of this model is called wolf: it knows cat, dog, fox" in said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([3, 255.0]), "float64 from 3 to 255: give uint8, integer levels 0 to 255; x.round().astype('uint8')"),
        (np.array([-0.3, 255.4]), "levels 0 to 255; x.round().clip(0, 255).astype('uint8')"),
        (np.array([0.25, 1], ">f4"), "float32 from 0.25 to 1: give uint8, integer levels 0 to 255; (255 * x).round()"),
        (np.array([1, 300], ">u2"), "uint16 from 1 to 300: give uint8, integer levels 0 to 255; bring them to 0"),
        (np.array([1, 2], np.longdouble), f"an array of {np.dtype(np.longdouble)}; give uint8"),
    ],
)
def test_advice_names_the_type_that_came_and_what_its_range_needs(animals, values, said):
    images = np.broadcast_to(values.repeat(15)[:, None, None], (30, 9, 9))
    known = data.load(f"folder:{animals}")
    with pytest.raises(ValueError, match="uint8") as error:
        external.checked(external.read(images, known).images, known)
    assert said in str(error.value)


def test_sizes_that_differ_are_told_of_size_where_there_is_such_an_option(genbench_, cell, animals, tmp_path):
    mixed = drawn(tmp_path / "mixed", NAMES, 5)
    Image.new("L", (5, 5)).save(mixed / "cat" / "99.png")
    words = ("--dataset", f"folder:{animals}", "--label", "mine", "--out", tmp_path / "out")
    evaluated = refused(genbench_("evaluate", mixed, *words))
    assert "99.png is 5×5" in evaluated
    assert evaluated.endswith("; bring them to one size\n")
    with pytest.raises(ValueError, match="bring them to one size"):
        data.folder.pictures(mixed)
    with pytest.raises(ValueError, match="say --size N to resize and crop all"):
        data.load(f"folder:{mixed}")


def test_a_grid_says_the_name_of_each_row(tmp_path):
    samples = torch.arange(6, dtype=torch.uint8)[:, None, None, None].expand(6, 1, 8, 8).contiguous()
    given = genbench.Batch(samples, torch.tensor([0, 1, 2, 0, 1, -1]))
    pictures = {}
    for names in ((), NAMES, ("a cat with a very long name indeed", "dog", "fox")):
        sample_grid.write(tmp_path / "x.png", samples, 256, given, names=names)
        pictures[names] = np.asarray(Image.open(tmp_path / "x.png"))
    plain, named = pictures[()], pictures[NAMES]
    margin = named.shape[1] - plain.shape[1]
    assert margin > 10
    assert np.array_equal(named[:, margin:], plain)
    for line in range(4):  # unknown, cat, dog, fox
        assert named[58 * line : 58 * line + 56, :margin].min() < 100, "something is written"
    assert all(named[58 * line + 56 : 58 * line + 58, :margin].min() == 255 for line in range(3))
    assert margin < pictures[("a cat with a very long name indeed", "dog", "fox")].shape[1] - plain.shape[1] < 150
    grey = grid.grid(samples.numpy(), captions=["x"])
    assert (grey.mode, io.BytesIO(grey.tobytes()).read(1)) == ("L", b"\xff")
