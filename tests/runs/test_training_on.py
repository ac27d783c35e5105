"""A finished cell that is asked for again with more of its budget is trained on."""

import json

import pytest

from genbench.files import unfinished_of
from genbench.records.record import Record
from genbench.runs.reproduce import reproduce
from genbench.tables import comparable
from genbench.tables.groups import LIKELIHOOD
from tests.toys import cell, console, installed, run, snapshot, suite

QUICK = {"anchors": False, "measures": ("nll",)}


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site:
        yield site


def lines(folder):
    return [line.split(",")[1] for line in (folder / "history.csv").read_text().splitlines()]


def test_a_larger_budget_goes_on_from_the_smaller_and_says_so(tmp_path):
    row = ("good", {})
    on, straight = tmp_path / "on", tmp_path / "straight"
    assert run(suite(row, steps=4, **QUICK), on)[0] == 0
    status, said = run(suite(row, steps=9, **QUICK), on)
    assert (status, "trained on from a smaller budget: good on digits" in said) == (0, True)
    assert run(suite(row, steps=9, **QUICK), straight)[0] == 0
    here, there = cell(on, "good"), cell(straight, "good")
    one, other = Record.read(here), Record.read(there)
    assert one.digests == other.digests, "weights and samples of one training of nine steps"
    assert one.test == other.test
    assert one.stamp["trained_on"] == [{"budget": {"steps": 4}, "steps": 4}]
    assert (one.stamp["budget"], one.fit.steps) == ({"steps": 9}, 9)
    assert "trained_on" not in other.stamp
    assert lines(here) == lines(there), "a history of all of it"
    assert "good: trained on from steps 4: " in (on / "table.md").read_text()
    assert "skipped: good" in run(suite(row, steps=9, **QUICK), on)[1]
    comparison, again = reproduce(here, tmp_path / "again", console())
    assert comparison.equal
    assert Record.read(again).stamp["trained_on"] == one.stamp["trained_on"]
    with pytest.raises(ValueError, match=r"budget was {'steps': 9} and is now {'steps': 4}"):
        run(suite(row, steps=4, **QUICK), on)


def test_what_is_cut_off_on_the_way_goes_on_and_a_failure_leaves_what_there_was(tmp_path):
    options = {"fails": "dies", "at": 6, "once": str(tmp_path / "once")}
    out = tmp_path / "out"
    rows = suite(("good", options), steps=4, **QUICK), suite(("good", options), steps=9, **QUICK)
    assert run(rows[0], out)[0] == 0
    folder = cell(out, "good")
    before = snapshot(folder)
    assert run(rows[1], out)[0] == 1
    assert snapshot(folder) == before, "the finished cell is as it was"
    assert (unfinished_of(folder) / "checkpoint" / "training.pt").is_file()
    status, said = run(rows[1], out)
    assert (status, "cut off, resumed: good on digits" in said) == (0, True)
    assert run(suite(("good", {}), steps=9, **QUICK), tmp_path / "straight")[0] == 0
    assert Record.read(folder).digests == Record.read(cell(tmp_path / "straight", "good")).digests
    assert not unfinished_of(folder).exists()


def test_a_cell_without_the_state_of_its_training_is_another_configuration(tmp_path):
    assert run(suite(("good", {}), steps=4, **QUICK), tmp_path)[0] == 0
    (cell(tmp_path, "good") / "checkpoint" / "training.pt").unlink()
    with pytest.raises(ValueError, match="holds another configuration: budget was"):
        run(suite(("good", {}), steps=9, **QUICK), tmp_path)
    path = cell(tmp_path, "good") / "record.json"
    record = json.loads(path.read_text())
    record["stamp"]["configuration"]["budget"] = "x"
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match="holds another configuration: budget was 'x'"):
        run(suite(("good", {}), steps=9, **QUICK), tmp_path)


def test_what_diverges_on_the_way_leaves_what_there_was(tmp_path):
    row = ("good", {"fails": "diverges", "at": 6})
    out = tmp_path / "out"
    assert run(suite(row, steps=4, **QUICK), out)[0] == 0
    before = snapshot(cell(out, "good"))
    status, said = run(suite(row, steps=9, **QUICK), out)
    assert status == 1
    assert "trained on, the loss is not finite" in said
    assert "the cell with the smaller budget stays" in said
    left = snapshot(cell(out, "good"))
    assert {path: left[path] for path in before} == before
    assert {path.name for path in left.keys() - before.keys()} == {"error.txt"}


def test_a_longer_training_that_was_cut_off_outlives_a_run_of_the_smaller_budget(tmp_path):
    row = ("good", {"fails": "dies", "at": 6, "once": str(tmp_path / "once")})
    out = tmp_path / "out"
    assert run(suite(row, steps=4, **QUICK), out)[0] == 0
    assert run(suite(row, steps=9, **QUICK), out)[0] == 1
    part = unfinished_of(cell(out, "good"))
    assert "skipped: good" in run(suite(row, steps=4, **QUICK), out)[1]
    assert (part / "checkpoint" / "training.pt").is_file()
    with pytest.raises(ValueError, match=r"budget was {'steps': 9} and is now {'steps': 12}; ask for that one, or del"):
        run(suite(row, steps=12, **QUICK), out)
    assert run(suite(row, steps=9, **QUICK), out)[0] == 0
    assert (tmp_path / "once.calls").read_text().split()[:4] == ["0", "1", "2", "3"]
    assert not part.exists()


def test_a_training_that_is_damaged_is_refused_before_anything_is_done(tmp_path):
    assert run(suite(("good", {}), steps=4, **QUICK), tmp_path)[0] == 0
    (cell(tmp_path, "good") / "checkpoint" / "training.pt").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"training\.pt: not a training of genbench .*--fresh trains it again"):
        run(suite(("good", {}), steps=9, **QUICK), tmp_path)
    assert not unfinished_of(cell(tmp_path, "good")).exists()


def test_a_leg_that_was_trained_elsewhere_says_so_and_is_not_ranked_with_one_that_was_not(tmp_path):
    rows = [("good", {}), ("other", {})]
    assert run(suite(*rows, **QUICK, budget={"seconds": 0.2}), tmp_path)[0] == 0
    path = cell(tmp_path, "other") / "record.json"
    record = json.loads(path.read_text())
    record["stamp"]["machine"]["processor"] = "another"
    record["stamp"]["company"] = {"jobs": 4, "cores": 1}
    path.write_text(json.dumps(record))
    assert run(suite(*rows, **QUICK, budget={"seconds": 0.4}), tmp_path)[0] == 0
    here, there = (Record.read(cell(tmp_path, label)) for label, _ in rows)
    assert "trained" not in here.stamp["trained_on"][0]
    assert there.stamp["trained_on"][0]["trained"]["machine"]["processor"] == "another"
    assert there.stamp["trained_on"][0]["trained"]["company"] == {"jobs": 4, "cores": 1}
    assert comparable.parts(here, LIKELIHOOD) != comparable.parts(there, LIKELIHOOD)
    assert "trained on from elsewhere" in comparable.parts(there, LIKELIHOOD)
