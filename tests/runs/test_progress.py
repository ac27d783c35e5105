"""What a run says where there is no terminal: lines that a log file or a notebook keeps."""

import io
import threading
from types import SimpleNamespace

from rich.console import Console

from genbench.runs import progress, worker
from genbench.runs.spawn import SPAWN


def test_a_log_hears_now_and_then_how_far_a_cell_is(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    job = SimpleNamespace(title="vae on digits, seed 0", how="run", todo=True, fit_seconds=600.0, measure_seconds=200.0)
    job.kind = "bound"
    console = Console(file=io.StringIO(), width=200)
    display = progress.ProgressDisplay(console, SimpleNamespace(jobs=[job], seconds=800.0))
    with display.live():
        display.begin(1, job)
        for clock.now in range(0, 601, 10):
            display.at("fit", clock.now / 600)
        clock.now = 700.0
        display.at("quality", 0.0)
        display.end(1, "9 steps")
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "[1/1] vae on digits, seed 0 begins"
    assert lines[1] == "vae on digits, seed 0: training, 4%; about 13 min left"
    assert lines[-2] == "vae on digits, seed 0: quality, 85%; about 2 min left"
    assert len(lines) == 2 + 20 + 1, "every half minute of ten"


def jobs(*kinds):
    return [
        SimpleNamespace(kind=kind, trains=True, fit_seconds=60.0, measure_seconds=10.0, todo=True) for kind in kinds
    ]


def test_what_measuring_took_corrects_what_is_left_of_its_kind_and_else_of_all():
    todo = jobs("anchors", "exact", "exact", "bound", "estimate")
    expectation = progress.Expectation(todo)
    assert expectation.remaining == 5 * 70
    expectation.done(todo[0], 99.0)
    assert expectation.remaining == 4 * 70, "anchors say nothing of models"
    expectation.done(todo[1], 30.0)
    assert expectation.remaining == 3 * (60 + 30)
    expectation.done(todo[3], 5.0)
    assert expectation.seconds(todo[2]) == 60 + 30
    assert expectation.seconds(todo[4]) == 60 + 10 * (30 + 5) / 20


def test_the_first_line_parts_training_from_measuring():
    two = jobs("exact", "bound")
    two[1].measure_seconds = 25.0
    said = progress.expected(SimpleNamespace(jobs=two, seconds=155.0))
    assert said == (
        "2 cells to do: about 3 min on this machine; each trains for 60 s and is measured for about 10 to 25 s"
    )


def test_training_is_no_part_of_what_measuring_took(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    first, second = jobs("exact", "exact")
    first.title, first.how = "vae", "run"
    console = Console(file=io.StringIO(), width=200)
    display = progress.ProgressDisplay(console, SimpleNamespace(jobs=[first, second], seconds=140.0))
    with display.live():
        display.begin(1, first)
        for clock.now, stage, fraction in ((5, "fit", 0.0), (65, "fit", 1.0), (70, "fit", 1.0), (71, "nll", 0.0)):
            display.at(stage, fraction)
        clock.now = 85.0
        display.end(1, "9 steps")
    assert display.expectation.took == {"exact": 25.0}
    assert console.file.getvalue().splitlines()[-1] == "[1/2] vae: 9 steps, 85 s; about 85 s left"


def test_a_cell_that_was_never_measured_says_nothing_of_how_long_that_takes():
    todo = jobs("exact", "exact", "exact")
    expectation = progress.Expectation(todo)
    expectation.done(todo[0], None)
    assert expectation.remaining == 2 * 70


def test_a_long_stage_is_heard_again_and_again_until_the_cell_is_over(monkeypatch):
    monkeypatch.setattr(worker, "BEAT_SECONDS", 0.01)
    here, there = SPAWN.Pipe(duplex=False)
    said = worker.Said(there)
    thread = threading.Thread(target=said.again)
    thread.start()
    said.tell("nll", 0.0)
    for _ in range(3):
        assert here.poll(10)
        assert here.recv() == ("at", "nll", 0.0)
    said.close()
    thread.join(10)
    assert not thread.is_alive()
    said.send("at", "speed", 0.0)  # to nobody: no error
