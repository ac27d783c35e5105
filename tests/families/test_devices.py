"""Every recipe on a device that is not the CPU: what it makes in training, sampling and scoring lives there too."""

from contextlib import nullcontext

import pytest
import torch

from families.autoencoder import deterministic
from genbench import Budget, FitConfig, implicit, seed
from genbench.likelihood import laplace
from genbench.likelihood.effort import EFFORTS, Effort
from genbench.plots import gallery
from genbench.seed import generator
from tests.contract.recipes import CONDITIONAL, RECIPES, build, conditions, data
from tests.families.elsewhere import ELSEWHERE, Elsewhere, Generator


def test_the_device_that_is_not_there_refuses_what_a_gpu_would_and_computes_the_same():
    here = torch.arange(6.0).view(2, 3)
    with Elsewhere():
        there = here.to(ELSEWHERE).requires_grad_()
        refused = [
            lambda: there + here,
            lambda: torch.cat([there, here]),
            lambda: torch.stack([there.sum(), here.sum()]),
            lambda: here[there[:, 0].long()],
            lambda: torch.rand(3, generator=Generator(), device=ELSEWHERE),
            lambda: torch.rand(3, generator=Generator(ELSEWHERE)),
        ]
        for act in refused:
            with pytest.raises(RuntimeError):
                act()
        total = (there[torch.tensor([1, 0])] * here.sum()).square().sum()
        total.backward()
        assert total.device == there.grad.device == ELSEWHERE
        assert torch.equal(there.grad.cpu(), 2 * here * here.sum() ** 2)


@pytest.fixture
def short_searches(monkeypatch):
    monkeypatch.setattr(implicit, "SEARCH_STEPS", 2)
    monkeypatch.setattr(deterministic, "SEARCH_STEPS", 2)
    monkeypatch.setattr(laplace, "ROUNDS", 1)
    monkeypatch.setattr(laplace, "jacobian", slopes)  # forward-mode products crash in a wrapped tensor
    monkeypatch.setitem(EFFORTS, "fast", Effort(2, 1, search=2))


def slopes(decode, u):
    """Return numbers of a Jacobian's shape and device, from the same decoder: it has its own tests."""
    image = decode(u, torch.arange(len(u), device=u.device)).detach()
    return image.flatten(1)[:, :, None] * u[:, None, :]


SLOWER = [pytest.param(case, marks=pytest.mark.slow) for case in CONDITIONAL]


@pytest.mark.parametrize("case", [*RECIPES, *SLOWER])
def test_all_that_a_recipe_makes_is_on_the_model_s_device(case, short_searches, monkeypatch):
    monkeypatch.setattr(seed, "Generator", Generator)
    monkeypatch.setattr(torch, "autocast", lambda *kind, **options: nullcontext())  # it has not heard of this device
    model = build(case)
    splits, given, alone = data(model.spec), conditions(model, 3), conditions(model, 1)
    turns = [turn for phase in model.phases() for turn in phase.turns]
    steps = 2 if len(turns) == 1 else 5  # a turn of every kind: some wait for the fifth batch
    with Elsewhere():
        model.to(ELSEWHERE)
        model.fit(splits, FitConfig(Budget(steps=steps), batch_size=8))
        images = model.sample(3, generator=generator(0), **given)
        source = generator(0, device=ELSEWHERE)
        answer = model.log_likelihood(splits.validation.rows(slice(2)), generator=source)
        assert images.device == answer.nats.device == ELSEWHERE
        assert model.sample(1, generator=source, **alone).device == ELSEWHERE
        drawn = [draw(model, splits.validation, source) for able, draw in gallery.DRAWN.items() if hasattr(model, able)]
        tensors = (*drawn, *model.parameters(), *model.buffers())
        assert {tensor.device for tensor in tensors} == {ELSEWHERE}
