"""Where outputs begin: near the uniform, and where training images are, at the likeliest parameters of a pixel."""

import math

import pytest
import torch

from families.outputs import Categorical, DiscretisedLogistic, LogisticMixture, output
from families.outputs.start import begin, fit_start, fitted
from genbench.seed import generator


def nats(its, parameters, images):
    """The mean log-probability of a pixel under one set of parameters for all."""
    count, _, height, width = images.shape
    return its.log_prob(parameters[None, :, None, None].expand(count, -1, height, width), images).mean().item()


def logistics(means, scales, levels, shape=(200, 1, 8, 8)):
    """Images whose pixels come from discretised logistics, each as often."""
    source = generator(0)
    which = torch.randint(len(means), shape, generator=source)
    noise = torch.logit(torch.rand(shape, generator=source).clamp(1e-6, 1 - 1e-6))
    values = torch.tensor(means)[which] + torch.tensor(scales)[which] * noise
    return ((values + 1) * (levels - 1) / 2).round().clamp(0, levels - 1).to(torch.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "levels"), [("bernoulli", 2), ("categorical", 2), ("logistic", 2), ("categorical", 256), ("logistic", 256)]
)
def test_outputs_start_near_the_uniform(name, levels, channels):
    its = output(name, levels)
    start = its.start(channels)
    assert start.shape == (its.parameters(channels),)
    images = torch.randint(levels, (500, channels, 4, 4), generator=generator(0)).to(torch.uint8)
    loss = -nats(its, start, images) / channels / math.log(2) - math.log2(levels)
    assert loss < (1e-5 if name in ("categorical", "bernoulli") else 0.35)


def test_two_logistics_far_apart_are_found_by_a_mixture_of_two():
    images = logistics((-0.6, 0.5), (0.03, 0.1), 256)
    start = fitted(LogisticMixture(256, 2), images, generator(1)).view(3, 2)
    assert torch.allclose(start[0].softmax(0), torch.tensor([0.5, 0.5]), atol=0.03)
    assert torch.allclose(start[1], torch.tensor([-0.6, 0.5]), atol=0.02)
    assert torch.allclose(start[2].exp(), torch.tensor([0.03, 0.1]), rtol=0.1)


def test_one_logistic_is_found():
    images = logistics((0.3,), (0.07,), 256)
    mean, raw = fitted(DiscretisedLogistic(256), images, generator(1))
    assert mean.item() == pytest.approx(0.3, abs=0.02)
    assert math.exp(raw) == pytest.approx(0.07, rel=0.1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["logistic", "mixture"])
def test_the_fit_beats_the_start_and_nears_the_entropy_of_the_pixels(name, channels):
    its = output(name, 256)
    common = logistics((-0.9, -0.2, 0.7), (0.02, 0.05, 0.02), 256)
    images = common.expand(-1, channels, -1, -1)  # grey: the channels are alike, which a mixture of pixels sees
    found, begun = (nats(its, start, images) for start in (fitted(its, images, generator(1)), its.start(channels)))
    shares = common.flatten().bincount(minlength=256).double() / common.numel()
    assert found > begun
    if name == "mixture" and channels == 1:
        assert found > -torch.special.entr(shares).sum().item() - 0.1


@pytest.mark.parametrize(("name", "levels"), [("bernoulli", 2), ("categorical", 2), ("categorical", 17)])
def test_levels_that_are_named_take_their_frequencies(name, levels):
    images = (torch.rand(200, 2, 8, 8, generator=generator(0)).square() * levels).to(torch.uint8)
    images[:, 1] //= 2
    its = output(name, levels)
    start = fitted(its, images, generator(1))
    every = torch.arange(levels, dtype=torch.uint8).view(-1, 1, 1, 1)
    for channel, own in enumerate(start.chunk(2)):
        shares = its.log_prob(own[None, :, None, None].expand(levels, -1, 1, 1), every).exp().flatten()
        expected = images[:, channel].flatten().bincount(minlength=levels) / images[:, channel].numel()
        assert torch.allclose(shares, expected, atol=0.01)


def test_the_fit_follows_the_generator_alone():
    images = logistics((-0.6, 0.5), (0.03, 0.1), 256)
    its = LogisticMixture(256, 2)
    torch.manual_seed(0)
    first = fitted(its, images, generator(1))
    torch.manual_seed(5)
    assert torch.equal(first, fitted(its, images, generator(1)))
    assert not torch.equal(first, fitted(its, images, generator(2)))


def test_pixels_of_one_level_leave_the_others_possible():
    images = torch.full((10, 1, 8, 8), 3, dtype=torch.uint8)
    for its in (output(name, 17) for name in ("categorical", "logistic", "mixture")):
        start = fitted(its, images, generator(0))
        assert nats(its, start, images) > -0.1
        every = torch.arange(17, dtype=torch.uint8).view(-1, 1, 1, 1)
        assert torch.isfinite(its.log_prob(start[None, :, None, None].expand(17, -1, 1, 1), every)).all()


def test_a_bias_for_each_pixel_holds_the_same_at_all():
    bias = torch.zeros(2 * 3 * 4)
    begin(bias, torch.tensor([1.0, 2.0]))
    assert torch.equal(bias.view(2, 3, 4), torch.tensor([1.0, 2.0])[:, None, None].expand(2, 3, 4))


def test_a_layer_that_has_learned_stays():
    its, images = Categorical(4), torch.randint(3, (20, 1, 4, 4), generator=generator(0)).to(torch.uint8)
    bias = torch.tensor([0.0, 0.0, 0.1, 0.0])
    fit_start(bias, its, images, generator(0))
    assert torch.equal(bias, torch.tensor([0.0, 0.0, 0.1, 0.0]))
