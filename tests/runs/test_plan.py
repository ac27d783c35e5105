"""What a run will do is checked before any of it is done, and whatever will not do is refused in one line."""

import pytest

from genbench import data
from genbench.runs.plan import plan
from genbench.training import precision
from tests.toys import installed, run, suite


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site:
        yield site


def test_rows_that_need_every_label_are_refused_by_name(tmp_path):
    told = {"recipe": "able", "label": "told", "labelled": 20, "options": {"conditional": True}}
    too = {"recipe": "cvae", "labelled": 20}
    with pytest.raises(
        ValueError,
        match=r"^labelled = 20: told on digits, cvae on digits must be told the label of every image; .*--rec",
    ):
        run(suite(row=[told, {"recipe": "able", "labelled": 20}, too]), tmp_path)
    with pytest.raises(ValueError, match=r"row 'able' on digits: labelled=3: give 10, one a class"):
        run(suite(row=[{"recipe": "able", "labelled": 3}]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_unfit_rows_and_data_are_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("genbench.processor.cores", lambda: set(range(4)))
    with pytest.raises(ValueError, match=r"row 'bad' on digits: fails='x': give"):
        run(suite(("good", {}), ("bad", {"fails": "x"})), tmp_path)
    with pytest.raises(ValueError, match=r"row 'bad' on digits cannot be built with .*TypeError"):
        run(suite(("bad", {"rate": "x"})), tmp_path)
    with pytest.raises(ValueError, match=r"digits: 3 samples, and measures of quality need \d+"):
        run(suite(("good", {}), samples=3), tmp_path)
    with pytest.raises(ValueError, match=r"extractor = 'inseption-v3' is unknown: did you mean inception-v3"):
        run(suite(("good", {}), extractor="inseption-v3"), tmp_path)
    with pytest.raises(ValueError, match=r"devices=99: there are 4 cores here; give at most these"):
        run(suite(("good", {}), devices=99, batch_size=99), tmp_path)
    with pytest.raises(ValueError, match=r"devices=2: a batch of 5 has no 2 equal parts; give a multiple of 2"):
        run(suite(("good", {}), devices=2, batch_size=5), tmp_path)
    with pytest.raises(ValueError, match=r"devices=4: a batch of 1258 has no 4 equal parts"):  # the whole split
        run(suite(("good", {}), devices=4, batch_size=2000), tmp_path)
    assert not list(tmp_path.iterdir())


def test_devices_are_of_what_is_trained_and_one_was_meant_before_there_were_several(tmp_path, monkeypatch):
    monkeypatch.setattr("genbench.processor.cores", lambda: {0, 1})
    anchors, row = plan(suite(("a", {}), devices=2), tmp_path, data.load, device="cpu", fresh=False).jobs
    assert (anchors.cell.devices, row.cell.devices) == (1, 2)
    older = {name: value for name, value in row.cell.configuration.items() if name != "devices"}
    assert row.cell.differences(older) == ["devices was 1 and is now 2"]
    assert not anchors.cell.differences({k: v for k, v in anchors.cell.configuration.items() if k != "devices"})


def test_anchors_are_laid_out_alone_and_whatever_rows_would_be_trained_in(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "processor_flags", frozenset)
    only = suite(row=[{"recipe": "anchors"}, {"recipe": "anchors", "dataset": "edges:digits"}])
    laid = plan(only.model_copy(update={"precision": "bfloat16"}), tmp_path, data.load, device="cpu", fresh=False)
    assert [job.title for job in laid.jobs] == ["anchors on digits", "anchors on edges:digits"]
    whole = plan(suite(("a", {}), ("b", {})), tmp_path, data.load, device="cpu", fresh=False)
    assert [job.title for job in whole.jobs] == ["anchors on digits", "a on digits, seed 0", "b on digits, seed 0"]
