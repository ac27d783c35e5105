"""Real cells in real processes, with a third party's recipe that fails on demand."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from rich.console import Console

import genbench
from genbench import catalog, data, precision, runner
from genbench.folders import locked
from genbench.record import Record
from genbench.suite import Overrides, Suite, embedded, overridden, read, to_toml
from tests import thirdparty


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    site = thirdparty.install(tmp_path_factory.mktemp("site"))
    sys.path.insert(0, str(site))
    catalog.recipes.cache_clear()
    yield site
    sys.path.remove(str(site))
    catalog.recipes.cache_clear()


def suite(*rows, steps=6, **more):
    rows = tuple({"recipe": "toy", "label": label, "options": options} for label, options in rows)
    base = {"title": "Toys", "dataset": "digits", "budget": {"steps": steps}, "extractor": "classifier"}
    return Suite.model_validate(base | {"samples": 20, "likelihoods": 20, "timing": 0.05, "row": rows} | more)


def run(suite, out, **more):
    said = io.StringIO()
    console = Console(file=said, width=300)
    status = runner.run(suite, out, console, command=["genbench", "run", "toys"], **more)
    return status, said.getvalue()


def cell(out, label):
    return out / "cells" / "digits" / label / "seed-0"


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


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
    assert "in two lines" in (cell(out, "raises") / "error.txt").read_text()
    assert status == 1
    table = json.loads((out / "table.json").read_text())
    assert {row["label"] for row in table} == {"real (test)", "noise", "uniform", *found}


def test_a_whole_cell_has_its_files_and_nothing_unfinished(first):
    out, _, _, _ = first
    folder = cell(out, "good")
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "checkpoint/model.safetensors",
        "history.csv",
        "record.json",
        "samples.npy",
        "samples.png",
    ]
    assert not folder.with_name("seed-0.part").exists()
    images = np.load(folder / "samples.npy")
    assert images.shape == (20, 1, 8, 8)
    assert images.dtype == np.uint8
    assert (folder / "history.csv").read_text().splitlines()[0] == "phase,step,images,seconds,pixels/loss"


def test_samples_are_drawn_once_from_the_saved_model_and_the_cells_seed(first):
    out, _, _, _ = first
    model = genbench.load(cell(out, "good") / "checkpoint" / "model.safetensors")
    again = model.sample(20, generator=genbench.seed.generator(0, "sample"))
    assert np.array_equal(again.numpy(), np.load(cell(out, "good") / "samples.npy"))


def test_the_stamp_says_what_the_figures_rest_on(first):
    record = Record.read(cell(first[0], "good"))
    stamp = record.stamp
    assert set(stamp["data"]["hashes"]) == {"train", "validation", "test"}
    assert stamp["counts"]["train"] == record.quality.reference_images
    assert record.quality.images == record.test.images == record.train.images == stamp["samples"]["count"] == 20
    assert (stamp["data"]["levels"], stamp["precision"], stamp["checkpoint"]) == (17, "float32", "last")
    assert (stamp["budget"], stamp["spent"]["phase_steps"]) == ({"steps": 6}, {"train": 6})
    assert len(stamp["extractor"]["hash"]) == 64
    assert stamp["extractor"]["resize"]
    assert {"genbench", "python", "torch", "torchvision", "torch-fidelity", "nflows"} <= set(stamp["versions"])
    assert (stamp["device"], stamp["threads"]) == ("cpu", record.stamp["threads"])
    assert stamp["machine"]["processor"]
    assert stamp["command"].startswith("genbench run toys --recipe good --seed 0 --steps 6 --device cpu")
    assert {"fit", "sample", "nll", "quality", "speed"} <= set(record.seconds)
    assert record.params == 8 * 8 * 17
    assert record.peak_memory_mb > 50


def test_the_uniform_anchor_is_exact_and_small_images_have_no_files(first):
    out, _, _, _ = first
    assert Record.read(cell(out, "uniform")).test.bpd == pytest.approx(np.log2(17), abs=1e-12)
    real, noise = Record.read(cell(out, "real-test")), Record.read(cell(out, "noise"))
    assert real.quality.fid < noise.quality.fid
    assert real.agreement.agreement > 0.9
    assert not cell(out, "png").exists()


@pytest.fixture(scope="module")
def able(tmp_path_factory):
    """A run of a recipe with abilities: as it is, told the label, and with few labels."""
    out = tmp_path_factory.mktemp("able") / "out"
    rows = [
        {"recipe": "able"},
        {"recipe": "able", "label": "told", "options": {"conditional": True}},
        {"recipe": "able", "label": "few", "labelled": 20},
    ]
    status, _ = run(suite(row=rows), out)
    assert status == 0
    return out


def test_abilities_are_drawn_and_one_that_fails_costs_its_picture_alone(able):
    folder = cell(able, "able")
    record = Record.read(folder)
    assert record.status == "done"
    assert record.abilities == {
        "reconstruct": "failed: RuntimeError: it has no codes",
        "complete": "completions.png",
    }
    assert (folder / "completions.png").is_file()
    assert not (folder / "reconstructions.png").exists()
    assert "abilities" in record.seconds
    row = next(row for row in json.loads((able / "table.json").read_text()) if row["label"] == "able")
    assert "able, seed 0: reconstruct failed: RuntimeError: it has no codes" in row["notes"]


def test_accuracy_is_measured_on_the_whole_test_split(able):
    record = Record.read(cell(able, "able"))
    labels = data.load("digits").test.labels
    assert record.accuracy.images == len(labels) == 359
    assert record.accuracy.accuracy == pytest.approx(float((labels == 0).double().mean()))
    table = {row["label"]: row for row in json.loads((able / "table.json").read_text())}
    assert table["able"]["accuracy"] == record.accuracy.accuracy
    assert table["real (test)"]["accuracy"] is None
    assert "Accuracy ↑" in (able / "table.md").read_text()


def test_what_a_model_is_given_is_the_models_word_and_not_the_catalogues(able):
    assert catalog.recipe("able").given == ()
    plain, told = (Record.read(cell(able, label)) for label in ("able", "told"))
    assert (plain.given, told.given) == ((), ("label",))
    assert "drawn" not in plain.stamp
    assert told.stamp["drawn"] == "labels in the training split's proportions"
    assert plain.agreement.agreement is None
    assert told.agreement.agreement is not None


def test_a_labelled_share_is_stamped_and_stands_in_the_same_table(able):
    whole, few = (Record.read(cell(able, label)) for label in ("able", "few"))
    assert (whole.labelled, few.labelled) == (None, 20)
    assert few.stamp["labelled"].startswith("20 training images")
    assert few.stamp["data"] == whole.stamp["data"]
    assert few.stamp["extractor"] == whole.stamp["extractor"], "the classifier learns from all labels"
    assert few.test == whole.test
    table = {row["label"]: row for row in json.loads((able / "table.json").read_text())}
    assert (table["few"]["labelled"], table["able"]["labelled"]) == (20, None)
    assert table["few"]["nll_ranked"] == table["able"]["nll_ranked"] == 2


def test_data_sets_with_the_same_images_measure_their_anchors_once(tmp_path):
    rows = [
        {"recipe": "toy"},
        {"recipe": "toy", "dataset": "edges:digits"},
        {"recipe": "toy", "dataset": "binarized:digits"},
    ]
    assert run(suite(row=rows), tmp_path)[0] == 0

    def of(dataset, name):
        return tmp_path / "cells" / dataset / name / "seed-0"

    for name in ("real-test", "noise", "uniform"):
        one, twin, other = (Record.read(of(data, name)) for data in ("digits", "edges-digits", "binarized-digits"))
        assert (twin.quality, twin.test, twin.agreement) == (one.quality, one.test, one.agreement)
        assert (twin.dataset, twin.stamp["data"]["name"]) == ("edges:digits", "edges:digits")
        assert twin.stamp.get("extractor") == one.stamp.get("extractor")
        assert twin.stamp["measured"] == "once, on digits: the images are the same"
        assert not {"quality", "nll"} & set(twin.seconds)
        assert {"quality", "nll"} & set(other.seconds)
        assert "measured" not in one.stamp
    assert (of("edges-digits", "noise") / "samples.png").read_bytes() == (
        of("digits", "noise") / "samples.png"
    ).read_bytes()


def test_few_labels_are_refused_before_training(tmp_path):
    told = {"recipe": "able", "label": "told", "labelled": 20, "options": {"conditional": True}}
    with pytest.raises(ValueError, match=r"row 'told' on digits: train labels: some are unknown"):
        run(suite(row=[told]), tmp_path)
    with pytest.raises(ValueError, match=r"row 'able' on digits: labelled=3: give 10, one a class"):
        run(suite(row=[{"recipe": "able", "labelled": 3}]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_while_abilities_are_drawn_stops_the_run(tmp_path):
    with pytest.raises(OSError, match="No space left on device"):
        run(suite(row=[{"recipe": "able", "options": {"full": True}}]), tmp_path)


def test_bfloat16_is_trained_in_and_stamped(tmp_path):
    if not precision.FLAGS & precision.processor_flags():
        with pytest.raises(ValueError, match="precision='bfloat16': cpu lacks it"):
            run(suite(("good", {}), precision="bfloat16"), tmp_path)
        return
    assert run(suite(("good", {}), precision="bfloat16"), tmp_path)[0] == 0
    assert Record.read(cell(tmp_path, "good")).stamp["precision"] == "bfloat16"
    with pytest.raises(ValueError, match="precision was 'bfloat16' and is now 'float32'"):
        run(suite(("good", {})), tmp_path)


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
        ValueError, match=r"good.seed-0 holds another configuration: budget was .*6.* is now .*7.*--fresh"
    ):
        run(suite(("good", {}), steps=7), out)
    with pytest.raises(ValueError, match=r"options was .* and is now"):
        run(suite(("good", {"sleep": 0.001})), out)
    assert snapshot(out) == before


def test_fresh_replaces_what_is_there(tmp_path):
    run(suite(("good", {})), tmp_path)
    status, said = run(suite(("good", {}), steps=7), tmp_path, fresh=True)
    assert status == 0
    assert "skipped" not in said
    assert Record.read(cell(tmp_path, "good")).fit.steps == 7


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
    assert not (here / "checkpoint" / "training.pt").exists()


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path):
    rows = [("good", {}), ("full", {"fails": "full", "once": str(tmp_path / "once")})]
    with pytest.raises(OSError, match=r"full on digits.*No space left on device; make room and run again"):
        run(suite(*rows), tmp_path / "out")
    assert Record.read(cell(tmp_path / "out", "good")).status == "done"
    status, said = run(suite(*rows), tmp_path / "out")
    assert status == 0
    assert "skipped: anchors on digits; good" in said
    assert "resumed: full" in said


def test_two_runs_in_one_folder_are_refused(tmp_path):
    with locked(tmp_path), pytest.raises(ValueError, match=f"process {os.getpid()} runs in it"):
        run(suite(("good", {})), tmp_path)


def test_a_killed_run_takes_its_cell_with_it_and_goes_on(tmp_path, site):
    mine = tmp_path / "mine.toml"

    mine.write_text(to_toml(suite(("good", {"sleep": 0.05}), steps=40)))
    command = [sys.executable, "-m", "genbench.cli", "run", str(mine), "--out", str(tmp_path / "out")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    part = cell(tmp_path / "out", "good").with_name("seed-0.part")
    waited = time.monotonic()
    while not (part / "checkpoint" / "training.pt").exists():
        assert time.monotonic() - waited < 120
        assert child.poll() is None, child.stderr.read()
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    time.sleep(1.0)
    written = (part / "checkpoint" / "training.pt").stat().st_mtime
    time.sleep(0.5)
    assert (part / "checkpoint" / "training.pt").stat().st_mtime == written, "the cell outlived its run"
    status, said = run(suite(("good", {"sleep": 0.05}), steps=40), tmp_path / "out")
    assert status == 0
    assert "resumed: good" in said
    assert Record.read(cell(tmp_path / "out", "good")).fit.steps == 40


def test_unfit_rows_and_data_are_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match=r"row 'bad' on digits: fails='x': give"):
        run(suite(("good", {}), ("bad", {"fails": "x"})), tmp_path)
    with pytest.raises(ValueError, match=r"row 'bad' on digits cannot be built with .*TypeError"):
        run(suite(("bad", {"rate": "x"})), tmp_path)
    with pytest.raises(ValueError, match=r"digits: 3 samples, and measures of quality need \d+"):
        run(suite(("good", {}), samples=3), tmp_path)
    with pytest.raises(ValueError, match=r"extractor = 'inseption-v3' is unknown: did you mean inception-v3"):
        run(suite(("good", {}), extractor="inseption-v3"), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", embedded())
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
    import subprocess
    import sys

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
