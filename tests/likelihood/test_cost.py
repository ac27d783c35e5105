"""What an estimate is said to cost is what it does."""

from dataclasses import replace

import pytest
import torch

from genbench.likelihood import cost
from genbench.likelihood.bidirectional import below, bidirectional, pilot
from genbench.likelihood.effort import EFFORTS, WORKS, Effort
from genbench.runs.likelihoods import estimated
from genbench.spec import Batch, DataSpec, Split
from tests.decoders import Linear, gen, images

SPEC = DataSpec((1, 2, 3), levels=17)


class Counting(Linear):
    """A linear decoder that counts the rows that it decodes, with a gradient and without."""

    def __init__(self, latents=2, categories=1):
        super().__init__(SPEC, latents, categories=categories)
        self.eval().requires_grad_(False)
        self.count = {True: 0, False: 0}

    def decode(self, u, given):
        self.count[torch.is_grad_enabled()] += len(u)
        return super().decode(u, given)


@pytest.mark.parametrize(
    "effort", [Effort(8, 2, 3, 5, 12), Effort(40, 5, 2, 20, 15)], ids=["a few steps", "many temperatures"]
)
@pytest.mark.parametrize("categories", [1, 3])
def test_chains_forward_take_as_many_rows_as_is_said(effort, categories):
    model, batch = Counting(categories=categories), Batch(images(4, SPEC))
    paths = pilot(model, batch, effort, gen())
    below(model, batch, paths, draws=effort.chains, effort=effort, generator=gen(1))
    said = cost.of_chains(effort, model.latents) * (len(batch) * categories)
    assert model.count[True] == said.gradients
    assert model.count[False] == pytest.approx(said.decodings, abs=4)  # a row for each Jacobian, to learn its size


@pytest.mark.parametrize("categories", [1, 3])
def test_an_estimate_is_of_half_the_work_of_the_whole_and_of_the_gap(monkeypatch, categories):
    monkeypatch.setitem(EFFORTS, "fast", Effort(12, 3, 2, 10, 9))
    monkeypatch.setitem(WORKS, "fast", (1,))
    model = Counting(categories=categories)
    estimated(model, Split(images(5, SPEC)), limit=5, seed=0)
    said = cost.of_estimate("fast", 5, model.latents, categories)
    assert model.count[True] == said.gradients
    assert model.count[False] == pytest.approx(said.decodings, rel=0.02)


def test_the_gap_alone_has_half_of_the_search_and_chains_backward():
    effort, model = Effort(12, 3, 2, 10, 9), Counting()
    bidirectional(model, Batch(images(3, SPEC)), draws=2, effort=effort, generator=gen())
    forward = cost.of_chains(replace(effort, search=5), 2)
    assert model.count[True] == 3 * (forward.gradients + 2 * (1 + 8 * 3))
