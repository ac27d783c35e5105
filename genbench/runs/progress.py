"""What a run says while it works: bars with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from genbench.runs.config import ANCHORS
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
    "domains": 0.685,
    "caption": 0.687,
    "taught": 0.69,
    "speed": 0.7,
    "abilities": 0.95,
    "accuracy": 0.97,
    "anomaly": 0.975,
    "reconstruction": 0.98,
    "joint": 0.99,
    "mask": 0.995,
}
SAY_SECONDS = 25.0  # between two lines of progress where there is no terminal: a log file, a notebook
VERBS = {"fit": "training", "nll": "likelihood", "load": "loading", "build": "building", "sample": "sampling"}
VERBS["check"] = "checking its promises"


def duration(seconds: float) -> str:
    """Return seconds as people say them: 45 s, 3 min, 2 h 5 min."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def span(seconds: Sequence[float]) -> str:
    """Return some times as people say them together: 45 s, 20 to 45 s."""
    least, most = (duration(value) for value in (min(seconds), max(seconds)))
    if least == most:
        return most
    return f"{least.removesuffix(' s')} to {most}" if most.endswith(" s") else f"{least} to {most}"


def expected(plan: Plan) -> str:
    """Return what is to be done and how long it should take, in a line."""
    todo = [job for job in plan.jobs if job.todo]
    trained = [job for job in todo if job.trains]
    line = f"{len(todo)} {'cell' if len(todo) == 1 else 'cells'} to do: about {duration(plan.seconds)} on this machine"
    if not trained:
        return line
    training, measuring = (span([getattr(job, f"{part}_seconds") for job in trained]) for part in ("fit", "measure"))
    return f"{line}; each trains for {training} and is measured for about {measuring}"


class Expectation:
    """What is left of a plan: its guesses, and what measuring took in the jobs that are done in units of its guess."""

    def __init__(self, todo: Sequence[Job]) -> None:
        self.left = list(todo)
        self.guessed: defaultdict[str, float] = defaultdict(float)
        self.took: defaultdict[str, float] = defaultdict(float)

    def seconds(self, job: Job) -> float:
        """Return the seconds that all of a job should take."""
        return job.fit_seconds + job.measure_seconds * self.factor(job.kind)

    def factor(self, kind: str) -> float:
        """Return by how much jobs of this kind, else those that train at all, take longer to measure than guessed."""
        kinds = [kind] if self.guessed[kind] else [other for other in self.guessed if ANCHORS not in (kind, other)]
        guessed = sum(self.guessed[each] for each in kinds)
        return sum(self.took[each] for each in kinds) / guessed if guessed else 1.0

    def done(self, job: Job, took: float | None) -> None:
        """Take note of a job that is done, whose measuring ``took`` seconds; None where it was not measured."""
        self.left.remove(job)
        if took is None:
            return
        self.guessed[job.kind] += job.measure_seconds
        self.took[job.kind] += took

    @property
    def remaining(self) -> float:
        """The seconds that all jobs which are not done should take."""
        return sum(map(self.seconds, self.left))


class ProgressDisplay:
    """A display that follows a plan's jobs. All figures are estimates; ``left`` is what remains of them."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self.console = console
        self.plan = plan
        self.todo = [job for job in plan.jobs if job.todo]
        self.expectation = Expectation(self.todo)
        self.job: Job | None = None
        self.done = 0.0
        self.fraction = 0.0
        self.began = self.said = time.monotonic()
        self.fit_began: float | None = None
        self.fitted = 0.0
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
        self.fraction = self.fitted = 0.0
        self.fit_began = None
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
        whole = max(self.expectation.seconds(self.job), 1e-9)
        share = self.job.fit_seconds / whole
        if stage == "fit":
            now = time.monotonic()
            self.fit_began = now if self.fit_began is None else self.fit_began
            self.fitted = now - self.fit_began
            self.fraction = max(self.fraction, share * fraction)
        elif stage in STAGES:
            self.fraction = max(self.fraction, share + (1 - share) * STAGES[stage])
        left = max(self.expectation.remaining - whole * self.fraction, 0.0)
        if self.bars is None or self.one is None or self.all is None:
            if time.monotonic() - self.said > SAY_SECONDS:
                self.said = time.monotonic()
                text = f"{self.job.title}: {VERBS.get(stage, stage)}, {self.fraction:.0%}; about {duration(left)} left"
                self.console.print(text, markup=False, highlight=False, soft_wrap=True)
            return
        self.bars.update(self.one, completed=self.fraction, left=VERBS.get(stage, stage))
        done = self.done + whole * self.fraction
        self.bars.update(self.all, completed=done, total=done + left, left=f"about {duration(left)} left")

    def end(self, number: int, outcome: str, *, measured: bool = True) -> None:
        """Show that the job is over; ``outcome`` says how it ended, ``measured`` whether it came so far."""
        if self.job is None:
            return
        seconds = time.monotonic() - self.began
        self.done += seconds
        self.expectation.done(self.job, max(seconds - self.fitted, 0.0) if measured else None)
        took = duration(seconds)
        if self.bars is not None and self.one is not None:
            self.bars.remove_task(self.one)
        text = f"[{number}/{len(self.todo)}] {self.job.title}: {outcome}, {took}"
        if self.bars is None:
            text += f"; about {duration(self.expectation.remaining)} left"
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
