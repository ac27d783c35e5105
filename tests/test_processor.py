"""How busy others keep the processor, from counters that are set by hand."""

import pytest

from genbench import processor


@pytest.fixture
def ticks(monkeypatch):
    """What the counters are at the first look and at the second, of cores 0, 1 and 2, of which 0 and 2 are ours."""
    looks = []
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda pid: {0, 2}, raising=False)
    monkeypatch.setattr(processor.Path, "read_text", lambda path: looks.pop(0))
    monkeypatch.setattr(processor.time, "sleep", lambda seconds: None)
    return looks


def table(*cores):
    return "cpu  1 2 3 4 5 6 7 8 0 0\n" + "".join(f"cpu{i} {line} 0 0\n" for i, line in enumerate(cores)) + "intr 5"


def test_it_is_the_share_of_each_of_our_cores_that_is_not_idle(ticks):
    idle = "10 0 0 100 0 0 0 0"
    # core 0: 25 of 100 ticks not idle, 5 of those idle waited for a disk; core 1 is not ours; core 2: all stolen
    ticks += [table(idle, idle, idle), table("30 0 5 170 5 0 0 0", "999 0 0 100 0 0 0 0", "10 0 0 100 0 0 0 50")]
    assert processor.busy(0.1, 1) == pytest.approx(0.25 + 1)


def test_the_calmest_of_several_looks_counts(ticks):
    for busy in (80, 10, 50):
        ticks += [table("0 0 0 0", "", "0 0 0 0"), table(f"{busy} 0 0 {100 - busy}", "", "0 0 0 100")]
    assert processor.busy(0.1, 3) == pytest.approx(0.1)


def test_where_the_system_does_not_say_it_is_not_known(monkeypatch):
    def gone(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(processor.Path, "read_text", gone)
    assert processor.busy(0.1) is None


def test_others_are_named_from_a_good_part_of_a_core_on(monkeypatch):
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda pid: {0, 2}, raising=False)
    assert processor.warning(None) is processor.warning(0.1) is None
    assert processor.warning(1.0).startswith("this machine is busy: others take 1.0 of 2 cores; ")
    assert processor.warning(1.0).endswith("and speeds come out lower")
    assert processor.warning(1.0, 1).endswith("and speeds come out lower; threads of each cell: 1 (--threads)")
