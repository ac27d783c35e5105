"""Every record's stamp holds the command that makes its row again, and no other."""

import shlex

import numpy as np
import pytest

from genbench import app
from genbench.records.record import Record
from genbench.runs.command import Replay
from genbench.runs.config import Cell
from genbench.runs.overrides import Overrides
from genbench.runs.suite import parse

SUITE = """
title = "Rows that are easily taken for one another"
dataset = "digits"
budget = { images = 192 }
extractor = "classifier"
samples = 20
likelihoods = 20
draws = 2
timing = 0.05
[[row]]
recipe = "aae-semi-supervised"
label = "few labels"
labelled = 60
options = { pixels = "drawn", temperature = 0.5 }
[[row]]
recipe = "pixelcnn"
label = "cold"
options = { temperature = 0.5 }
[[row]]
recipe = "nice"
label = "pixelcnn"
[[row]]
recipe = "nice"
label = "pixelcnn"
dataset = "edges:digits"
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run that was asked for in many words, in a folder of its own."""
    folder = tmp_path_factory.mktemp("replay")
    (folder / "a suite.toml").write_text(SUITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        genbench("run", "a suite.toml", "--set", "width=8", "--set", "hidden=8", "--set", "depth=1", "--seed", "3",
                 "--labelled", "40", "--out", "first")  # fmt: skip
    return folder


def genbench(*words):
    assert app.app(list(words), standalone_mode=False) == 0


def cells(folder):
    return {
        str(path.parent.relative_to(folder / "cells")): path.parent for path in folder.glob("cells/*/*/*/rec*.json")
    }


@pytest.mark.parametrize(
    "cell",
    [
        "digits/few-labels/seed-3",
        "digits/cold/seed-3",
        "digits/pixelcnn/seed-3",
        "edges-digits/pixelcnn/seed-3",
        "digits/noise/seed-3",
        "edges-digits/noise/seed-3",
    ],
)
def test_the_stamped_command_makes_the_same_figures_of_that_row_alone(ran, monkeypatch, tmp_path, cell):
    before = Record.read(cells(ran / "first")[cell])
    (tmp_path / "a suite.toml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    genbench(*shlex.split(before.stamp["command"])[1:])
    made = cells(tmp_path / "again")
    after = Record.read(made[cell])
    assert (after.options, after.labelled, after.seed) == (before.options, before.labelled, before.seed)
    assert after.stamp["precision"] == before.stamp["precision"] == "float32"
    assert after.test == before.test
    assert after.quality == before.quality
    if before.status == "done":
        drawn = [np.load(folder / "samples.npy") for folder in (cells(ran / "first")[cell], made[cell])]
        assert np.array_equal(*drawn), "the temperature is the same too"
        cooled = before.recipe != "nice"
        assert before.stamp["samples"].get("temperature") == (0.5 if cooled else None)
    trained = [Record.read(folder) for folder in made.values()]
    others = [record for record in trained if record.status == "done" and record.label != before.label]
    assert not others
    assert {record.dataset for record in trained} == {before.dataset}


def command(recipe, label, on="digits", budget=None, suite=SUITE, **overrides):
    """What the stamp of such a cell says, after ``genbench run mine`` and ``--recipe LABEL --seed 0``."""
    cell = Cell(
        dataset=on, size=None, data={}, recipe=recipe, label=label, options={}, labelled=None, given=(), seed=0,
        budget={}, batch_size=1, extractor="", precision="float32", samples=1, likelihoods=1, draws=1, estimated=1,
        timing=1.0, device="cpu",
    )  # fmt: skip
    replay = Replay("mine", parse(suite, "mine"), Overrides(**overrides))
    words = shlex.split(replay.command(cell, {"steps": 3} if budget is None else budget))
    assert words[:3] == ["genbench", "run", "mine"]
    assert words[-4:] == ["--device", "cpu", "--out", "again"]
    return words[3:-4]


def test_a_command_asks_only_for_options_that_its_recipe_has():
    asked = {"options": ["conditional = true", "width=8"], "precision": "bfloat16", "labelled": 50, "effort": "paper"}
    told = ["--precision", "bfloat16", "--labelled", "50", "--effort", "paper", "--steps", "3"]
    row = ["--recipe", "few labels", "--seed", "0", *told]
    assert command("aae-semi-supervised", "few labels", **asked) == ["--set", "width=8", *row]
    row = ["--recipe", "cold", "--seed", "0", *told]
    assert command("pixelcnn", "cold", **asked) == ["--set", "conditional = true", "--set", "width=8", *row]
    shared = command("pixelcnn", "cold", devices=2)
    assert shared == ["--recipe", "cold", "--seed", "0", "--devices-per-cell", "2", "--steps", "3"]
    asked["devices"] = 2
    assert command("anchors", "anchors", **asked, budget={}) == ["--recipe", "anchors on digits", "--seed", "0"]


def test_a_command_names_its_row_as_shortly_as_no_other_is_meant():
    def named(recipe, label, on="digits", **overrides):
        words = command(recipe, label, on, **overrides)
        return words[words.index("--recipe") + 1]

    assert named("pixelcnn", "cold") == "cold"
    assert named("nice", "pixelcnn") == "pixelcnn on digits"
    assert named("nice", "pixelcnn", "edges:mnist5k", dataset="mnist5k") == "pixelcnn on edges:mnist5k"
    assert named("gan", "gan") == "gan", "the command line added it"
    one = SUITE[: SUITE.index("[[row]]")] + '[[row]]\nrecipe = "gan"\n[[row]]\nrecipe = "gan"\nlabel = "b"\n'
    assert named("gan", "gan", suite=one) == "gan", "and not b, whose recipe it is"
    assert named("anchors", "anchors", suite=one) == "anchors"


def test_a_command_says_where_the_data_are():
    words = command("pixelcnn", "cold", "folder:a b", dataset="folder:a b", size=8, budget={"seconds": 60.0})
    row = ["--recipe", "cold", "--seed", "0", "--seconds", "60.0"]
    assert words == ["--dataset", "folder:a b", "--size", "8", *row]
    words = command("pixelcnn", "cold", "folder:a b", dataset="folder:a b", alpha="#010203", budget={"seconds": 60.0})
    assert words == ["--dataset", "folder:a b", "--alpha", "#010203", *row]
