import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from families.autoregressive.model import AT_ONCE, AutoregressiveModel
from families.autoregressive.pixelcnn import pixelcnn
from families.autoregressive.sampling import CausalNetwork, Task, draw_cached, draw_fixed_point, draw_naive
from families.outputs import Categorical
from genbench import Batch, Budget, DataSpec, FitConfig
from genbench.seed import fork_rng, generator, uniform
from tests.conftest import tiny_splits
from tests.families.autoregressive.helpers import randomised

SPEC = DataSpec((2, 3, 4), 4)


class Previous(CausalNetwork):
    """Every value's logits depend on the value just before it, and its place; counts its passes."""

    def __init__(self, reach=1):
        super().__init__()
        self.reach, self.passes = reach, 0
        with fork_rng(0):
            self.slope = nn.Parameter(torch.randn(24, 4))

    def forward(self, x, labels=None):
        self.passes += 1
        raster = x.permute(0, 2, 3, 1).flatten(1)  # y, x, channel
        before = torch.cat([torch.ones(len(x), self.reach), raster[:, : -self.reach]], 1)
        logits = before[..., None] * self.slope * 4  # (B, D, K)
        return logits.view(len(x), 3, 4, 2, 4).permute(0, 3, 4, 1, 2).reshape(len(x), 8, 3, 4)


def task(network, n=6, **options):
    return Task(network, Categorical(4), SPEC.shape, uniform((n, *SPEC.shape), generator(0)), **options)


def by_hand(drawing):
    """The chain rule, one image and value at a time."""
    slope, images = drawing.network.slope, []
    for uniforms in drawing.uniforms.permute(0, 2, 3, 1).flatten(1):
        before, levels = 1.0, []
        for u, s in zip(uniforms, slope, strict=True):
            below = (before * s.double() * 4 / drawing.temperature).softmax(0).cumsum(0)
            levels.append(min(int((below <= u.double()).sum()), 3))
            before = levels[-1] * 2 / 3 - 1
        images.append(levels)
    return torch.tensor(images).view(-1, 3, 4, 2).permute(0, 3, 1, 2).to(torch.uint8)


@pytest.mark.parametrize("temperature", [1.0, 0.4])
@pytest.mark.parametrize("draw", [draw_naive, draw_cached, draw_fixed_point])
@torch.no_grad()
def test_every_sampler_inverts_the_chain_rule_in_raster_order_channel_by_channel(draw, temperature):
    drawing = task(Previous(), temperature=temperature)
    assert torch.equal(draw(drawing), by_hand(drawing))


@torch.no_grad()
def test_naive_makes_a_pass_a_draw_and_the_fixed_point_no_more_than_it_must():
    naive, fixed, shallow = Previous(), Previous(), Previous(reach=6)
    images = draw_naive(task(naive))
    assert naive.passes == 24
    assert torch.equal(draw_fixed_point(task(fixed)), images)
    assert fixed.passes <= 25
    draw_fixed_point(task(shallow))
    assert shallow.passes <= 5, "chains of four, and one pass to see that nothing moves"


@torch.no_grad()
def test_a_network_without_a_cache_is_sampled_by_full_passes():
    network = Previous()
    assert torch.equal(draw_cached(task(network)), by_hand(task(network)))
    assert network.passes == 24


@pytest.mark.parametrize("draw", [draw_naive, draw_cached, draw_fixed_point])
@torch.no_grad()
def test_what_is_known_is_kept_and_read(draw):
    drawing = task(Previous())
    whole = by_hand(drawing)
    assert torch.equal(draw(replace(drawing, known=whole[:, :, :2])), whole)
    assert torch.equal(draw(replace(drawing, known=whole)), whole)
    assert torch.equal(draw(replace(drawing, known=whole[:, :, :0])), whole)
    other = 3 - whole[:, :, :2]
    completed = draw(replace(drawing, known=other))
    assert torch.equal(completed[:, :, :2], other)
    assert not torch.equal(completed[:, :, 2:], whole[:, :, 2:])


def test_samples_depend_on_the_generator_alone():
    model = randomised(pixelcnn(DataSpec((1, 4, 4), 5), width=3, depth=1))
    n = AT_ONCE + 2
    torch.manual_seed(0)
    first = model.train().sample(n, generator=generator(3))
    assert model.training
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert torch.equal(first, model.eval().sample(n, generator=generator(3)))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first, model.sample(n, generator=generator(4)))
    assert len(first.flatten(1).unique(dim=0)) > n - 10


@pytest.mark.parametrize("sampler", ["cached", "naive"])
def test_each_image_keeps_its_label_and_top_where_more_are_drawn_than_at_once(sampler):
    spec = DataSpec((1, 2, 3), 3, classes=3)
    model = randomised(pixelcnn(spec, width=3, depth=1, conditional=True, sampler=sampler))
    model.network.blocks[0].label.weight.data.mul_(6)
    labels = torch.arange(AT_ONCE + 30) % 3
    images = torch.randint(3, (len(labels), 1, 2, 3)).to(torch.uint8)
    completed = model.complete(Batch(images, labels), 1, generator=generator(0))
    assert torch.equal(completed[:, :, :1], images[:, :, :1])
    nats = [model.log_likelihood(Batch(completed, labels.roll(shift))).nats.mean() for shift in range(3)]
    assert nats[0] > max(nats[1:]), "images are likeliest under the labels they were drawn for"


def test_labels_that_are_not_given_follow_their_frequencies():
    model = pixelcnn(DataSpec((1, 2, 2), 4, classes=4), width=4, depth=1, conditional=True)
    model.frequencies.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))
    randomised(model)
    ones = torch.ones(5, dtype=torch.int64)
    assert torch.equal(model.sample(5, generator=generator(0)), draw_cached_as(model, ones, seed=0)), (
        "the labels are drawn before the images"
    )
    images = torch.randint(4, (5, 1, 2, 2)).to(torch.uint8)
    assert torch.equal(model.complete(Batch(images), 2, generator=generator(0)), images)
    with pytest.raises(ValueError, match=r"labels run from -1"):
        model.complete(Batch(images, -ones), 1, generator=generator(0))


@torch.no_grad()
def draw_cached_as(model, labels, seed):
    source = generator(seed)
    torch.multinomial(model.frequencies.float(), len(labels), replacement=True, generator=source)
    shape = model.spec.shape
    return draw_cached(Task(model.network, model.output, shape, uniform((len(labels), *shape), source), labels))


def test_a_likelihood_given_labels_needs_them():
    model = pixelcnn(DataSpec((1, 2, 2), 4, classes=3), width=4, depth=1, conditional=True)
    images = torch.zeros(2, 1, 2, 2, dtype=torch.uint8)
    for labels in (None, torch.tensor([0, -1]), torch.tensor([0, 3])):
        with pytest.raises(ValueError, match="labels"):
            model.log_likelihood(Batch(images, labels))


def test_training_brings_the_likelihood_up_and_logs_nats_a_dimension():
    model = pixelcnn(DataSpec((1, 4, 4), 4), width=4, depth=1, lr=3e-2)
    data = tiny_splits((1, 4, 4), 4)
    constant = type(data)(replace(data.train, images=data.train.images * 0 + 2), data.validation)
    before = -model.log_likelihood(constant.train).nats.mean() / 16
    assert before == pytest.approx(math.log(4), rel=1e-6)
    model.fit(constant, FitConfig(Budget(steps=40), batch_size=8))
    assert -model.log_likelihood(constant.train).nats.mean() / 16 < 0.5 * before
    (turn,) = model.phases()[0].turns
    loss = turn.loss(constant.train, None)["loss"]
    assert loss.item() == pytest.approx(-model.log_likelihood(constant.train).nats.mean().item() / 16, rel=1e-4)


def test_an_unknown_sampler_and_labels_that_are_not_there_are_refused():
    network = Previous()
    for options, message in [
        ({"sampler": "quick"}, "sampler='quick': give one of cached, fixed-point, naive"),
        ({"conditional": True}, "conditional=True: this data set has no labels"),
        ({"temperature": -1.0}, "temperature=-1.0: give a positive"),
    ]:
        with pytest.raises(ValueError, match=message):
            AutoregressiveModel(SPEC, network, Categorical(4), lr=1e-3, **options)
