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


def test_anchors_are_laid_out_alone_and_whatever_rows_would_be_trained_in(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "processor_flags", frozenset)
    only = suite(row=[{"recipe": "anchors"}, {"recipe": "anchors", "dataset": "edges:digits"}])
    laid = plan(only.model_copy(update={"precision": "bfloat16"}), tmp_path, data.load, device="cpu", fresh=False)
    assert [job.title for job in laid.jobs] == ["anchors on digits", "anchors on edges:digits"]
    whole = plan(suite(("a", {}), ("b", {})), tmp_path, data.load, device="cpu", fresh=False)
    assert [job.title for job in whole.jobs] == ["anchors on digits", "a on digits, seed 0", "b on digits, seed 0"]
