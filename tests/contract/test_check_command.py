"""`genbench check` of a recipe and of a finished cell: what it prints, and how it ends."""

import json

import pytest

import genbench
from genbench import catalog
from genbench.contract import checks, tiny
from genbench.records import layout
from tests.commands import refused, script
from tests.contract import liars


@pytest.fixture
def call(monkeypatch, capsys):
    monkeypatch.setattr(catalog, "recipes", liars.recipes)
    return script(monkeypatch, capsys)


def cell(folder, name):
    model = tiny.built(name, {}, [(1, 4, 4)], levels=4)
    (folder / layout.MODEL.parent).mkdir()
    genbench.save(folder / layout.MODEL, model)
    return folder


def test_an_honest_recipe_passes_and_a_liar_ends_with_status_1_and_what_was_found(call):
    status, out, _ = call("check", "Pixels")
    assert status == 0
    assert all(name in out for name in checks.CHECKS)
    assert "failed" not in out
    status, out, _ = call("check", "SumOf2", "--json")
    assert status == 1
    rows = {row["check"]: row for row in json.loads(out)}
    assert {name for name, row in rows.items() if row["result"] != "passed"} == {"sum"}
    found = "probabilities sum to 2.0000 over the 16 images of 1×2×2, 2 levels: they are none"
    assert rows["sum"]["found"] == found
    assert rows["sum"].keys() == {"check", "result", "found", "seconds"}


def test_a_finished_cell_is_asked_on_its_own_images_and_its_recipe_s_sum_on_tiny_ones(call, tmp_path):
    status, out, _ = call("check", cell(tmp_path, "SumOf2"), "--json")
    assert status == 1
    rows = {row["check"]: row for row in json.loads(out)}
    assert list(rows) == [name for name in checks.CHECKS if name not in checks.OF_TRAINING]
    assert {name for name, row in rows.items() if row["result"] != "passed"} == {"sum"}
    assert rows["samples"]["found"] == "uint8 (5, 1, 4, 4)"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pixels",), "unknown recipe 'pixels': did you mean Pixels"),
        (("Pixels", "--set", "width=3"), "recipe 'Pixels' has no option 'width'"),
        (("Pixels", "--set", "width"), "--set 'width': write option=value"),
        ((".",), ".: no trained model in it; give a cell"),
        ((".", "--set", "width=3"), "--set width: the model of . was made with its own options"),
    ],
)
def test_bad_input_is_one_line(call, words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in refused(call("check", *words))


def test_a_recipe_of_large_images_alone_says_that_its_sum_could_not_be_asked(call, monkeypatch):
    def large(spec):
        if spec.shape[1] < 8:
            raise ValueError("shape: give 8 pixels or more")
        return liars.Pixels(spec)

    monkeypatch.setattr(liars, "large", large, raising=False)
    entry = catalog.Recipe("large", "tests.contract.liars:large", "liars", "Large", "none", 2026, "exact")
    monkeypatch.setattr(catalog, "recipes", lambda: {"large": entry})
    status, out, _ = call("check", "large", "--json")
    rows = {row["check"]: row for row in json.loads(out)}
    assert {row["result"] for name, row in rows.items() if name != "sum"} == {"passed"}
    assert rows["sum"]["result"] == "unchecked"
    assert "(shape: give 8 pixels or more)" in rows["sum"]["found"]
    assert status == 0
