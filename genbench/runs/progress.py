"""What a run says while it works: bars with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from genbench.runs.plan import Job, Plan

# Where a cell stands when a stage begins, as a share of what comes behind training.
STAGES = {
    "write": 0.0,
    "sample": 0.05,
    "nll": 0.15,
    "quality": 0.4,
    "agreement": 0.65,
    "collapse": 0.66,
    "paired": 0.68,
    "speed": 0.7,
    "abilities": 0.95,
    "accuracy": 0.97,
    "anomaly": 0.975,
    "reconstruction": 0.98,
    "joint": 0.99,
}
SAY_SECONDS = 60.0  # between two lines of progress where there is no terminal: a log file, a notebook
VERBS = {"fit": "training", "nll": "likelihood", "load": "loading", "build": "building", "sample": "sampling"}


def duration(seconds: float) -> str:
    """Return seconds as people say them: 45 s, 3 min, 2 h 5 min."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


class ProgressDisplay:
    """A display that follows a plan's jobs. All figures are estimates; ``left`` is what remains of them."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self.console = console
        self.plan = plan
        self.todo = [job for job in plan.jobs if job.todo]
        self.job: Job | None = None
        self.done = 0.0
        self.fraction = 0.0
        self.began = self.said = time.monotonic()
        self.bars: Progress | None = None
        self.all: TaskID | None = None
        self.one: TaskID | None = None

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show bars inside the block, where there is a terminal to show them on."""
        if not self.console.is_terminal or not self.todo:
            yield
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        with Progress(*columns, console=self.console) as self.bars:
            self.all = self.bars.add_task(f"{len(self.todo)} cells", total=max(self.plan.seconds, 1e-9), left="")
            yield
        self.bars = None

    def begin(self, number: int, job: Job) -> None:
        """Show that ``job`` begins."""
        self.job = job
        self.fraction = 0.0
        self.began = self.said = time.monotonic()
        verb = {"resume": "goes on", "measure": "is measured again"}.get(job.how, "begins")
        if self.bars is None:
            self.console.print(f"[{number}/{len(self.todo)}] {job.title} {verb}", markup=False, highlight=False)
        else:
            self.one = self.bars.add_task(job.title, total=1.0, left="")

    def at(self, stage: str, fraction: float) -> None:
        """Show that the job is at ``fraction`` of ``stage``."""
        if self.job is None:
            return
        whole = max(self.job.fit_seconds + self.job.measure_seconds, 1e-9)
        share = self.job.fit_seconds / whole
        if stage == "fit":
            self.fraction = max(self.fraction, share * fraction)
        elif stage in STAGES:
            self.fraction = max(self.fraction, share + (1 - share) * STAGES[stage])
        left = max(self.plan.seconds - self.done - whole * self.fraction, 0.0)
        if self.bars is None or self.one is None or self.all is None:
            if time.monotonic() - self.said > SAY_SECONDS:
                self.said = time.monotonic()
                text = f"{self.job.title}: {VERBS.get(stage, stage)}, {self.fraction:.0%}; about {duration(left)} left"
                self.console.print(text, markup=False, highlight=False, soft_wrap=True)
            return
        self.bars.update(self.one, completed=self.fraction, left=VERBS.get(stage, stage))
        self.bars.update(self.all, completed=self.done + whole * self.fraction, left=f"about {duration(left)} left")

    def end(self, number: int, outcome: str) -> None:
        """Show that the job is over; ``outcome`` says how it ended."""
        if self.job is None:
            return
        self.done += self.job.fit_seconds + self.job.measure_seconds
        took = duration(time.monotonic() - self.began)
        if self.bars is not None and self.one is not None:
            self.bars.remove_task(self.one)
        text = f"[{number}/{len(self.todo)}] {self.job.title}: {outcome}, {took}"
        if self.bars is None:
            text += f"; about {duration(self.plan.seconds - self.done)} left"
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
