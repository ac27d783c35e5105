"""Every recipe on a device that is not the CPU: what it makes in training, sampling and scoring lives there too."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from families.autoencoder import deterministic
from genbench import Budget, FitConfig, implicit, narrow, seed
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


def sums():
    there = torch.ones(3).to(ELSEWHERE)
    yield there.double()
    yield there.to(torch.float64)
    yield there.sum(dtype=torch.float64)
    yield torch.zeros(2, dtype=torch.float64, device=ELSEWHERE)
    yield torch.full((2,), 1.0, dtype=torch.float64, device=there.device)
    yield torch.ones(2, dtype=torch.float64).to(ELSEWHERE)
    yield torch.stack([there, there]).mean(0, dtype=torch.float64)
    yield torch.zeros(2, dtype=torch.float64, device=str(ELSEWHERE))
    yield torch.ones(2, dtype=torch.float64).to(str(ELSEWHERE))
    yield torch.tensor(np.ones(2), device=ELSEWHERE)
    yield torch.as_tensor(np.ones(2), device=str(ELSEWHERE))


def test_on_a_device_without_them_numbers_of_64_bits_are_of_32_and_elsewhere_they_stay(monkeypatch):
    with Elsewhere(narrow=True), pytest.raises(TypeError, match="no float64"):
        list(sums())
    monkeypatch.setattr(narrow, "LACKING", {ELSEWHERE.type})
    with Elsewhere(narrow=True), narrow.narrowed(ELSEWHERE):
        assert {tensor.dtype for tensor in sums()} == {torch.float32}
        assert torch.ones(2).double().dtype == torch.zeros(2, dtype=torch.float64).dtype == torch.float64
    with narrow.narrowed("cpu"):
        assert torch.ones(2).double().dtype == torch.float64


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


FEW = {
    "pixelcnn-pp",
    "realnvp",
    "aae",
    "gan",
    "biggan",
    "s3-gan",
    "lapgan",
    "cartoongan",
}  # of all that is summed in 64


@pytest.mark.parametrize(
    "case", [case if case in FEW else pytest.param(case, marks=pytest.mark.slow) for case in RECIPES]
)
def test_what_is_trained_without_numbers_of_64_bits_is_measured_with_them(case, short_searches, monkeypatch):
    monkeypatch.setattr(seed, "Generator", Generator)
    monkeypatch.setattr(torch, "autocast", lambda *kind, **options: nullcontext())
    monkeypatch.setattr(narrow, "LACKING", {ELSEWHERE.type})
    model = build(case)
    splits, given = data(model.spec), conditions(model, 3)
    config = FitConfig(Budget(steps=2), batch_size=8)
    with Elsewhere(narrow=True):
        model.to(ELSEWHERE)
        if model.needs_double:
            with pytest.raises(ValueError, match=r"lazy:0 has no numbers of 64 bits, .* say --device cpu"):
                model.fit(splits, config)
            return
        model.fit(splits, config)
        assert model.sample(3, generator=generator(0), **given).device == ELSEWHERE
        weights = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    assert torch.float64 not in {tensor.dtype for tensor in weights.values()}
    rested = build(case)
    rested.load_state_dict(weights)
    answer = rested.eval().log_likelihood(splits.validation.rows(slice(2)), generator=generator(0))
    assert answer.nats.dtype == torch.float64
    assert answer.nats.isfinite().all()
