"""What a whole cell holds: its files, its stamp, its figures, and the anchors beside it."""

import json
import math
import shutil

import numpy as np
import pytest

import genbench
from genbench import catalog, data
from genbench.contract import checks
from genbench.records.record import Record
from genbench.runs import cell as runs_cell
from genbench.runs.cell import work
from genbench.runs.command import Replay
from genbench.runs.config import Cell, Setting
from genbench.runs.progress import STAGES
from genbench.tables import rows
from genbench.training import precision
from tests.records import everything
from tests.toys import cell, installed, run, suite


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The folder of a run of one row."""
    out = tmp_path_factory.mktemp("run") / "out"
    assert run(suite(("good", {})), out)[0] == 0
    return out


def test_a_whole_cell_has_its_files_and_nothing_unfinished(good):
    folder = cell(good, "good")
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "checkpoint/model.safetensors",
        "checkpoint/training.pt",
        "history.csv",
        "neighbours.png",
        "record.json",
        "samples.npy",
        "samples.png",
    ]
    assert not folder.with_name("seed-0.part").exists()
    images = np.load(folder / "samples.npy")
    assert images.shape == (20, 1, 8, 8)
    assert images.dtype == np.uint8
    header = "phase,step,images,seconds,pixels/loss,pixels/gradient_norm"
    assert (folder / "history.csv").read_text().splitlines()[0] == header


def test_samples_are_drawn_once_from_the_saved_model_and_the_cells_seed(good):
    model = genbench.load(cell(good, "good") / "checkpoint" / "model.safetensors")
    again = model.sample(20, generator=genbench.seed.generator(0, "sample"))
    assert np.array_equal(again.numpy(), np.load(cell(good, "good") / "samples.npy"))


def test_the_stamp_says_what_the_figures_rest_on(good):
    record = Record.read(cell(good, "good"))
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
    assert stamp["command"] == "genbench run toys --recipe good --seed 0 --steps 6 --device cpu --out again"
    assert {"fit", "sample", "nll", "quality", "speed"} <= set(record.seconds)
    assert record.params == 8 * 8 * 17
    assert record.peak_memory_mb > 50


def test_the_uniform_anchor_is_exact_and_small_images_have_no_files(good):
    assert Record.read(cell(good, "uniform")).test.bpd == pytest.approx(np.log2(17), abs=1e-12)
    real, noise = Record.read(cell(good, "real-test")), Record.read(cell(good, "noise"))
    assert real.quality.fid < noise.quality.fid
    assert real.agreement.agreement > 0.9
    assert not cell(good, "png").exists()


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
    error = (labels == 0).double().std() / len(labels) ** 0.5
    assert table["able"]["accuracy_se"] == record.accuracy.standard_error == pytest.approx(float(error))
    assert "Accuracy ↑" in everything(able)


def test_what_a_model_is_given_is_the_models_word_and_not_the_catalogues(able):
    assert catalog.recipe("able").given == ()
    plain, told = (Record.read(cell(able, label)) for label in ("able", "told"))
    assert (plain.given, told.given) == ((), ("label",))
    assert "drawn" not in plain.stamp
    assert told.stamp["drawn"] == "labels in the training split's proportions"
    assert plain.agreement.agreement is None
    assert told.agreement.agreement is not None


def test_a_labelled_share_is_stamped_and_stands_in_the_same_table_unranked(able):
    whole, few = (Record.read(cell(able, label)) for label in ("able", "few"))
    assert (whole.labelled, few.labelled) == (None, 20)
    assert few.stamp["labelled"].startswith("20 training images")
    assert few.stamp["data"] == whole.stamp["data"]
    assert few.stamp["extractor"] == whole.stamp["extractor"], "the classifier learns from all labels"
    assert few.test == whole.test
    table = {row["label"]: row for row in json.loads((able / "table.json").read_text())}
    assert (table["few"]["labelled"], table["able"]["labelled"]) == (20, None)
    assert [table[label]["nll_ranked"] for label in ("able", "few")] == [None, None], "they learned from other labels"


def test_data_sets_with_the_same_images_measure_their_anchors_once(tmp_path):
    rows = [
        {"recipe": "toy"},
        {"recipe": "toy", "dataset": "edges:digits"},
        {"recipe": "toy", "dataset": "binarized:digits"},
    ]
    assert run(suite(row=rows), tmp_path)[0] == 0

    def of(dataset, name):
        return tmp_path / "cells" / dataset / name / "seed-0"

    for name in ("real-test", "noise", "k-means", "uniform"):
        one, twin, other = (Record.read(of(data, name)) for data in ("digits", "edges-digits", "binarized-digits"))
        assert (twin.quality, twin.test, twin.agreement) == (one.quality, one.test, one.agreement)
        assert twin.collapse == one.collapse
        assert (twin.dataset, twin.stamp["data"]["name"]) == ("edges:digits", "edges:digits")
        assert twin.stamp.get("extractor") == one.stamp.get("extractor")
        assert twin.stamp["measured"] == "once, on digits: the images are the same"
        assert not {"quality", "nll"} & set(twin.seconds)
        assert {"quality", "nll"} & set(other.seconds)
        assert "measured" not in one.stamp
    for file in ("samples.png", "neighbours.png"):
        twin, one = (of(data, "k-means") / file for data in ("edges-digits", "digits"))
        assert twin.read_bytes() == one.read_bytes()
    assert Record.read(of("edges-digits", "copy")).paired.images == 20
    assert not of("edges-digits", "pixel-gaussian").exists()
    old = Record.read(of("digits", "noise"))
    wrong = old.quality.model_copy(update={"fid": 12345.0})
    old.model_copy(update={"quality": wrong, "stamp": old.stamp | {"measures": {}}}).write(of("digits", "noise"))
    shutil.rmtree(of("edges-digits", "noise"))
    assert run(suite(row=rows), tmp_path)[0] == 0
    assert Record.read(of("edges-digits", "noise")).quality == old.quality, "older measures are not copied"


def test_bfloat16_is_trained_in_and_stamped(tmp_path):
    if not precision.FLAGS & precision.processor_flags():
        with pytest.raises(ValueError, match="precision='bfloat16': cpu lacks it"):
            run(suite(("good", {}), precision="bfloat16"), tmp_path)
        return
    assert run(suite(("good", {}), precision="bfloat16"), tmp_path)[0] == 0
    assert Record.read(cell(tmp_path, "good")).stamp["precision"] == "bfloat16"
    with pytest.raises(ValueError, match="precision was 'bfloat16' and is now 'float32'"):
        run(suite(("good", {})), tmp_path)


def alone(recipe, out, **more):
    """The record of one row of a step, in this process."""
    given = {"dataset": "digits", "size": None, "data": dict(data.load("digits").hashes), "recipe": recipe}
    given |= {"label": recipe, "options": {}, "labelled": None, "given": (), "seed": 0, "budget": {"steps": 1}}
    given |= {"batch_size": 8, "extractor": "classifier", "precision": "float32", "samples": 20, "likelihoods": 2}
    given |= {"draws": 1, "estimated": 1, "timing": 0.01, "device": "cpu", "measures": ("nll",)}
    setting = Setting("Toys", None, None, Replay("toys", suite(row=[{"recipe": recipe}])).command)
    out.mkdir()
    (out / "checkpoint").mkdir()
    return work(Cell(**given | more), setting, out, lambda stage, fraction: None)


def test_a_recipe_that_is_not_ours_is_checked_before_it_is_run_and_a_liar_is_not_ranked(tmp_path, monkeypatch):
    import toyfamily

    monkeypatch.setattr(runs_cell, "verdict", checks.verdict)
    honest = alone("toy", tmp_path / "honest")
    assert honest.stamp["checked"] == {"by": checks.BY, "passed": ["training", *checks.CHECKS]}
    true = toyfamily.Toy.nats
    monkeypatch.setattr(toyfamily.Toy, "nats", lambda self, images: true(self, images) + math.log(2))
    liar = alone("toy", tmp_path / "liar")
    assert list(liar.stamp["checked"]["failed"]) == ["sum"]
    cells = [honest.model_copy(update={"label": name}) for name in "ab"] + [liar.model_copy(update={"label": "c"})]
    found = {row["label"]: row["nll_ranked"] for row in rows.rows(cells)}
    assert found == {"a": 2, "b": 2, "c": None}
    text = rows.render(cells, "md")
    assert "c †" in text
    assert "c: † nothing ranks it: its recipe fails sum: probabilities sum to 2.0000 over the 16 images" in text


def test_our_own_recipes_are_checked_by_our_tests_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(runs_cell, "check_recipe", None)
    record = alone("nice", tmp_path / "nice", options={"width": 4})
    assert record.stamp["checked"] == {"by": "the tests of genbench"}


def test_progress_passes_every_stage_behind_training_in_order(tmp_path):
    told = []
    configuration = Cell(
        dataset="digits", size=None, data=dict(data.load("digits").hashes), recipe="able", label="able", options={},
        labelled=None, given=(), seed=0, budget={"steps": 1}, batch_size=8, extractor="classifier",
        precision="float32", samples=20, likelihoods=1, draws=1, estimated=1, timing=0.01, device="cpu",
    )  # fmt: skip
    setting = Setting("Toys", None, None, Replay("toys", suite(row=[{"recipe": "able"}])).command)
    work(configuration, setting, tmp_path, lambda stage, fraction: told.append(stage))
    behind = list(dict.fromkeys(stage for stage in told[told.index("fit") :] if stage != "fit"))
    elsewhere = {"paired", "anomaly", "joint", "reconstruction"}  # of other data; of models that do reconstruct
    elsewhere |= {"caption", "domains", "taught", "mask"}  # of captions, of translations
    assert {*behind, *elsewhere} == set(STAGES)
    assert [STAGES[stage] for stage in behind] == sorted(STAGES[stage] for stage in behind)
