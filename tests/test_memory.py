"""What would take more memory than there is, is refused in one line before it takes any."""

from contextlib import nullcontext

import pytest
import torch

import genbench
from genbench import DataSpec, memory
from genbench.likelihood.nll import check_draws
from genbench.reserving import BoundedBuilding
from tests.commands import refused, script

SPEC = DataSpec((1, 8, 8), 17)
THERE = 2**20


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(memory, "total", lambda: THERE)


def test_memory_is_the_machine_s_or_less_where_a_container_has_less(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "LIMITS", (str(limit), str(tmp_path / "none")))
    whole = memory.total.__wrapped__()
    assert whole is None or whole > 2**20
    limit.write_text("max\n")
    assert memory.total.__wrapped__() == whole
    limit.write_text("1048576\n")
    assert memory.total.__wrapped__() == 2**20


def test_what_fits_passes_and_what_does_not_is_said_with_both_sizes(small):
    memory.check_fits("it", THERE, "no")
    with pytest.raises(ValueError, match=r"^it would take about 3\.0 GiB of memory, and there are 0\.0 GiB; give less"):
        memory.check_fits("it", 3 * 2**30, "give less")


def test_where_nobody_says_how_much_there_is_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "total", lambda: None)
    memory.check_fits("it", 2**80, "give less")


@pytest.mark.parametrize("width", [10**4, 10**12])
def test_a_model_too_wide_is_refused_while_it_is_built(small, width):
    genbench.build("nice", SPEC, width=8)
    with pytest.raises(ValueError, match=r"training its networks would take about .*; make them smaller by the recipe"):
        genbench.build("nice", SPEC, width=width)


def test_each_way_to_make_a_tensor_counts_once_and_in_its_own_type(small):
    ways = (torch.empty, torch.zeros, torch.ones, torch.randn)
    for make in ways:
        with BoundedBuilding() as bounded:
            make(10, 3)
            make((5,), dtype=torch.float64)
            torch.empty((2**40,), device="meta")
            make(1) + 1
        assert bounded.reserved == 4 * 30 + 8 * 5 + 4
    with BoundedBuilding(), pytest.raises(ValueError, match="training its networks"):
        torch.full((THERE,), 1.0)


def test_weights_are_those_that_they_would_be_unbounded(monkeypatch):
    bounded = genbench.build("nice", SPEC, seed=3, width=8).state_dict()
    monkeypatch.setattr("genbench.reserving.BoundedBuilding", nullcontext)
    plain = genbench.build("nice", SPEC, seed=3, width=8).state_dict()
    assert all(torch.equal(bounded[name], plain[name]) for name in plain)


def test_draws_and_samples_beyond_memory_are_refused(small, monkeypatch, capsys, tmp_path):
    model = genbench.build("gan", SPEC, width=4)
    check_draws(model, 1)
    with pytest.raises(ValueError, match=r"draws=1000000 would take about .*; give fewer"):
        check_draws(model, 1_000_000)
    genbench.save(tmp_path / "gan.safetensors", model)
    sample = script(monkeypatch, capsys)
    said = refused(sample("sample", tmp_path / "gan.safetensors", "-n", 10**9, "-o", tmp_path / "x.png"))
    assert "-n 1000000000 would take about" in said
