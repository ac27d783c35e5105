"""What a run says while it works: bars with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

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
BEGINS = {"resume": "goes on", "on": "is trained on", "measure": "is measured again", "time": "is timed alone"}


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


def expected(plan: Plan, at_once: int = 1) -> str:
    """Return what is to be done and how long it should take, so many cells ``at_once``, in a line."""
    todo = [job for job in plan.jobs if job.todo]
    trained = [job for job in todo if job.trains]
    cells = f"{len(todo)} {'cell' if len(todo) == 1 else 'cells'}"
    how = "on this machine" if at_once == 1 else f"with {at_once} at once"
    line = f"{cells} to do: about {duration(plan.seconds / min(at_once, len(todo)))} {how}"
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


@dataclass
class Running:
    """A job at work: the share of it that is done, when it began, when training did, and how long that took."""

    job: Job
    began: float
    fraction: float = 0.0
    fit_began: float | None = None
    fitted: float = 0.0
    bar: TaskID | None = None


class ProgressDisplay:
    """A display that follows jobs by their numbers, ``at_once`` of them. All figures are estimates."""

    def __init__(self, console: Console, plan: Plan, at_once: int = 1) -> None:
        self.console = console
        self.plan = plan
        self.at_once = at_once
        self.todo = [job for job in plan.jobs if job.todo]
        self.expectation = Expectation(self.todo)
        self.running: dict[int, Running] = {}
        self.done = 0.0
        self.said = time.monotonic()
        self.bars: Progress | None = None
        self.all: TaskID | None = None

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
        one = self.running[number] = Running(job, time.monotonic())
        self.said = one.began
        verb = BEGINS.get(job.how, "begins")
        if self.bars is None:
            self._print(f"[{number}/{len(self.todo)}] {job.title} {verb}")
        else:
            one.bar = self.bars.add_task(job.title, total=1.0, left="")

    def at(self, stage: str, fraction: float, number: int = 1) -> None:
        """Show that a job is at ``fraction`` of ``stage``."""
        one = self.running.get(number)
        if one is None:
            return
        share = one.job.fit_seconds / self._whole(one)
        if stage == "fit":
            now = time.monotonic()
            one.fit_began = now if one.fit_began is None else one.fit_began
            if share * fraction > one.fraction:  # what is said again, while the model is finished, is no training
                one.fitted = now - one.fit_began
                one.fraction = share * fraction
        elif stage in STAGES:
            one.fraction = max(one.fraction, share + (1 - share) * STAGES[stage])
        left = self._left
        if self.bars is None or one.bar is None or self.all is None:
            if time.monotonic() - self.said > SAY_SECONDS:
                self.said = time.monotonic()
                said = f"{one.job.title}: {VERBS.get(stage, stage)}, {one.fraction:.0%}; about {duration(left)} left"
                self._print(said)
            return
        self.bars.update(one.bar, completed=one.fraction, left=VERBS.get(stage, stage))
        done = self.done + self._in_work
        total = done + left * self.at_once
        self.bars.update(self.all, completed=done, total=total, left=f"about {duration(left)} left")

    def lost(self, number: int, why: str) -> None:
        """Show that the machine or process of a job is gone."""
        if (one := self._closed(number)) is not None:
            self._print(f"[{number}/{len(self.todo)}] {one.job.title}: {why}; it goes on elsewhere")

    def end(self, number: int, outcome: str, *, measured: bool = True) -> None:
        """Show that a job is over; ``outcome`` says how it ended, ``measured`` whether it came so far."""
        one = self._closed(number)
        if one is None:
            return
        seconds = time.monotonic() - one.began
        self.done += seconds
        self.expectation.done(one.job, max(seconds - one.fitted, 0.0) if measured else None)
        text = f"[{number}/{len(self.todo)}] {one.job.title}: {outcome}, {duration(seconds)}"
        if self.bars is None:
            text += f"; about {duration(self._left)} left"
        self._print(text)

    def _closed(self, number: int) -> Running | None:
        one = self.running.pop(number, None)
        if one is not None and one.bar is not None and self.bars is not None:
            self.bars.remove_task(one.bar)
        return one

    def _whole(self, one: Running) -> float:
        return max(self.expectation.seconds(one.job), 1e-9)

    @property
    def _in_work(self) -> float:
        """The seconds that what is done of running jobs should have taken."""
        return sum(self._whole(one) * one.fraction for one in self.running.values())

    @property
    def _left(self) -> float:
        """The seconds until all is done, by the clock on the wall."""
        together = max(min(self.at_once, len(self.expectation.left)), 1)
        return max(self.expectation.remaining - self._in_work, 0.0) / together

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
