"""Samples from anywhere: measured as a cell's are, in a row beside trained ones, refused where they do not fit."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import genbench
from genbench import data
from genbench.metrics.fidelity import paired
from genbench.records.record import Record
from genbench.runs.evaluate import evaluate
from genbench.runs.measures import proportional
from genbench.tables.rows import rows
from genbench.tables.texts import label
from tests.commands import refused, script
from tests.toys import cell, installed, run, suite

N = 40


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of a model that is told labels, whose samples are evaluated again as if they came from elsewhere."""
    out = tmp_path_factory.mktemp("run") / "out"
    with installed(tmp_path_factory.mktemp("site")):
        rows = [{"recipe": "parrot", "label": "told", "options": {"conditional": True}}]
        status, said = run(suite(row=rows, samples=N), out)
        assert status == 0, said
        yield out


@pytest.fixture(scope="module")
def drawn(ran):
    return np.load(cell(ran, "told") / "samples.npy")


def measured(images, out, **more):
    return evaluate(images, dataset="digits", **{"out": out, "label": "mine", "extractor": "classifier"} | more)


def test_samples_of_a_cell_get_its_figures_again(ran, drawn):
    before = Record.read(cell(ran, "told"))
    asked = proportional(data.load("digits").train.labels, 10, N)
    found = measured(drawn, ran, labels=asked)
    for part in ("quality", "agreement", "collapse", "given", "extractor"):
        assert getattr(found, part) == getattr(before, part), part
    assert found.digests["samples"] == before.digests["samples"]
    assert (found.status, found.family, found.fit, found.test, found.speed) == (
        "evaluated", "elsewhere", None, None, None,
    )  # fmt: skip
    assert found == Record.read(cell(ran, "mine"))
    assert found.stamp["extractor"] == before.stamp["extractor"]
    assert found.stamp["samples"] == before.stamp["samples"]
    assert found.stamp["drawn"] == "labels as they came with the samples"
    assert "budget" not in found.stamp
    assert sorted(path.name for path in cell(ran, "mine").iterdir()) == [
        "neighbours.png", "record.json", "samples.npy", "samples.png",
    ]  # fmt: skip
    table = {row["label"]: row for row in json.loads((ran / "table.json").read_text())}
    assert table["mine"]["fid"] == table["told"]["fid"]
    assert "nothing ranks them" in (ran / "table.md").read_text()


def test_whatever_holds_the_images_the_figures_are_the_same(drawn, tmp_path):
    given = {
        "tensor": torch.from_numpy(drawn),
        "channels last": drawn.transpose(0, 2, 3, 1),
        "grey": drawn[:, 0],
        "npy": tmp_path / "a.npy",
        "npz": str(tmp_path / "b.npz"),
    }
    np.save(given["npy"], drawn)
    np.savez(given["npz"], images=drawn[:, 0], labels=np.arange(N) % 10)
    digits = data.load("digits")
    for name, images in given.items():
        found = measured(images, tmp_path / "out", label=name)
        assert found.quality.fid == Record.read(tmp_path / "out/cells/digits/tensor/seed-0").quality.fid
        assert found.given == (("label",) if name == "npz" else ())
        assert f"{N} samples where {len(digits.test)} are usual" in found.quality.notes[-1]


def test_a_folder_of_pictures_says_its_classes(tmp_path):
    fashion = tmp_path / "theirs.npz"
    noise = np.random.default_rng(0)
    images = noise.integers(0, 256, (300, 8, 8, 3), dtype=np.uint8)
    np.savez(fashion, images=images, labels=np.arange(300) % 2)
    for i in range(N):
        (tmp_path / "mine" / f"class {i % 2}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[i]).save(tmp_path / "mine" / f"class {i % 2}" / f"{i:03}.png")
    found = evaluate(tmp_path / "mine", dataset=f"npz:{fashion}", extractor="classifier", out=tmp_path / "out")
    assert found.given == ("label",)
    assert found.agreement.agreement is not None
    kept = np.load(next((tmp_path / "out").rglob("samples.npy")))
    assert {image.tobytes() for image in kept} == {x.transpose(2, 0, 1).tobytes() for x in images[:N]}


def test_as_many_are_measured_as_of_the_other_rows(ran):
    many = data.load("digits").test.images
    found = measured(many, ran, label="many")
    assert found.quality.images == N
    assert found.quality.notes[-1] == f"many: a random {N} of {len(many)} samples, as many as other rows have"


def test_samples_that_come_class_by_class_are_measured_in_every_class(ran):
    test = data.load("digits").test
    order = test.labels.argsort(stable=True)
    found = measured(test.images[order], ran, label="ordered", labels=test.labels[order])
    kept = np.load(cell(ran, "ordered") / "samples.npy")
    asked = {image.tobytes(): int(label) for image, label in zip(test.images.numpy(), test.labels, strict=True)}
    assert np.bincount([asked[image.tobytes()] for image in kept]).tolist() == [4] * 10
    assert (found.quality.images, found.collapse.covered, found.collapse.classes) == (N, 10, 10)
    assert found.agreement.agreement > 0.8, "labels go with their samples"
    assert measured(test.images[order], ran, label="ordered too").collapse.covered >= 8


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (
            np.ones((N, 1, 8, 8), np.float32),
            "images are float32 from 1 to 1: give uint8, integer levels 0 to 16; (16 * x)",
        ),
        (
            np.full((N, 1, 8, 8), -0.5),
            "images are float64 from -0.5 to -0.5: give uint8, integer levels 0 to 16; (16 * (x",
        ),
        (np.full((N, 1, 8, 8), 9.0), "images are float64 from 9 to 9: give uint8, integer levels 0 to 16; x.round()"),
        (
            np.full((N, 1, 8, 8), 99, np.uint16),
            "from 99 to 99: give uint8, integer levels 0 to 16; bring them to 0 … 16",
        ),
        (np.full((N, 1, 8, 8), np.nan), "images are float64 from nan to nan: give uint8, integer levels 0 to 16; some"),
        (
            np.zeros((N, 1, 8, 8), bool),
            "images are bool from 0 to 0: give uint8, integer levels 0 to 16; (16 * x).astype",
        ),
        (
            torch.zeros(N, 1, 8, 8, dtype=torch.int32),
            "integer levels 0 to 16; x.astype('uint8')",
        ),
        (np.zeros((N, 1, 28, 28), np.uint8), "images have shape (40, 1, 28, 28): those of digits are (N, 1, 8, 8)"),
        (np.zeros((N, 3, 8, 8), np.uint8), "images have shape (40, 3, 8, 8)"),
        (np.zeros((N, 64), np.uint8), "images have shape (40, 64)"),
        (np.full((N, 8, 8), 17, np.uint8), "images reach level 17: digits has levels 0 to 16"),
        (np.zeros((3, 8, 8), np.uint8), "images: 3, and measures of quality need"),
        (np.array(["a"] * N), "an array of <U1; give uint8"),
    ],
)
def test_images_that_do_not_fit_are_refused_in_one_line(tmp_path, images, said):
    with pytest.raises(ValueError, match="images") as error:
        measured(images, tmp_path / "out")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros(N - 1, np.int64), "labels are int64 (39,): give an integer for each of 40 images"),
        (np.zeros(N), "labels are float64"),
        (np.full(N, 10), "labels run from 10 to 10: give 0 to 9"),
    ],
)
def test_labels_that_do_not_fit_are_refused(drawn, tmp_path, labels, said):
    with pytest.raises(ValueError, match="labels") as error:
        measured(drawn, tmp_path / "out", labels=labels)
    assert said in str(error.value)


def test_the_command_measures_and_refuses(monkeypatch, capsys, drawn, tmp_path):
    genbench_ = script(monkeypatch, capsys)
    path, out = tmp_path / "x.npz", tmp_path / "out"
    np.savez(path, images=drawn)
    words = ("--dataset", "digits", "--label", "my model", "--out", out, "--extractor", "classifier")
    status, said, _ = genbench_("evaluate", path, *words)
    assert status == 0
    assert "my model" in said
    record = Record.read(out / "cells" / "digits" / "my-model" / "seed-0")
    command = f"genbench evaluate {path} --dataset digits --label 'my model' --extractor classifier"
    assert record.stamp["command"] == f"{command} --seed 0 --device cpu --out again"
    assert "there already; give another label, or replace it" in refused(genbench_("evaluate", path, *words))
    assert genbench_("evaluate", path, *words, "--fresh")[0] == 0
    assert genbench_("evaluate", path, *words, "--seed", 1)[0] == 0
    (row,) = json.loads((out / "table.json").read_text())
    assert (row["seeds"], row["fid_std"]) == ([0, 1], pytest.approx(0, abs=1))
    assert "is an anchor's" in refused(genbench_("evaluate", path, *words[:3], "noise", *words[4:]))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "not an .npz file of plain arrays, or damaged" in refused(genbench_("evaluate", path, *words, "--fresh"))
    np.savez(path, pictures=drawn)
    assert "no array 'images'" in refused(genbench_("evaluate", path, *words, "--fresh"))
    assert "give a folder of images" in refused(genbench_("evaluate", tmp_path / "none", *words))


def test_translations_are_held_against_their_own_targets(monkeypatch, capsys, tmp_path):
    test, out = data.load("edges:digits").test, tmp_path / "out"
    images = (test.images[:N].int() + torch.arange(N)[:, None, None, None] % 3).clamp(max=16).to(torch.uint8)
    words = {"dataset": "edges:digits", "extractor": "classifier", "out": out, "translations": True}
    found = evaluate(images, label="in order", **words)
    assert found.paired == paired(images, test.images[:N], 17)
    assert (found.given, found.stamp["drawn"]) == (("source",), "source of the test split, in order")
    assert evaluate(images.flip(0), label="out of order", **words).paired.ssim < found.paired.ssim
    plain = evaluate(images, label="plain", labels=test.labels[:N], **words | {"translations": False})
    assert (plain.paired, plain.agreement) == (None, found.agreement)

    np.save(tmp_path / "x.npy", images.numpy())
    genbench_ = script(monkeypatch, capsys)
    options = ("--dataset", "edges:digits", "--extractor", "classifier", "--label", "typed", "--out", out)
    assert genbench_("evaluate", tmp_path / "x.npy", *options, "--translations")[0] == 0
    typed = Record.read(cell(out, "typed", "edges-digits"))
    assert typed.paired == found.paired
    assert typed.stamp["command"].endswith("--out again --translations")


@pytest.mark.parametrize(
    ("dataset", "labels", "count", "said"),
    [
        ("digits", None, N, "digits has no sources to translate"),
        ("edges:digits", np.zeros(N, np.int64), N, "leave the labels out"),
        ("edges:digits", None, 1000, "1000 samples for 359 test sources"),
    ],
)
def test_translations_that_do_not_fit_are_refused(tmp_path, dataset, labels, count, said):
    images = np.zeros((count, 8, 8), np.uint8)
    with pytest.raises(ValueError, match="translations") as error:
        evaluate(images, dataset=dataset, labels=labels, translations=True, out=tmp_path / "out")
    assert said in str(error.value)


@pytest.mark.parametrize(
    "wrong", [{"extractor": "clasifier"}, {"seed": -1}, {"seed": 2**32}, {"label": " "}, {"label": "Noise"}]
)
def test_what_is_wrong_with_the_arguments_is_said_before_any_data_are_read(tmp_path, monkeypatch, wrong):
    monkeypatch.setattr(data, "load", lambda *_, **__: pytest.fail("data were read"))
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} "):
        measured(np.zeros((N, 8, 8), np.uint8), tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_no_trained_cell_is_ever_replaced(ran, drawn):
    before = Record.read(cell(ran, "told"))
    with pytest.raises(ValueError, match="a cell that was trained here; give another label"):
        measured(drawn, ran, label="told", fresh=True)
    assert Record.read(cell(ran, "told")) == before


def test_the_stamped_command_says_the_labels_that_were_passed_and_what_was_not_kept(drawn, tmp_path):
    np.save(tmp_path / "x.npy", drawn)
    found = measured(tmp_path / "x.npy", tmp_path / "out", labels=np.arange(N) % 10)
    assert found.stamp["command"].startswith(f"genbench.evaluate('{tmp_path}/x.npy', labels=…, ")
    frame = genbench.evaluate(drawn, dataset="digits", extractor="classifier")
    assert frame.attrs["stamps"]["samples on digits"]["command"] == "none: the samples were not kept"


def test_a_damaged_compressed_file_and_a_device_that_is_not_there_are_one_line(monkeypatch, capsys, drawn, tmp_path):
    genbench_, path = script(monkeypatch, capsys), tmp_path / "x.npz"
    words = ("--dataset", "digits", "--label", "mine", "--out", tmp_path / "out", "--extractor", "classifier")
    np.savez_compressed(path, images=np.random.default_rng(0).integers(0, 17, drawn.shape, dtype=np.uint8))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "torch sees no CUDA device" in refused(genbench_("evaluate", path, *words, "--device", "cuda"))
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 40] = bytes(40)
    path.write_bytes(whole)
    assert "not an .npz file of plain arrays, or damaged" in refused(genbench_("evaluate", path, *words))


def test_the_extractor_and_the_columns_are_those_of_the_run(ran, drawn):
    text = (ran / "suite.toml").read_text()
    (ran / "suite.toml").write_text(text.replace('columns = "default"', 'columns = "recall"'))
    found = measured(drawn, ran, label="as the others", extractor=None)
    assert found.extractor == "classifier"
    assert "Precision" not in (ran / "table.md").read_text()


def test_samples_of_few_levels_and_copies_of_the_data_are_said(tmp_path):
    theirs, black = tmp_path / "theirs.npz", np.zeros((N, 8, 8, 3), np.uint8)
    images = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3), dtype=np.uint8)
    np.savez(theirs, images=images, labels=np.arange(300) % 2)
    known = data.load(f"npz:{theirs}")
    more = {"dataset": f"npz:{theirs}", "extractor": "classifier", "out": tmp_path / "out"}
    black[::2, 0, 0] = 1
    few = evaluate(black, label="few", **more)
    assert (
        few.quality.notes[-1] == "few: its samples use 2 of the 256 levels of the data: rounded or scaled by mistake?"
    )
    assert few.collapse.exact == {"train": 0, "validation": 0, "test": 0}
    stolen = torch.cat([known.train.images[:20], known.test.images[:3], 255 - known.train.images[:N]])[:N]
    copied = evaluate(stolen, label="copied", **more)
    assert copied.collapse.exact == {"train": 20, "validation": 0, "test": 3}
    (row,) = rows([copied])
    said = row["notes"]
    assert (row["copied"], label(row)) == (23, "copied ‡")
    (row,) = rows([few])
    assert (row["copied"], label(row)) == (0, "few")
    n = copied.quality.images
    assert any(f"20 of {n} samples are images of the train split, pixel by pixel" in note for note in said)
