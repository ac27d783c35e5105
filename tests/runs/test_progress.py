"""What a run says where there is no terminal: lines that a log file or a notebook keeps."""

import io
from types import SimpleNamespace

from rich.console import Console

from genbench.runs import progress


def test_a_log_hears_now_and_then_how_far_a_cell_is(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    job = SimpleNamespace(title="vae on digits, seed 0", how="run", todo=True, fit_seconds=600.0, measure_seconds=200.0)
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
    assert lines[1] == "vae on digits, seed 0: training, 9%; about 12 min left"
    assert lines[-2] == "vae on digits, seed 0: quality, 85%; about 2 min left"
    assert len(lines) == 2 + 8 + 1
