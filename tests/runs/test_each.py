"""The CSV of ``genbench score --each``: what a cell makes of each image."""

import csv
import math

import pytest
import torch

import genbench
from genbench import data
from genbench.records.record import Record
from tests.commands import refused, script


@pytest.fixture
def genbench_(monkeypatch, capsys):
    return script(monkeypatch, capsys)


@pytest.fixture
def cell(tmp_path):
    """A function that makes the cell of an untrained recipe on the digits, and returns its folder and the model."""

    def make(recipe, **options):
        digits = data.load("digits")
        folder = tmp_path / "cells" / "digits" / recipe / "seed-0"
        model = genbench.build(recipe, digits.spec, **options)
        genbench.save(folder / "checkpoint" / "model.safetensors", model)
        about = {"dataset": "digits", "recipe": recipe, "label": recipe, "family": "x", "seed": 0, "status": "done"}
        Record(**about, stamp={"configuration": {"data": dict(digits.hashes)}}).write(folder)
        return folder, model

    return make


def lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_image_has_its_likelihood_and_its_nearest_training_image(genbench_, cell, tmp_path):
    folder, model = cell("pixelcnn", width=8, depth=1)
    out = tmp_path / "scores.csv"
    words = ("score", folder, "--dataset", "digits", "--limit", 6)
    plain, listed = genbench_(*words), genbench_(*words, "--each", out)
    assert plain == listed
    digits = data.load("digits")
    rows = lines(out)
    places = [int(row["image"]) for row in rows]
    assert (len(places), places[0]) == (6, 0)
    assert places[-1] > 200, "spread over the split"
    images = digits.test.images[places]
    with torch.no_grad():
        nats = model.log_likelihood(genbench.Batch(images)).nats.tolist()
    assert [float(row["nats"]) for row in rows] == pytest.approx(nats, rel=1e-6)
    assert [float(row["bits_per_dim"]) for row in rows] == pytest.approx([-x / 64 / math.log(2) for x in nats])
    apart = ((images[:, None].double() - digits.train.images[None].double()) / 16).flatten(2).norm(dim=2)
    assert [int(row["nearest"]) for row in rows] == apart.argmin(1).tolist()
    assert [float(row["distance"]) for row in rows] == pytest.approx(apart.amin(1).tolist(), rel=1e-5)
    assert {row["anomaly"] for row in rows} == {""}


def test_a_model_that_detects_says_how_strange_each_is(genbench_, cell, tmp_path, monkeypatch):
    folder, model = cell("pixelcnn", width=8, depth=1)
    monkeypatch.setattr(
        type(model), "anomaly", lambda self, batch: batch.images.double().flatten(1).sum(1), raising=False
    )
    out = tmp_path / "scores.csv"
    assert genbench_("score", folder, "--dataset", "digits", "--limit", 3, "--each", out)[0] == 0
    images = data.load("digits").test.images.double().flatten(1).sum(1)
    assert [float(row["anomaly"]) for row in lines(out)] == [float(images[int(row["image"])]) for row in lines(out)]
    told, _ = cell("pixelcnn", width=8, depth=1, conditional=True)
    assert genbench_("score", told, "--dataset", "digits", "--limit", 3, "--each", out)[0] == 0
    assert {row["anomaly"] for row in lines(out)} == {""}, "it is told the label"


def test_what_cannot_be_written_is_refused_before_anything_is_scored(genbench_, cell, tmp_path):
    folder, _ = cell("pixelcnn", width=8, depth=1)
    words = ("--dataset", "digits", "--limit", 3, "--each")
    assert "scores.txt: give a name such as scores.csv" in refused(
        genbench_("score", folder, *words, tmp_path / "scores.txt")
    )
    file = folder / "checkpoint" / "model.safetensors"
    assert "give the cell's folder" in refused(genbench_("score", file, *words, tmp_path / "scores.csv"))
    assert not (tmp_path / "scores.csv").exists()
