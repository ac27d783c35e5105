"""What ``--jobs``, ``--ray`` and ``--threads`` may say, and how company parts rows."""

import pytest

from genbench.records.record import Record
from genbench.runs import placing
from genbench.runs.here import Here
from genbench.tables.comparable import parts
from genbench.tables.groups import QUALITY, SPEED


def test_alone_is_the_default_and_needs_no_ray(monkeypatch):
    monkeypatch.setattr(placing, "find_spec", lambda name: None)
    assert placing.engine(1, None, None, "cpu") == Here()
    assert placing.engine(1, None, 3, "cpu") == Here(3)


@pytest.mark.parametrize(("jobs", "address", "asked"), [(2, None, "--jobs 2"), (1, "auto", "--ray auto")])
def test_without_the_extra_it_is_said_what_to_install(monkeypatch, jobs, address, asked):
    monkeypatch.setattr(placing, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=rf"^{asked}: Ray is not installed: pip install 'genbench\[ray\]'$"):
        placing.check(jobs, address, None)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ((0, None, None), r"--jobs 0: give at least 1"),
        ((1, None, -1), r"--threads -1: give at least 1"),
        ((2, "auto", None), r"--jobs 2 and --ray auto: give one"),
        ((1, "ray://head:10001", None), r"--ray ray://head:10001: give auto or HOST:PORT"),
        ((2, None, 3), r"--jobs 2: 6 cores are needed, and there are 4; give fewer"),
        ((5, None, None), r"--jobs 5: 5 cores are needed, and there are 4"),
    ],
)
def test_what_does_not_go_is_refused_in_a_line(monkeypatch, told, said):
    monkeypatch.setattr(placing.processor, "cores", lambda: {0, 1, 2, 3})
    with pytest.raises(ValueError, match=said):
        placing.check(*told)


def test_a_storage_is_for_a_cluster():
    with pytest.raises(ValueError, match=r"^--storage s3://b: goes with --ray; on one machine .* the run's folder$"):
        placing.check(1, None, None, storage="s3://b")


def test_beside_other_work_a_run_takes_the_cores_that_are_free(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(placing.processor, "cores", lambda: {0, 1, 2, 3})
    monkeypatch.setattr("torch.get_num_threads", lambda: 4)
    for busy, threads in ((None, None), (0.3, None), (0.9, 3), (2.6, 1), (3.9, 1)):
        assert placing.engine(1, None, None, "cpu", busy=busy) == Here(threads)
    assert placing.engine(1, None, None, "cuda", busy=2.0) == Here(), "a GPU's cells hardly need them"
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)  # cores may be two for one
    assert placing.engine(1, None, None, "cpu", busy=0.9) == Here()
    assert placing.engine(1, None, 4, "cpu", busy=2.0) == Here(4), "as asked for"
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert placing.engine(1, None, None, "cpu", busy=2.0) == Here(), "as the variable has it"


def test_cells_share_the_cores_of_a_machine_and_have_one_on_a_cluster(monkeypatch):
    monkeypatch.setattr(placing.processor, "cores", lambda: {0, 1, 2, 3})
    assert placing.check(2, None, None) == 2
    assert placing.check(3, None, None) == 1
    assert placing.check(1, "auto", None) == 1
    assert placing.check(1, "auto", 8) == 8


def test_company_parts_rows_whose_budget_is_in_seconds_and_no_others():
    def of(budget, group, **stamp):
        heading = {"dataset": "d", "recipe": "r", "label": "r", "family": "f", "seed": 0, "status": "done"}
        return parts(Record(**heading, stamp={"budget": budget, **stamp}), group)

    company = {"company": {"jobs": 4, "cores": 1}}
    assert of({"seconds": 60.0}, QUALITY, **company)["company jobs"] == "4"
    assert "company jobs" not in of({"steps": 60}, QUALITY, **company)
    assert "company jobs" not in of({"seconds": 60.0}, SPEED, **company), "speed is measured alone"


@pytest.mark.parametrize(("jobs", "address"), [(2, None), (1, "auto")])
def test_a_cell_on_several_devices_is_the_only_one_at_work(jobs, address):
    said = "--devices-per-cell 2: goes with one cell at a time; leave --jobs and --ray out"
    with pytest.raises(ValueError, match=said):
        placing.check(jobs, address, None, 2)
    assert placing.check(1, None, None, 2) is None
