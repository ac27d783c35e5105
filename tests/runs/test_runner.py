"""Runs in real processes: every way to end, what goes on and what is skipped, with recipes that fail on demand."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import genbench
from genbench.files import locked
from genbench.records.record import Record
from genbench.runs.anchors import names
from genbench.runs.overrides import Overrides, overridden
from genbench.runs.suite import read
from genbench.spec import DataSpec
from genbench.suites import texts
from tests.toys import cell, installed, run, snapshot, suite


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A run in which every way to end occurs, and what it said."""
    out = tmp_path_factory.mktemp("run") / "out"
    rows = [("good", {}), *((way, {"fails": way}) for way in ("diverges", "raises", "dies")), ("last", {})]
    status, said = run(suite(*rows), out)
    return out, rows, status, said


def test_each_cell_ends_in_its_own_way_and_the_others_go_on(first):
    out, rows, status, _ = first
    found = {label: Record.read(cell(out, label)) for label, _ in rows}
    assert {label: record.status for label, record in found.items()} == {
        "good": "done",
        "diverges": "diverged",
        "raises": "failed",
        "dies": "failed",
        "last": "done",
    }
    assert found["diverges"].reason == "the loss is not finite in turn 'pixels' at step 4"
    assert found["raises"].reason == "RuntimeError: it broke"
    assert "signal 9" in found["dies"].reason
    assert "out of memory" in found["dies"].reason
    assert "in two lines" in (cell(out, "raises") / "error.txt").read_text()
    assert status == 1
    table = json.loads((out / "table.json").read_text())
    assert {row["label"] for row in table} == {*names(DataSpec((1, 8, 8), 17)), *found}


def test_a_second_run_skips_results_and_tries_failures_again(first):
    out, rows, _, _ = first
    whole = [("good", {}), rows[1]]
    before = snapshot(out / "cells")
    status, said = run(suite(*whole), out)
    assert status == 0, "a diverged cell is a result"
    assert "skipped: anchors on digits; good on digits, seed 0; diverges on digits, seed 0" in said
    assert snapshot(out / "cells") == before
    status, said = run(suite(*rows), out)
    assert status == 1
    assert "resumed: raises on digits, seed 0; dies on digits, seed 0" in said
    assert "2 cells to do" in said


def test_another_configuration_is_refused_before_anything_changes(first, tmp_path):
    out, _, _, _ = first
    before = snapshot(out)
    with pytest.raises(
        ValueError, match=r"good.seed-0 holds another configuration: budget was .*6.* is now .*5.*--fresh"
    ):
        run(suite(("good", {}), steps=5), out)
    with pytest.raises(ValueError, match=r"options was .* and is now"):
        run(suite(("good", {"sleep": 0.001})), out)
    assert snapshot(out) == before


def test_fresh_replaces_what_is_there(tmp_path):
    run(suite(("good", {})), tmp_path)
    status, said = run(suite(("good", {}), steps=7), tmp_path, fresh=True)
    assert status == 0
    assert "skipped" not in said
    assert Record.read(cell(tmp_path, "good")).fit.steps == 7


def outdated(folder):
    """Make the record one of older measures, with figures that nothing gives."""
    record = Record.read(folder)
    stamp = record.stamp | {"measures": {"quality": 1}, "revision": "of the training", "threads": 99, "course": "again"}
    wrong = record.quality.model_copy(update={"fid": 12345.0})
    other = {"stamp": stamp, "quality": wrong, "peak_memory_mb": 7.0, "setting": "by other rules"}
    record.model_copy(update=other).write(folder)
    return record


def test_what_older_measures_measured_is_measured_again_by_its_weights_on_demand(tmp_path):
    calls = {"fails": "dies", "at": 99, "once": str(tmp_path / "once")}  # which writes down each step
    rows = suite(("good", calls), ("diverges", {"fails": "diverges"}), ("new", {}))
    assert run(rows, tmp_path / "out")[0] == 0
    good, new = (cell(tmp_path / "out", name) for name in ("good", "new"))
    was, trained = outdated(good), (tmp_path / "once.calls").read_text()
    before = {folder: snapshot(folder) for folder in (good, new)}
    status, said = run(rows, tmp_path / "out")
    assert (status, "measured again" in said) == (0, False)
    assert snapshot(good) == before[good], "nothing is measured again unasked"
    status, said = run(rows, tmp_path / "out", measure_again=True)
    assert status == 0
    assert "trained already, measured again: good on digits, seed 0\n" in said
    assert "skipped: anchors on digits; diverges on digits, seed 0; new on digits, seed 0\n" in said
    assert "1 cell to do" in said
    assert "good on digits, seed 0: measured, " in said
    assert (tmp_path / "once.calls").read_text() == trained, "nothing is trained"
    assert snapshot(new) == before[new]
    now = Record.read(good)
    for part in ("test", "train", "quality", "collapse", "agreement", "parzen", "fit", "digests", "params", "options"):
        assert getattr(now, part) == getattr(was, part), part
    assert now.seconds["fit"] == was.seconds["fit"]
    assert (now.peak_memory_mb, now.setting, now.stamp["course"]) == (7.0, "by other rules", "again")
    assert now.stamp["measures"] == was.stamp["measures"]
    assert now.stamp["revision"] == was.stamp["revision"]
    assert (now.stamp["trained"]["revision"], now.stamp["trained"]["threads"]) == ("of the training", 99)
    files = {path.name for path in good.rglob("*") if path.is_file()}
    assert files == {path.name for path in before[good]}
    same = [good / "checkpoint" / "model.safetensors", good / "history.csv"]
    assert all(path.read_bytes() == before[good][path] for path in same)
    outdated(good)
    run(rows, tmp_path / "out", measure_again=True)
    assert Record.read(good).stamp["trained"] == now.stamp["trained"], "measured twice, it was trained once"


def test_what_cannot_be_measured_again_stays_as_it_is(tmp_path):
    rows = suite(("gone", {}), ("cut", {}), ("other", {"sleep": 0.001}), ("strange", {}))
    run(rows, tmp_path)
    held = [cell(tmp_path, name) for name in ("gone", "cut", "other", "strange")]
    for folder in (*held, cell(tmp_path, "noise")):
        outdated(folder)
    models = [folder / "checkpoint" / "model.safetensors" for folder in held]
    models[0].unlink()
    models[1].write_bytes(b"cut short")
    shutil.copy(models[2], models[3])  # another model, under a record from before there were digests
    Record.read(held[3]).model_copy(update={"digests": {}}).write(held[3])
    moved = genbench.load(models[2])
    moved.logits[0].data += 1
    genbench.save(models[2], moved)
    before = [snapshot(folder) for folder in held]
    status, said = run(rows, tmp_path, measure_again=True)
    assert status == 1
    assert "measures kept as they are, since checkpoint/model.safetensors is gone (--fresh trains again): gone" in said
    assert "not a genbench model" in said
    assert all(f"{model}: not the weights that were measured" in said for model in models[2:])
    assert "checkpoint" in (held[1] / "error.txt").read_text()
    assert f"{models[1]}: not a genbench model" in said
    for folder in held[1:]:
        (folder / "error.txt").unlink()
    assert [snapshot(folder) for folder in held] == before
    assert not [path for path in tmp_path.rglob("*.part") if path.is_dir()]
    assert Record.read(cell(tmp_path, "noise")).quality.fid != 12345.0, "anchors are made again"
    with pytest.raises(ValueError, match=r"--fresh .* --measure-again"):
        run(rows, tmp_path, measure_again=True, fresh=True)


def test_measures_of_a_later_version_are_not_older_ones(tmp_path):
    rows = suite(("good", {}))
    run(rows, tmp_path)
    record = Record.read(cell(tmp_path, "good"))
    later = {need: version + 1 for need, version in record.stamp["measures"].items()}
    record.model_copy(update={"stamp": record.stamp | {"measures": later}}).write(cell(tmp_path, "good"))
    before = snapshot(cell(tmp_path, "good"))
    status, said = run(rows, tmp_path, measure_again=True)
    assert (status, "measured again" in said) == (0, False)
    assert snapshot(cell(tmp_path, "good")) == before


def test_a_cell_that_was_killed_goes_on_bit_for_bit(first, tmp_path):
    out, _, _, _ = first
    once = tmp_path / "once"
    row = ("good", {"fails": "dies", "at": 4, "once": str(once)})
    assert run(suite(row), tmp_path / "out")[0] == 1
    part = cell(tmp_path / "out", "good").with_name("seed-0.part")
    assert (part / "checkpoint" / "training.pt").is_file()
    status, said = run(suite(row), tmp_path / "out")
    assert status == 0
    assert "resumed: good" in said
    assert (tmp_path / "once.calls").read_text() == "0 1 2 3 4 4 5 ", "what was done is not done again"
    here, there = cell(tmp_path / "out", "good"), cell(out, "good")
    one, other = (genbench.load(folder / "checkpoint" / "model.safetensors") for folder in (here, there))
    assert all(one.state_dict()[name].equal(value) for name, value in other.state_dict().items())
    assert np.array_equal(np.load(here / "samples.npy"), np.load(there / "samples.npy"))
    lines, whole = ((folder / "history.csv").read_text().splitlines() for folder in (here, there))
    steps = [line.split(",")[:3] + line.split(",")[4:] for line in lines]
    assert steps == [line.split(",")[:3] + line.split(",")[4:] for line in whole]
    assert not part.exists()


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path):
    rows = [("good", {}), ("full", {"fails": "full", "once": str(tmp_path / "once")})]
    with pytest.raises(OSError, match=r"full on digits.*No space left on device; make room and run again"):
        run(suite(*rows), tmp_path / "out")
    assert Record.read(cell(tmp_path / "out", "good")).status == "done"
    status, said = run(suite(*rows), tmp_path / "out")
    assert status == 0
    assert "skipped: anchors on digits; good" in said
    assert "resumed: full" in said


def test_a_disk_that_is_full_while_abilities_are_drawn_stops_the_run(tmp_path):
    with pytest.raises(OSError, match="No space left on device"):
        run(suite(row=[{"recipe": "able", "options": {"full": True}}]), tmp_path)


def test_two_runs_in_one_folder_are_refused(tmp_path):
    with locked(tmp_path), pytest.raises(ValueError, match=f"process {os.getpid()} runs in it"):
        run(suite(("good", {})), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", texts())
def test_an_embedded_suite_runs_whole(name, tmp_path):
    # 64 images of training; a data set that has to be fetched gives way to one that is here, at a few samples.
    here = {"dataset": "digits"} if read(name).dataset == "fashion-mnist" else {}
    small = overridden(read(name), Overrides(budget={"images": 64}, seeds=[0], **here))
    small = small.model_copy(update={"samples": 100, "likelihoods": 20, "estimated": 2, "timing": 0.2, "draws": 1})
    status, said = run(small, tmp_path)
    assert status == 0, said
    rows = [row for row in json.loads((tmp_path / "table.json").read_text()) if row["status"] == "done"]
    assert {row["label"] for row in rows} == {row.label for row in small.row}
    for row in rows:
        for key in ("nll_bpd", "fid", "kid", "precision", "recall", "is", "latency_ms", "images_per_second"):
            assert row[key] is not None, (row["label"], key)


def test_cells_run_the_installed_code_and_not_what_lies_in_the_working_directory(tmp_path):
    fake = tmp_path / "genbench"
    fake.mkdir()
    (fake / "__init__.py").write_text("raise RuntimeError('the working directory was imported')")
    (tmp_path / "s.toml").write_text(
        'title = "t"\ndataset = "digits"\nbudget = { steps = 1 }\nsamples = 20\n[[row]]\nrecipe = "vae"\n'
    )
    code = "import sys; sys.path.pop(0); from genbench.cli import main; main()"
    command = [sys.executable, "-c", code, "run", "s.toml", "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
