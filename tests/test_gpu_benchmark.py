"""The benchmark of a GPU, on the processor with small sizes: its figures are there, its options do what they say."""

import math
import time

import pytest
import torch

from benchmarks import gpu
from genbench import Budget, FitConfig, data
from genbench.metrics.fid import fid
from tests.contract.toys import Toy
from tests.contract.toys import data as toys


@pytest.fixture
def plain():
    """Options of torch as they were."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic = before


def test_a_recipe_has_all_its_figures():
    dataset = data.load("digits")
    real = dataset.train.images.flatten(1)[:200, ::8].float()

    def measure(model):
        return fid(real, model.sample(20, generator=torch.Generator().manual_seed(0)).flatten(1)[:, ::8].float()).fid

    words = gpu.arguments(["gan", "--device", "cpu", "--seconds", "0.1", "--steps", "2"])
    found = gpu.one("gan", dataset, measure, words, time.monotonic() + 60)
    assert found.steps > 0
    assert found.ratio > 0
    assert found.memory > 10
    assert found.fids[-1][0] >= 0.1
    assert 1 <= len(found.fids) <= 4
    assert all(math.isfinite(value) for _, value in found.fids)
    assert gpu.line("gan", found, math.inf).startswith(f"| `gan` | {found.steps:.2f} | {found.ratio:.3f} |")


def test_seconds_to_a_fid_are_those_of_the_first_mark_that_reaches_it():
    found = gpu.Found(1.0, 1.0, 1.0, [(1.0, 90.0), (2.0, 40.0), (4.0, 45.0)])
    assert [found.seconds_to(target) for target in (95, 42, 40, 39)] == [1.0, 2.0, 2.0, math.inf]
    assert "| 2.0 | 90.0 at 1.0 s, 40.0 at 2.0 s, 45.0 at 4.0 s |" in gpu.line("gan", found, 50)
    assert "| – |" in gpu.line("gan", found, 1)


def test_a_recipe_stops_with_its_share_of_the_minutes():
    model, seen = Toy(), []
    config = FitConfig(Budget(steps=1000), 5)
    assert gpu.trained(model, toys(), lambda model: seen.append(model.training) or 1.0, config, 1e-9, 0.0)
    assert seen == [False], "a first mark, in evaluation, and no second round"


def test_a_step_s_seconds_are_those_behind_the_first_and_nothing_is_done_at_the_end(monkeypatch):
    monkeypatch.setattr(gpu.time, "perf_counter", lambda: 12.0)
    assert gpu.each([4.0, 5.0, 6.0, 7.0, 8.0], "cpu") == 2.0
    model = Toy()
    model.finish = None
    assert gpu.rounds(model, toys(), 3) == [12.0] * 3


def test_tf32_is_off_and_bits_are_free_unless_asked(plain):
    words = gpu.arguments(["--device", "cpu"])
    assert (words.tf32, words.deterministic, words.precision) == (False, False, "float32")
    assert words.minutes < 9
    gpu.arithmetic(tf32=False, deterministic=False)
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    gpu.arithmetic(tf32=True, deterministic=True)
    assert torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.deterministic
    assert torch.are_deterministic_algorithms_enabled()
