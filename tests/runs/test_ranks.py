"""Cells that are trained on two devices, in real processes."""

import errno
from types import SimpleNamespace

import pytest
import torch

from genbench import data
from genbench.records.record import Record
from genbench.runs import fitting, ranks
from genbench.runs.config import Setting
from genbench.runs.spawn import SPAWN
from genbench.training.parallel import Lost
from genbench.training.turns import Diverged
from tests.runs.test_stamping import cell_of
from tests.toys import cell, installed, run, suite


@pytest.fixture
def site(tmp_path):
    with installed(tmp_path / "site") as site:
        yield site


@pytest.mark.slow
def test_a_cell_one_of_whose_ranks_dies_goes_on_from_its_checkpoint(site, tmp_path):
    once = tmp_path / "once"
    row = ("dies", {"fails": "dies", "at": 3, "once": str(once)})
    status, said = run(suite(row, devices=2, measures=(), anchors=False), tmp_path / "out")
    assert status == 0, said
    record = Record.read(cell(tmp_path / "out", "dies"))
    assert (record.status, record.fit.steps, record.fit.images) == ("done", 6, 384)
    assert record.stamp["parallel"] == "2 devices by gloo"
    calls = (tmp_path / "once.calls").read_text().split()
    assert calls.count("0") == calls.count("2") == 2, "what both ranks have done is not done again"
    assert calls.count("3") in (3, 4), "but the step in which one died is"
    lines = (cell(tmp_path / "out", "dies") / "history.csv").read_text().splitlines()
    assert [line.split(",")[1:3] for line in lines[1:]] == [[str(k), str(64 * k)] for k in range(1, 7)]


class Odd(Exception):
    """Cannot be made again from what a pipe carries of it."""

    def __init__(self, first, second):
        super().__init__(first)


def test_what_failed_travels_with_its_traceback():
    diverged = ranks._sendable(Diverged("a weight", "net", 7))
    assert (diverged.step, str(diverged)) == (7, "a weight is not finite in turn 'net' at step 7")
    assert "Diverged" in diverged.__notes__[0]
    assert ranks._sendable(OSError(errno.ENOSPC, "full")).errno == errno.ENOSPC
    assert str(ranks._sendable(Odd("what", "else"))) == "Odd: what"


def watched(monkeypatch, *processes):
    """What :func:`ranks._together` makes of processes that said ``(words, exit status)``; None: still at work."""
    made = []

    def process(target, args, daemon):
        words, status = processes[len(made)]
        one = SimpleNamespace(exitcode=None, sentinel=None, words=words, wire=args[-1])

        def start():
            for word in words:
                one.wire.send(word)
            ending = SPAWN.Pipe(duplex=False)
            one.sentinel = ending[0]
            one.exitcode = status
            one.keep = ending[1]
            if status is not None:
                ending[1].close()

        def kill():
            one.exitcode = -9 if one.exitcode is None else one.exitcode

        one.start, one.kill, one.join, one.is_alive = start, kill, lambda: None, lambda: one.exitcode is None
        made.append(one)
        return one

    monkeypatch.setattr(ranks, "SPAWN", SimpleNamespace(Pipe=SPAWN.Pipe, Process=process))
    told = []
    asked = SimpleNamespace(devices=len(processes))
    return ranks._together(asked, None, None, lambda *at: told.append(at)), told


def test_progress_is_passed_on_and_ranks_that_end_well_are_done(monkeypatch):
    assert watched(monkeypatch, ([("at", "fit", 0.5)], 0), ([], 0)) == (None, [("fit", 0.5)])


def test_a_failure_of_its_own_is_raised_and_not_what_the_others_make_of_it(monkeypatch):
    own, lost = ("failed", Diverged("the loss", "net", 3)), ("failed", Lost("gone"))
    with pytest.raises(Diverged):
        watched(monkeypatch, ([lost], 1), ([own], 1))


@pytest.mark.parametrize(
    ("ends", "said"),
    [((1, -9), "the process of device 1 died (-9)"), ((None, None), "a device's process was lost")],
)
def test_ranks_that_lost_another_are_begun_again(monkeypatch, ends, said):
    assert watched(monkeypatch, ([("failed", Lost("gone"))], ends[0]), ([], ends[1]))[0] == said


def test_a_training_that_dies_again_and_again_is_given_up(monkeypatch, tmp_path):
    deaths = []

    def dies(*_):
        deaths.append(1)
        if len(deaths) == 2:  # a checkpoint came in between: its patience begins anew
            (tmp_path / "checkpoint").mkdir()
            (tmp_path / "checkpoint" / "training.pt").touch()
        return "the process of device 1 died (-9)"

    monkeypatch.setattr(ranks, "_together", dies)
    monkeypatch.setattr("genbench.processor.cores", lambda: {0, 1})
    asked = SimpleNamespace(devices=2, device="cpu", batch_size=8)
    with pytest.raises(RuntimeError, match=r"device 1 died \(-9\), 3 times in a row before a checkpoint"):
        ranks.train(asked, None, None, None, tmp_path, None)
    assert len(deaths) == 5
    asked.batch_size = 9
    with pytest.raises(ValueError, match=r"devices=2: a batch of 9"):
        ranks.train(asked, None, None, None, tmp_path, None)


def test_every_rank_reads_the_data_that_its_cell_was_planned_with(monkeypatch, tmp_path):
    digits, asked = data.load("digits"), []
    monkeypatch.setattr(data, "load", lambda name, **how: asked.append((name, how)) or digits)
    shared = cell_of("vae", digits, alpha="black", devices=2)
    for part in ("go_on", "train"):
        monkeypatch.setattr(fitting, part, lambda *given: asked.append(len(given[3].train)))
    threads = torch.get_num_threads()
    for rank in (0, 1):
        ranks._train(shared, Setting("Toys", tmp_path, "d" * 40, str), tmp_path, rank, print)
    torch.set_num_threads(threads)
    assert asked == 2 * [("digits", {"root": tmp_path, "size": None, "alpha": "black"}), len(digits.train)]
