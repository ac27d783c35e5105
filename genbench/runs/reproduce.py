"""A cell made again by its own steps, and whether it came out equal, figure by figure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError

from genbench import array_file
from genbench.files import digest, locked
from genbench.records import layout
from genbench.records.record import Record
from genbench.records.stamp import legs, of_training, revision
from genbench.runs import runner
from genbench.runs.command import verbatim
from genbench.runs.config import EVALUATED, GROUPS, Cell, Setting
from genbench.runs.plan import Job, Plan
from genbench.runs.spawn import warm_up
from genbench.runs.sweep import check_unlinked
from genbench.runs.trained_data import trained_on
from genbench.runs.watching import looks
from genbench.tables.columns import FIGURES
from genbench.tables.comparable import said_of, short
from genbench.training.checkpoint import read_tensors
from genbench.training.config import Trace, read_fractions
from genbench.training.precision import chosen_device

if TYPE_CHECKING:
    from rich.console import Console

PLACE = (
    "device",
    "threads",
    "machine",
    "versions",
    "revision",
)  # of the stamp: where the same steps give the same bits
TIMINGS = ("fit.seconds", "speed.", "peak_memory_mb")
MEASURED = ("test", "train", "quality", "agreement", "caption", "collapse", "paired", "accuracy", "params")
ERRORS = ("standard_error", "se", "std")
WIDE = 2.0  # standard errors of the difference


@dataclass(frozen=True)
class Compared:
    """A figure of both cells: texts, whether they agree (None: no error to judge by), and what was allowed."""

    what: str
    was: str
    now: str
    allowed: str
    equal: bool | None

    def row(self) -> dict[str, Any]:
        """Return the line as a row that is printed."""
        verdict = {True: "equal", False: "DIFFERS", None: "not judged"}[self.equal]
        return {"figure": self.what, "was": self.was, "now": self.now, "allowed": self.allowed, "verdict": verdict}


@dataclass(frozen=True)
class Comparison:
    """A comparison of all figures; ``exact`` where every bit was to be the same, else ``reasons`` say why not."""

    lines: list[Compared]
    reasons: list[str]

    @property
    def exact(self) -> bool:
        """Whether every bit was to be the same."""
        return not self.reasons

    @property
    def equal(self) -> bool:
        """Whether nothing differs by more than was allowed."""
        return all(line.equal is not False for line in self.lines)

    @property
    def said(self) -> Iterator[str]:
        """The verdict, and what it rests on."""
        for reason in self.reasons:
            yield f"Bits need not be the same: {reason}."
        if not self.equal:
            yield f"NOT EQUAL in {', '.join(line.what for line in self.lines if line.equal is False)}"
        elif self.exact:
            yield "equal, bit for bit; timings and memory are not compared"
        else:
            yield f"equal within {WIDE:.0f} standard errors of the differences, as far as errors are stated"


def reproduce(
    folder: Path, out: Path, console: Console, *, root: Path | None = None, device: str | None = None
) -> tuple[Comparison, Path]:
    """Run the cell of ``folder`` again into ``out``, a new run, and compare; return also the new cell's folder.

    A budget in images or steps is spent again. One in seconds is not: the cell takes the steps of each phase that it
    took, each at the fraction of its phase that the clock showed then (``fractions.npy``), so that schedules follow the
    same steps and fractions; without that file they follow the steps. Threads are as many as they were.

    Raises:
        ValueError: for a folder that holds no cell to be made again, data that are not the same, or a cell in ``out``.
    """
    before = Record.read(folder)
    job, setting = planned(before, folder, out, root, device)
    warm_up()
    check_unlinked(out)
    with locked(out):
        runner.carry_out(Plan([job]), setting, console)
    made = job.folders[before.label]
    return compared(before, Record.read(made), folder, made), made


def planned(before: Record, folder: Path, out: Path, root: Path | None, device: str | None) -> tuple[Job, Setting]:
    """Plan how a record's cell is made again in ``out``."""
    stamp = before.stamp
    if before.status == "failed" or before.status == EVALUATED:
        why = "it failed" if before.status == "failed" else "its samples come from elsewhere"
        raise ValueError(f"{folder}: {why}, so there is nothing to make again; give a cell that was trained")
    try:
        measured = tuple(name for name in GROUPS if name not in stamp.get("left_out", ()))
        cell = Cell(**stamp["configuration"], given=before.given, measures=measured)
    except (KeyError, TypeError, ValidationError) as error:
        raise ValueError(f"{folder}: its record's configuration is not one of this version's cells") from error
    cell = cell.model_copy(update={"device": device or cell.device})
    try:
        chosen_device(cell.device)
    except ValueError as error:
        raise ValueError(f"{folder}: made on {cell.device}; {error}") from error
    made = layout.cell_folder(out, before.dataset, before.label, before.seed)
    if made.exists():
        raise ValueError(f"{made}: there already; give another --out")
    found = trained_on(cell.dataset, cell.data, folder, root, size=cell.size, alpha=cell.alpha)
    trace = None
    if ("seconds" in cell.budget or legs(stamp)) and before.fit is not None:
        steps = tuple(before.fit.phase_steps.values())
        fractions = read_fractions(folder / layout.FRACTIONS)
        trace = Trace(steps, fractions if len(fractions) == sum(steps) else (), legs(stamp))
    title = str(stamp.get("title") or before.dataset)
    threads = of_training(stamp).get("threads")
    setting = Setting(title, root, revision(), partial(verbatim, str(stamp.get("command"))), trace, threads)
    setting = replace(setting, looks=looks(folder / layout.HISTORY) if trace is not None else None)
    setting = setting if found.here else replace(setting, dataset=found.dataset)
    expected = (before.fit.seconds, sum(before.seconds.values()) - before.fit.seconds) if before.fit else (0.0, 10.0)
    return Job(cell, {before.label: made}, "run", *expected), setting


def compared(before: Record, after: Record, was: Path, now: Path) -> Comparison:
    """Compare two records of one cell: bit for bit where nothing parts them, else within their errors."""
    reasons = list(_parted(before, after))
    exact = not reasons
    lines = [_same("status", before.status, after.status, True)]
    if before.status == "diverged":
        return Comparison([*lines, _same("reason", str(before.reason), str(after.reason), exact or None)], reasons)
    if before.fit is not None and after.fit is not None:
        lines.append(_same("steps", _steps(before), _steps(after), True))
    files = digests(was)
    ours = files | before.digests
    theirs = digests(now) | after.digests
    for name in theirs:
        lines.append(_same(name, ours.get(name), theirs[name], exact or None))
    for name, found in files.items():  # a file that is not what was measured is a difference wherever the cell ran
        if found != ours[name]:
            lines.append(_same(f"file of {name}", ours[name], found, True))
    for figure in FIGURES:
        if not figure.path.startswith((*TIMINGS, "fit.")):
            one = figure.of(before)
            other = figure.of(after)
            if one is not None or other is not None:
                lines.append(_figure(figure.key, one, other, None if exact else _error(before, after, figure.path)))
    if exact:
        whole = [record.model_dump_json(include=set(MEASURED)) for record in (before, after)]
        ends = [hashlib.sha256(text.encode()).hexdigest() for text in whole]
        lines.append(_same("all, image by image", ends[0], ends[1], True))
    return Comparison(lines, reasons)


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the weights and samples that lie in a cell's folder."""
    known: dict[str, str] = {}
    if (folder / layout.MODEL).is_file():
        known["weights"] = digest(read_tensors(folder / layout.MODEL)[0])
    if (folder / layout.SAMPLES).is_file():
        known["samples"] = digest({"samples": torch.from_numpy(array_file.npy(folder / layout.SAMPLES))})
    return known


def _parted(before: Record, after: Record) -> Iterator[str]:
    """Yield reasons why the same steps need not give the same bits."""
    again = "trained" in before.stamp or "trained" in after.stamp
    one, other = (said_of(r.stamp, PLACE, again=again) for r in (before, after))
    for name in dict.fromkeys((*one, *other)):
        # Older stamps name fewer packages.
        if name in one and one.get(name) != other.get(name):
            values = (short(json.dumps(values.get(name), default=str)) for values in (one, other))
            yield f"{name.replace('.', ' ')} differs ({' / '.join(values)})"
    works = [record.test.work for record in (before, after) if record.test is not None]
    if len({*works}) > 1:
        yield f"the estimate had {works[0]} and {works[1]} times its work"
    if any(str(value).endswith("-dirty") for name, value in one.items() if name.endswith("revision")):
        yield "the revision was dirty, so nobody knows its code"
    if after.stamp.get("device") in ("cuda", "mps"):
        yield "kernels of a GPU may add in another order"
    if "seconds" in (before.stamp.get("budget") or {}) and "fractions" not in str(after.stamp.get("course")):
        yield "nobody kept what the clock showed at each step, so schedules followed the steps"


def _same(what: str, was: str | None, now: str, judged: bool | None) -> Compared:
    """Return the line of two texts that are to be the same."""
    judged = None if was is None else judged
    before = "not recorded" if was is None else short(json.dumps(was))
    return Compared(what, before, short(json.dumps(now)), "the same" if judged else "–", was == now if judged else None)


def _figure(key: str, was: float | None, now: float | None, error: float | None) -> Compared:
    """Return the line of two numbers; ``error`` None: equal in every bit. What an older record lacks is not judged."""
    equal: bool | None = None if was is None and now is not None else was == now
    allowed = "–" if equal is None else "the same"
    if error is not None:
        allowed = "–" if math.isnan(error) else f"± {WIDE * error:.3g}"
        if was is None or math.isnan(error):
            equal = None
        elif now is not None:
            equal = abs(was - now) <= WIDE * error
    before, after = ("–" if value is None else f"{value:.6g}" for value in (was, now))
    return Compared(key, before, after, allowed, equal)


def _error(before: Record, after: Record, path: str) -> float:
    """Return the standard error of the difference by what both records state; NaN where they state none."""
    part, _, name = path.partition(".")
    names = [f"{name}_{end}" for end in ERRORS]
    names += ["standard_error"] if name in ("bpd", part) else []
    errors = []
    for record in (before, after):
        of = getattr(record, part)
        values = [value for item in names if isinstance(value := getattr(of, item, None), float)]
        errors.append(values[0] if values else math.nan)
    return math.hypot(*errors)


def _steps(record: Record) -> str:
    return ", ".join(f"{name} {steps}" for name, steps in record.fit.phase_steps.items()) if record.fit else ""
