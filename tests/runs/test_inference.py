"""A trained cell from the command line: more samples, completions, and the likelihood of other images."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

import genbench
from genbench import DataSpec, data
from genbench.records.record import Record
from tests.commands import pictures, refused, script


@pytest.fixture
def genbench_(monkeypatch, capsys):
    return script(monkeypatch, capsys)


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "cells" / "digits" / "vae" / "seed-0"
    genbench.save(folder / "checkpoint" / "model.safetensors", genbench.build("vae", DataSpec((1, 8, 8), 256), width=8))
    return folder


def test_a_model_file_that_is_none_is_refused(genbench_, model, tmp_path):
    path = model / "checkpoint" / "model.safetensors"
    whole = path.read_bytes()
    for contents in (whole[:1000], b"\x80\x04cposix\nsystem\n", b""):
        path.write_bytes(contents)
        assert "not a genbench model" in refused(genbench_("sample", model, "-o", tmp_path / "x.png"))
    assert not (tmp_path / "x.png").exists()


def test_sampling_writes_a_picture_and_refuses_labels_that_mean_nothing(genbench_, model, tmp_path):
    target = tmp_path / "grid.png"
    assert genbench_("sample", model, "-n", 5, "-o", target)[0] == 0
    assert Image.open(target).size[0] > 8
    assert "--label 3: vae draws without labels" in refused(genbench_("sample", model, "--label", 3, "-o", target))
    cgan = genbench.build("cgan", DataSpec((1, 8, 8), 17, 10), width=8)
    genbench.save(tmp_path / "cgan.safetensors", cgan)
    assert genbench_("sample", tmp_path / "cgan.safetensors", "-n", 5, "-o", target, "--label", 9)[0] == 0
    assert "knows 0 to 9" in refused(genbench_("sample", tmp_path / "cgan.safetensors", "--label", 10, "-o", target))


@pytest.fixture
def causal(tmp_path):
    """A cell of a model that completes."""
    folder = tmp_path / "cells" / "digits" / "pixelcnn" / "seed-0"
    made = genbench.build("pixelcnn", DataSpec((1, 8, 8), 17, 10), width=8, depth=1, conditional=True)
    for parameter in made.parameters():  # an untrained one finds all levels equally likely, at any temperature
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    genbench.save(folder / "checkpoint" / "model.safetensors", made)
    about = {"dataset": "digits", "recipe": "pixelcnn", "label": "pixelcnn", "family": "x", "seed": 0, "status": "done"}
    hashes = dict(data.load("digits").hashes)
    Record(**about, stamp={"configuration": {"data": hashes}}).write(folder)
    return folder


def test_completing_other_images_than_the_cells_is_refused(genbench_, causal, tmp_path):
    about = Record.read(causal)
    hashes = dict(data.load("digits").hashes) | {"test": "0" * 64}
    about.model_copy(update={"stamp": {"configuration": {"data": hashes}}}).write(causal)
    line = refused(genbench_("sample", causal, "--complete", "-n", 8, "-o", tmp_path / "grid.png"))
    assert "not the images that" in line
    model = causal / "checkpoint" / "model.safetensors"
    assert "give the cell's folder" in refused(genbench_("sample", model, "--complete", "-o", tmp_path / "grid.png"))


def test_completing_keeps_the_top_of_test_images(genbench_, causal, tmp_path):
    target = tmp_path / "grid.png"
    test = data.load("digits").test.images[:8, 0].numpy().astype(int) * 255 // 16
    drawn = {}
    for words in ((), ("--keep", 2), ("--keep", 2, "--label", 3), ("--keep", 2, "--temperature", 0.1)):
        assert genbench_("sample", causal, "--complete", "-n", 8, "-o", target, *words)[0] == 0
        pixels = np.asarray(Image.open(target)).astype(int)
        assert pixels.shape == (2 * 56 + 2, 8 * 56 + 7 * 2)
        shown = np.stack([pixels[y : y + 56 : 7, x : x + 56 : 7] for y in (0, 58) for x in range(0, 8 * 58, 58)])
        kept = 2 if words else 4
        assert np.array_equal(shown[:8], test)
        assert np.array_equal(shown[8:, :kept], test[:, :kept])
        assert not np.array_equal(shown[8:, kept:], test[:, kept:])
        drawn[words] = shown[8:]
    assert not np.array_equal(drawn["--keep", 2], drawn["--keep", 2, "--temperature", 0.1])


def test_a_truncation_is_drawn_at(genbench_, tmp_path):
    made = genbench.build("biggan", genbench.DataSpec((1, 8, 8), levels=17, classes=10), width=8, latents=9)
    path = tmp_path / "model.safetensors"
    genbench.save(path, made)
    drawn = {}
    for truncation in (None, 0.01, 50):
        words = () if truncation is None else ("--truncation", truncation)
        assert genbench_("sample", path, "-n", 4, "-o", tmp_path / "x.png", *words)[0] == 0
        drawn[truncation] = (tmp_path / "x.png").read_bytes()
    assert drawn[None] == drawn[50] != drawn[0.01]
    assert "--truncation=0.0: give a positive number" in refused(genbench_("sample", path, "--truncation", 0))


@pytest.mark.parametrize("drawn_from", ["causal", "model"])
def test_a_temperature_is_drawn_at(genbench_, drawn_from, request, tmp_path):
    cell = request.getfixturevalue(drawn_from)
    plain, cold = tmp_path / "plain.png", tmp_path / "cold.png"
    drawn = ("--pixels", "drawn") if drawn_from == "model" else ()
    assert genbench_("sample", cell, "-n", 4, "-o", plain, *drawn)[0] == 0
    assert genbench_("sample", cell, "-n", 4, "-o", cold, *drawn, "--temperature", 1)[0] == 0
    assert plain.read_bytes() == cold.read_bytes()
    assert genbench_("sample", cell, "-n", 4, "-o", cold, *drawn, "--temperature", 0.05)[0] == 0
    assert plain.read_bytes() != cold.read_bytes()
    for value in (0, -1):
        said = refused(genbench_("sample", cell, "-n", 4, "-o", cold, "--temperature", value))
        assert f"--temperature {value:.1f}: give a positive number" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--complete", "--keep", 8], "--keep 8: images have 8 rows; give 1 to 7"),
        (["--complete", "--keep", 0], "--keep 0: images have 8 rows"),
        (["--complete", "-n", 360], "-n 360: digits has 359 test images"),
        (["--complete", "--label", 10], "--label 10: this model knows 0 to 9"),
        (["--complete", "--temperature", 0], "--temperature 0.0: give a positive number"),
        (["--temperature", -1], "--temperature -1.0: give a positive number"),
        (["--temperature", "nan"], "--temperature nan: give a positive number"),
        (["--complete", "--truncation", 0.5], "--truncation 0.5: does not go with --complete"),
        (["--complete", "--pixels", "drawn"], "--pixels drawn: does not go with --complete"),
        (["--pixels", "median"], "--pixels median: pixelcnn has one way to show them; leave it out"),
        (["--truncation", 0.5], "--truncation 0.5: pixelcnn draws at no truncation; leave it out"),
    ],
)
def test_completions_and_temperatures_that_cannot_be_are_refused(genbench_, causal, tmp_path, words, said):
    assert said in refused(genbench_("sample", causal, "-o", tmp_path / "x.png", *words))
    assert not (tmp_path / "x.png").exists()


def test_pixels_are_medians_unless_they_are_asked_for(genbench_, model, tmp_path):
    made = {}
    for words in ((), ("--pixels", "median"), ("--pixels", "drawn")):
        path = tmp_path / f"{len(made)}.png"
        assert genbench_("sample", model, "-n", 4, "-o", path, *words)[0] == 0
        made[words] = path.read_bytes()
    assert made[()] == made["--pixels", "median"] != made["--pixels", "drawn"]
    said = refused(genbench_("sample", model, "--temperature", 0.5))
    assert "--temperature 0.5: pixels are medians, which it does not move; add --pixels drawn" in said


def test_a_model_without_the_ability_refuses(genbench_, model, tmp_path):
    assert "--complete: vae does not complete images" in refused(genbench_("sample", model, "--complete"))
    path = tmp_path / "gan.safetensors"
    genbench.save(path, genbench.build("vae-gan", DataSpec((1, 8, 8), 17), width=4))
    assert "--temperature 0.5: vae-gan draws at no temperature" in refused(
        genbench_("sample", path, "--temperature", 0.5, "-o", tmp_path / "x.png")
    )


def test_a_model_given_labels_by_option_is_sampled_and_scored_with_them(genbench_, causal, tmp_path):
    assert genbench_("sample", causal, "-n", 4, "--label", 3, "-o", tmp_path / "x.png")[0] == 0
    status, out, _ = genbench_("score", causal, "--dataset", "digits", "--limit", 8)
    assert status == 0
    assert "given label" in out


def test_scoring_says_how_and_takes_every_image_of_a_folder(genbench_, model, tmp_path):
    folder = pictures(tmp_path / "images", 4)
    status, out, _ = genbench_("score", model, "--images", folder, "--draws", 3)
    assert status == 0
    assert out.startswith("≤ ")
    assert re.search(r"bits/dim \(bound, iwae, draws 3 \([\d.]+ effective\); 4 images of", out)
    clear = tmp_path / "clear.png"
    Image.new("LA", (8, 8)).save(clear)
    clear.rename(folder / "3.png")
    assert genbench_("score", model, "--images", folder, "--limit", 2, "--alpha", "black")[0] == 0
    assert "3.png: has transparent" in refused(genbench_("score", model, "--images", folder, "--alpha", "refuse"))
    colour = pictures(tmp_path / "colour", 4, "RGB")
    assert "images of (3, 8, 8)" in refused(genbench_("score", model, "--images", colour))
    assert "17 levels; the model was trained on (1, 8, 8) with 256" in refused(
        genbench_("score", model, "--dataset", "digits")
    )
    said = refused(genbench_("score", model, "--images", folder, "--effort", "paper"))
    assert "--effort paper: the likelihood of vae anneals nothing" in said
    assert "effort='slow': there are: fast" in refused(
        genbench_("score", model, "--images", folder, "--effort", "slow")
    )
    (folder / "2.png").write_bytes(b"")
    assert str(folder / "2.png") in refused(genbench_("score", model, "--images", folder))


def test_advice_of_a_score_names_no_option_that_it_lacks(genbench_, tmp_path):
    model = genbench.build("nice", genbench.DataSpec((1, 6, 8), 256), width=4)
    genbench.save(tmp_path / "nice.safetensors", model)
    (tmp_path / "mixed").mkdir()
    for i, width in enumerate((8, 9)):
        Image.new("L", (width, 6)).save(tmp_path / "mixed" / f"{i}.png")
    said = refused(genbench_("score", tmp_path / "nice.safetensors", "--dataset", f"folder:{tmp_path / 'mixed'}"))
    assert re.search(r"1\.png is 9×6 and .*0\.png is 8×6; bring them to one size", " ".join(said.split()))
    assert "--size" not in said
