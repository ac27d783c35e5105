"""Every part of a stamp is there: what a figure rests on, and how its row is made again."""

from dataclasses import replace
from functools import partial

from genbench import data
from genbench.runs import stamping
from genbench.runs.command import verbatim
from genbench.runs.config import ANCHORS, EVALUATED, Cell, Setting
from genbench.training.config import FitReport, Trace
from tests.records import likelihood

WANTED = {
    *("title", "data", "split", "counts", "extractor", "reference", "samples", "judge", "likelihood", "precision"),
    *("device", "threads", "machine", "versions", "revision", "budget", "batch_size", "spent", "checkpoint"),
    *("timing", "measures", "command", "seed", "configuration"),
}
EXTRACTOR = {"name": "classifier", "hash": "c" * 64, "resize": "none", "judge": "e" * 64}


def cell_of(recipe, digits, **fields):
    return Cell(
        dataset="digits", size=None, data=dict(digits.hashes), recipe=recipe, label=recipe, options={}, labelled=None,
        given=("label",), seed=3, budget={"seconds": 1.0}, batch_size=8, extractor="classifier", precision="bfloat16",
        samples=100, likelihoods=20, draws=7, estimated=2, timing=1.5, device="cpu", **fields,
    )  # fmt: skip


def stamped(recipe, test, trace=None, told=""):
    digits = replace(data.load("digits"), told=told)
    cell = cell_of(recipe, digits)
    setting = Setting("Toys", None, "d" * 40, partial(verbatim, "genbench run toys"), trace)
    report = FitReport(64, 8, 1.0, 0.0, {"a": 5, "b": 3}, [0.0] * 8) if test is not None else None
    return stamping.stamped(cell, setting, digits, EXTRACTOR, report, test=test)


def test_what_was_read_of_files_and_the_ground_of_their_transparency_are_in_the_stamp():
    found = stamped("vae", likelihood(), told="9 images, 2 files skipped (2 hidden)")
    assert found["data"]["read"] == "9 images, 2 files skipped (2 hidden)"
    assert found["configuration"]["alpha"] == "white"


def test_another_ground_is_another_configuration_and_none_is_that_of_before_there_was_a_choice():
    digits = data.load("digits")
    before = {key: value for key, value in cell_of("vae", digits).configuration.items() if key != "alpha"}
    assert cell_of("vae", digits).differences(before) == []
    assert cell_of("vae", digits, alpha="black").differences(before) == ["alpha was 'white' and is now 'black'"]


def test_a_trained_cells_stamp_is_whole():
    found = stamped("vae", likelihood(kind="bound", method="iwae", draws=7))
    assert set(found) >= WANTED
    assert set(found["data"]) == {"name", "size", "hashes", "shape", "levels", "classes"}
    assert {len(value) for value in found["data"]["hashes"].values()} == {64}
    assert (found["data"]["levels"], found["counts"]) == (17, {"train": 1258, "validation": 180, "test": 359})
    assert found["extractor"] == {"name": "classifier", "hash": "c" * 64, "resize": "none"}
    assert found["judge"] == {"name": "classifier", "hash": "e" * 64}
    assert found["reference"] == {"split": "train", "images": 1258}
    assert found["samples"] == {"count": 100, "type": "uint8"}
    assert found["likelihood"] == {"method": "iwae", "images": 3, "draws": 7}
    assert (found["precision"], found["timing"]) == ("bfloat16", {"dtype": "float32", "seconds": 1.5})
    assert found["spent"]["phase_steps"] == {"a": 5, "b": 3}
    assert (found["seed"], found["command"], found["checkpoint"]) == (3, "genbench run toys", "last")
    assert {"genbench", "python", "torch", "torch-fidelity", "torchmetrics", "numpy", "pillow"} <= set(
        found["versions"]
    )
    assert all(found["machine"][name] for name in ("processor", "system"))
    assert set(found["measures"]) == {"likelihood", "estimates", "quality", "speed", "pairs", "labels"}
    assert "course" not in found


def test_an_estimate_says_its_effort_and_an_exact_value_no_draws():
    ais = likelihood(kind="estimate", method="ais", draws=2, effort="paper")
    assert stamped("gan", ais)["likelihood"] | {"train": ""} == {
        "method": "ais", "images": 3, "draws": 2, "effort": "paper", "train": "",
    }  # fmt: skip
    assert stamped("pixelcnn", likelihood())["likelihood"] == {"method": "chain rule", "images": 3}


def test_a_training_gone_through_again_says_by_what():
    said = [stamped("vae", likelihood(), Trace((1, 1), given))["course"] for given in ((0.0, 0.1), ())]
    assert said == ["again, at the fractions as they were", "again, by the steps of each phase"]


def test_what_nobody_trained_says_nothing_of_training():
    for recipe in (ANCHORS, EVALUATED):
        found = stamped(recipe, None)
        assert not {"budget", "batch_size", "checkpoint", "spent", "timing"} & set(found)
        assert found["extractor"]["hash"] == "c" * 64
