"""The loop serves what later systems need, and a run that is cut off ends as if it had not been."""

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from genbench import Budget, FitConfig
from genbench.seed import fork_rng
from tests.contract import toys

CONFIG = FitConfig(Budget(steps=23), batch_size=5, seed=3)


def make(toy):
    with fork_rng(0):
        return toy()


def ends(model):
    """Everything that training leaves: weights, buffers, samples."""
    images = model.sample(6, generator=torch.Generator().manual_seed(1))
    return {**{k: v.clone() for k, v in model.state_dict().items()}, "samples": images}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


class Cut(Exception):
    pass


@pytest.mark.parametrize("toy", toys.TOYS)
def test_trains_every_parameter_that_a_turn_learns_and_no_other(toy):
    model = make(toy)
    before = copy.deepcopy(model.state_dict())
    learned = {id(p) for phase in model.phases() for turn in phase.turns for m in turn.learns for p in m.parameters()}
    report = model.fit(toys.data(model.spec), CONFIG)
    for name, parameter in model.named_parameters():
        moved = not torch.equal(before[name], parameter)
        by_after = name.startswith("average.")
        assert moved == (id(parameter) in learned or by_after), name
    assert report.steps == 23
    assert report.images == 23 * 5
    assert not model.training


@pytest.mark.parametrize("toy", toys.TOYS)
@pytest.mark.parametrize("at", [1, 7, 12, 22])
def test_resumes_bit_for_bit(toy, at, tmp_path):
    whole = make(toy)
    whole.fit(toys.data(whole.spec), CONFIG)

    def cut(progress):
        if progress.step == at + 1:
            raise Cut

    path = tmp_path / "training.pt"
    config = FitConfig(CONFIG.budget, 5, 3, checkpoint=path, checkpoint_seconds=0)
    first = make(toy)
    with pytest.raises(Cut):
        first.fit(toys.data(first.spec), config, callbacks=[cut])
    with fork_rng(99):  # another process would start from other weights and another global state
        second = toy()
        torch.rand(5)
        report = second.fit(toys.data(second.spec), config, resume=path)
    assert same(ends(whole), ends(second))
    assert report.steps == 23
    again = toy()
    again.fit(toys.data(again.spec), config, resume=path)  # a finished run resumes to its end, and enters nothing
    assert same(ends(whole), ends(again))


SCRIPT = """
import sys, time, torch
from pathlib import Path
from genbench import Budget, FitConfig
from tests.contract import toys
from tests.contract.test_toys import make, ends
torch.set_num_threads(1)
toy, path, out = getattr(toys, sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
model = make(toy)
config = FitConfig(Budget(steps=60), batch_size=5, seed=3, checkpoint=path, checkpoint_seconds=0)
def slowly(progress):
    print(progress.step, flush=True)
    time.sleep(0.01)
model.fit(toys.data(model.spec), config, callbacks=[slowly], resume=path if path.exists() else None)
torch.save(ends(model), out)
"""


@pytest.mark.parametrize("toy", ["Pool", "Growing", "Prepared"])
def test_survives_sigkill_of_a_real_process(toy, tmp_path):
    def start(name):
        command = [sys.executable, "-c", SCRIPT, toy, tmp_path / f"{name}.pt", tmp_path / f"{name}.out"]
        root = Path(__file__).parents[2]
        return subprocess.Popen(
            command, cwd=root, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True
        )

    whole = start("whole")
    kills = 0
    for delay in (0.02, 0.1, 0.15):  # after the first steps it reports, somewhere, checkpointing or not
        process = start("killed")
        for _ in range(3):
            process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stdout.close()
    assert kills >= 2
    last = start("killed")
    first_step = int(last.stdout.readline())
    assert first_step > 3  # it went on, it did not start again
    for process in (whole, last):
        process.communicate()
        assert process.returncode == 0
    assert same(torch.load(tmp_path / "whole.out"), torch.load(tmp_path / "killed.out"))
