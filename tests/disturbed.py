"""A run on a cluster in which something is killed at a moment: run as a program, for it may be the run itself.

    python -m tests.disturbed ADDRESS OUT CALLS VICTIM MOMENT KILLS

kills ``VICTIM`` (worker, node or driver) so many times, each at a later ``MOMENT``: in fit or measuring, or with a
checkpoint (keep) or finished folders (finish) on their way back.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from genbench.runs import parcels, runner
from genbench.runs.command import Replay
from genbench.runs.engine import At
from genbench.runs.on_ray import OnRay
from tests.toys import suite

LABELS = ("one", "two", "three")
STEPS = 12
KILLED = "killed:"
APART = 5  # events between two kills: the first's loss is heard of before the next


def cells(calls):
    """Three cells of a few seconds, which write down each of their steps."""
    rows = [(label, {"sleep": 0.1, "at": 99, "once": str(Path(calls, label))}) for label in LABELS]
    return suite(*rows, steps=STEPS, anchors=False, measures=("nll", "fid"))


def workers():
    """The processes of the cluster that are at work on a cell, and those that began them."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (folder / "cmdline").read_bytes().startswith(b"ray::work"):
                found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    return found


class Killer:
    """Kills a victim at a moment, so many times."""

    def __init__(self, victim, moment, kills):
        self.victim, self.moment, self.left = victim, moment, kills
        self.since = APART

    def at(self, moment):
        self.since += 1
        if moment != self.moment or not self.left or self.since <= APART:
            return
        worker, raylet = next(iter(workers().items()), (None, None))
        victim = {"worker": worker, "node": raylet, "driver": os.getpid()}[self.victim]
        if victim is not None:  # the last of a cell may come when nobody is at work any more
            self.left -= 1
            self.since = 0
            print(f"{KILLED} {self.victim}", flush=True)
            os.kill(victim, signal.SIGKILL)


class Disturbed(OnRay):
    """The engine, with a killer who hears all that it hears."""

    killer: Killer

    def carry_out(self, jobs, setting):
        for event in super().carry_out(jobs, setting):
            if isinstance(event, At):
                self.killer.at("fit" if event.stage == "fit" else "measuring")
            yield event


def main(address, out, calls, victim, moment, kills):
    killer = Disturbed.killer = Killer(victim, moment, int(kills))
    for name in ("keep", "finish"):
        plain = getattr(parcels, name)

        def disturbed(job, files, name=name, plain=plain):
            killer.at(name)
            plain(job, files)

        setattr(parcels, name, disturbed)
    toys = cells(calls)
    engine = Disturbed(address, 1, 1, "cpu", travels=True, every=0.0)
    sys.exit(runner.run(toys, Path(out), Console(width=300), command=Replay("toys", toys).command, engine=engine))


if __name__ == "__main__":
    main(*sys.argv[1:])
