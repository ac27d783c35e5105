"""Training by micro-batches: the gradient of the whole batch, from the activations of a few images at a time."""

import weakref

import pytest
import torch

import genbench
from families.outputs import OUTPUTS
from genbench import Batch, Budget, DataSpec, FitConfig, catalog
from genbench.interface import Step
from genbench.seed import fork_rng, generator
from tests.conftest import tiny_splits
from tests.families.autoregressive.helpers import randomised

NAMES = [name for name, recipe in catalog.recipes().items() if recipe.family == "autoregressive"]
SMALL = {"width": 6, "depth": 1, "components": 2}
SPEC = DataSpec((2, 4, 5), 5, classes=3)


def build(name, spec=SPEC, **options):
    keep = catalog.recipe(name).options()
    return genbench.build(name, spec, **{key: value for key, value in SMALL.items() if key in keep}, **options)


def batch(spec=SPEC, n=7):
    images = torch.randint(spec.levels, (n, *spec.shape), generator=generator(0)).to(torch.uint8)
    return Batch(images, torch.arange(n) % spec.classes)


def loss_of(model, images):
    return model.phases()[0].turns[0].loss(images, Step(0, 0.0, generator(0)))["loss"]


def gradients(model, loss):
    model.zero_grad(set_to_none=True)
    loss.backward()
    return {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in model.named_parameters()}


def assert_alike(got, wanted):
    assert any(gradient.any() for gradient in wanted.values())
    for name, gradient in wanted.items():
        torch.testing.assert_close(got[name], gradient, rtol=1e-10, atol=1e-12, msg=name)


CASES = [(name, {}) for name in NAMES] + [
    ("gated-pixelcnn", {"output": name}) for name in OUTPUTS if name != "bernoulli"
]


@pytest.mark.parametrize("micro_batch", [1, 3, 100])
@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_loss_and_gradients_are_the_whole_batchs(name, options, conditional, micro_batch):
    model = randomised(build(name, conditional=conditional, **options))
    whole = loss_of(model, batch())
    expected = gradients(model, whole)
    model.micro_batch = micro_batch
    loss = loss_of(model, batch())
    assert loss.item() == pytest.approx(whole.item(), rel=1e-12)
    assert_alike(gradients(model, loss), expected)


def test_dropout_leaves_out_the_same_on_both_ways_through_a_micro_batch():
    model = randomised(build("pixelcnn-pp", dropout=0.5, micro_batch=3)).train()
    with fork_rng(1):
        got = gradients(model, loss_of(model, batch()))
    with fork_rng(1):
        parts = [model.log_prob(batch().rows(rows)).sum() for rows in torch.arange(7).split(3)]
    assert_alike(got, gradients(model, -sum(parts) / batch().images.numel()))


@pytest.mark.parametrize("name", NAMES)
def test_a_training_by_micro_batches_ends_where_the_whole_one_does(name):
    images = tiny_splits((1, 4, 4), 5)
    ends = []
    for micro_batch in (None, 3):
        options = {"dropout": 0.0} if name == "pixelcnn-pp" else {}
        model = build(name, DataSpec((1, 4, 4), 5), lr=1e-3, micro_batch=micro_batch, **options).double()
        model.fit(images, FitConfig(Budget(steps=4), batch_size=8))
        ends.append(model.log_likelihood(images.validation).nats)
    torch.testing.assert_close(*ends, rtol=1e-7, atol=1e-7)


class Saved:
    """What a graph holds on to, for as long as the graph lives."""

    def __init__(self, tensor):
        self.tensor = tensor.detach()  # not the graph itself, which would then never die


class Saving:
    """Bytes that are saved for the way back, now and at most."""

    def __init__(self):
        self.now = self.most = 0

    def pack(self, tensor):
        saved = Saved(tensor)
        self.add(tensor.nbytes)
        weakref.finalize(saved, self.add, -tensor.nbytes)
        return saved

    def add(self, size):
        self.now += size
        self.most = max(self.most, self.now)


@pytest.mark.parametrize("name", NAMES)
def test_a_micro_batchs_activations_alone_are_kept(name):
    spec = DataSpec((1, 8, 8), 4, classes=3)

    def most(images, micro_batch):
        model = build(name, spec, micro_batch=micro_batch)
        saving = Saving()
        with torch.autograd.graph.saved_tensors_hooks(saving.pack, lambda saved: saved.tensor):
            loss_of(model, batch(spec, images)).backward()
        assert saving.now == 0
        return saving.most

    assert most(24, 2) == most(2, None) < most(24, None) / 5


@pytest.mark.parametrize("micro_batch", [0, -1, 1.5, "4", True])
@pytest.mark.parametrize("name", NAMES)
def test_a_size_that_is_no_whole_number_from_one_on_is_refused(name, micro_batch):
    with pytest.raises(ValueError, match=f"^micro_batch={micro_batch!r}: give a whole number, 1 or more$"):
        build(name, micro_batch=micro_batch)


@pytest.mark.parametrize(
    ("shape", "at_once"), [((1, 8, 8), 128), ((1, 28, 28), 128), ((1, 64, 64), 64), ((1, 640, 640), 1)]
)
def test_likelihoods_take_fewer_large_images_at_a_time(shape, at_once, monkeypatch):
    model = build("pixelcnn", DataSpec(shape, 2))
    passed = []

    def log_prob(batch):
        passed.append(len(batch))
        return torch.zeros(len(batch), dtype=torch.float64)

    monkeypatch.setattr(model, "log_prob", log_prob)
    images = torch.zeros(1, *shape, dtype=torch.uint8).expand(at_once + 1, -1, -1, -1)
    assert len(model.log_likelihood(Batch(images)).nats) == at_once + 1
    assert passed == [at_once, 1]
