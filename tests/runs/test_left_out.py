"""Runs of people in a hurry: what they leave out is absent, and comes by measuring again."""

import io
import json

import pytest
from rich.console import Console

from genbench.records.record import Record
from genbench.runs import runner
from genbench.runs.reproduce import reproduce
from genbench.training.precision import resolved
from tests.toys import cell, installed, run, snapshot, suite


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.mark.parametrize("groups", [("fid",), ("nll", "speed")])
def test_figures_that_nobody_asks_for_are_absent_and_come_by_measuring_again(tmp_path, groups):
    rows = [("good", {})]
    part = suite(*rows, measures=groups)
    assert run(part, tmp_path)[0] == 0
    there = Record.read(cell(tmp_path, "good"))
    real = Record.read(cell(tmp_path, "real-test"))
    pixels = Record.read(cell(tmp_path, "pixel-histogram"))
    nll, fid, speed = (name in groups for name in ("nll", "fid", "speed"))
    for record in (there, pixels):
        assert (record.test is not None, record.train is not None) == (nll, nll)
    for record in (there, real, pixels):
        assert (record.quality is not None, record.collapse is not None, record.extractor is not None) == (
            fid,
            fid,
            fid,
        )
    assert (there.speed is not None) is speed
    assert there.stamp["left_out"] == [name for name in ("nll", "fid", "speed") if name not in groups]
    assert "Not measured in every row" in (tmp_path / "table.md").read_text()
    assert f"--measures {','.join(groups)}" in there.stamp["command"]
    before = snapshot(tmp_path / "cells")
    assert "skipped: anchors on digits; good on digits" in run(suite(*rows), tmp_path)[1], "unasked nothing is done"
    assert snapshot(tmp_path / "cells") == before
    with pytest.raises(ValueError, match="--measure-again measures all; say --measures nll,fid,speed"):
        run(part, tmp_path, measure_again=True)
    status, said = run(suite(*rows), tmp_path, measure_again=True)
    assert (status, "measured again: good on digits" in said) == (0, True)
    run(suite(*rows), tmp_path / "whole")
    for name in ("good", "real-test", "pixel-histogram"):
        now, whole = (Record.read(cell(folder, name)) for folder in (tmp_path, tmp_path / "whole"))
        for of in ("test", "train", "quality", "collapse", "agreement", "parzen", "digests"):
            assert getattr(now, of) == getattr(whole, of), of
        assert "left_out" not in now.stamp
    assert Record.read(cell(tmp_path, "good")).speed is not None
    assert "Not measured" not in (tmp_path / "table.md").read_text()


def test_a_cell_without_some_figures_is_made_again_without_them(tmp_path):
    assert run(suite(("good", {}), measures=("fid",), anchors=False), tmp_path / "out")[0] == 0
    console = Console(file=io.StringIO(), width=200)
    comparison, _ = reproduce(cell(tmp_path / "out", "good"), tmp_path / "again", console)
    assert comparison.equal


def test_what_moved_is_measured_again_until_nothing_more_may_be_done(tmp_path):
    part = suite(("good", {}), anchors=False)
    assert run(part, tmp_path)[0] == 0
    path = cell(tmp_path, "good") / "record.json"
    whole = Record.read(path.parent)
    for work, said in ((1, "trained already, measured again: good"), (4, "done already, skipped: good")):
        moved = whole.test.model_copy(update={"moved": -0.2, "converged": False, "work": work})
        path.write_text(whole.model_copy(update={"test": moved}).model_dump_json())
        assert said in run(part, tmp_path, measure_again=True)[1]


def test_anchors_never_have_a_speed_and_are_not_measured_again_for_it(tmp_path):
    assert run(suite(("good", {}), measures=("nll", "fid")), tmp_path)[0] == 0
    said = run(suite(("good", {})), tmp_path, measure_again=True)[1]
    assert "done already, skipped: anchors on digits" in said
    assert "measured again: good on digits" in said


def test_a_record_that_cannot_be_read_stops_no_training(tmp_path):
    stray = tmp_path / "cells" / "digits" / "stray" / "seed-0"
    stray.mkdir(parents=True)
    (stray / "record.json").write_text("{")
    status, said = run(suite(("one", {}), ("two", {}), anchors=False), tmp_path)
    assert status == 0
    assert "stray" in said, "a note names it"
    assert all(Record.read(cell(tmp_path, name)).status == "done" for name in ("one", "two"))


def test_anchors_may_be_left_out(tmp_path):
    assert run(suite(("good", {}), anchors=False), tmp_path)[0] == 0
    assert [path.name for path in (tmp_path / "cells" / "digits").iterdir()] == ["good"]


def test_the_tables_are_there_as_soon_as_a_cell_has_ended(tmp_path, monkeypatch):
    tables = []
    write = runner.rows.write

    def heard(out, records, view):
        write(out, records, view)
        tables.append({row["label"] for row in json.loads((out / "table.json").read_text())})

    monkeypatch.setattr(runner.rows, "write", heard)
    assert run(suite(("one", {}), ("two", {}), anchors=False), tmp_path)[0] == 0
    assert tables == [{"one"}, {"one", "two"}]


def test_precision_auto_is_settled_before_the_cell_is(tmp_path):
    assert run(suite(("one", {}), anchors=False, precision="auto"), tmp_path)[0] == 0
    wanted = resolved("auto", "cpu")
    stamp = Record.read(cell(tmp_path, "one")).stamp
    assert (stamp["precision"], stamp["configuration"]["precision"]) == (wanted, wanted)


def test_likelihoods_alone_need_no_more_images_than_there_are(tmp_path):
    row = (("good", {}),)
    assert run(suite(*row, samples=3, measures=("nll",), anchors=False), tmp_path)[0] == 0
    record = Record.read(cell(tmp_path, "good"))
    assert record.test is not None
    assert record.quality is None
    with pytest.raises(ValueError, match=r"3 samples, and measures of quality need"):
        run(suite(*row, samples=3, measures=("nll", "fid"), anchors=False), tmp_path / "both")
