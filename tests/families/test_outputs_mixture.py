import itertools
import math

import pytest
import torch

from families.outputs import LogisticMixture
from families.outputs.logistic import DiscretisedLogistic, log_bin

EXTREME = [-1e4, -30.0, 0.0, 0.3, 7.0, 1e4]


def every_pixel(levels, channels):
    """All values of one pixel, uint8 (levels ** channels, channels, 1, 1)."""
    values = torch.cartesian_prod(*[torch.arange(levels, dtype=torch.uint8)] * channels)
    return values.view(-1, channels, 1, 1)


def rows(mixture, channels, seed=0, dtype=torch.float64):
    """Random parameters of one pixel by row: weights, means, raw log-scales, coefficients."""
    values = torch.randn(mixture.parameters(channels), generator=torch.manual_seed(seed), dtype=dtype)
    return values.view(-1, mixture.components)


def by_hand(mixture, own, pixel):
    """log P of one pixel, straight from the paper: differences of the distribution function, in float64."""
    channels, step = len(pixel), 2 / (mixture.levels - 1)
    total = 0.0
    for m in range(mixture.components):
        product = own[0].softmax(0)[m]
        coefficients = iter(own[1 + 2 * channels :, m])
        for c, level in enumerate(pixel):
            mean = own[1 + c, m] + sum(torch.tanh(next(coefficients)) * (step * pixel[j] - 1) for j in range(c))
            scale = torch.exp(mixture.floor + torch.log1p(torch.exp(own[1 + channels + c, m] - mixture.floor)))
            x = step * level - 1
            upper = 1 if level == mixture.levels - 1 else torch.sigmoid((x + step / 2 - mean) / scale)
            lower = 0 if level == 0 else torch.sigmoid((x - step / 2 - mean) / scale)
            product = product * (upper - lower)
        total = total + product
    return float(torch.log(total))


@pytest.mark.parametrize(("levels", "channels"), [(2, 1), (256, 1), (4, 2), (3, 3), (256, 3), (3, 4)])
def test_the_mixture_agrees_with_the_paper_computed_by_hand(levels, channels):
    mixture = LogisticMixture(levels, components=3)
    own = rows(mixture, channels)
    assert len(own) == 1 + 2 * channels + channels * (channels - 1) // 2
    source = torch.manual_seed(1)
    for _ in range(20):
        pixel = torch.randint(levels, (channels,), generator=source)
        nats = mixture.log_prob(own.view(1, -1, 1, 1), pixel.to(torch.uint8).view(1, -1, 1, 1))
        assert nats.item() == pytest.approx(by_hand(mixture, own, pixel.tolist()), rel=1e-9)


@pytest.mark.parametrize(("levels", "channels"), [(2, 1), (17, 1), (256, 1), (16, 2), (6, 3), (3, 4)])
@pytest.mark.parametrize("scale", [0.3, 3.0, 100.0])
def test_bins_sum_to_one(levels, channels, scale):
    mixture, pixels = LogisticMixture(levels, components=4), every_pixel(levels, channels)
    own = scale * rows(mixture, channels)
    nats = mixture.log_prob(own.view(1, -1, 1, 1).expand(len(pixels), -1, -1, -1), pixels)
    assert nats.exp().sum().item() == pytest.approx(1, abs=1e-10)
    single = mixture.log_prob(own.float().view(1, -1, 1, 1).expand(len(pixels), -1, -1, -1), pixels)
    assert single.dtype == torch.float32
    assert single.double().exp().sum().item() == pytest.approx(1, abs=2e-3)


def test_a_bin_that_holds_next_to_nothing_keeps_its_own_probability():
    # 1701.05517's code answers with the density here, which is another number
    mixture = LogisticMixture(256, components=1)
    own = torch.tensor([0.0, 0.9, -4.0], dtype=torch.float64).view(1, 3, 1, 1)
    nats = mixture.log_prob(own, torch.full((1, 1, 1, 1), 20, dtype=torch.uint8)).item()
    mean, scale, h = 0.9, math.exp(-7 + math.log1p(math.exp(3))), 1 / 255
    a, b = (40 / 255 - 1 + h - mean) / scale, (40 / 255 - 1 - h - mean) / scale
    assert nats < -80
    assert nats == pytest.approx(a + math.log1p(-math.exp(b - a)), rel=1e-12)  # log(e^a - e^b): the tail of a logistic
    density = a - math.log(scale) + math.log(2 * h)
    assert abs(nats - density) > 1e-3


def test_the_tails_are_open():
    mixture, ends = LogisticMixture(256, components=1), torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    own = torch.tensor([[0.0, -9.0, -5.0], [0.0, 9.0, -5.0]], dtype=torch.float64).view(2, 3, 1, 1)
    assert mixture.log_prob(own, ends).abs().max() < 1e-12


def test_a_component_is_chosen_for_the_pixel_and_not_for_each_channel():
    mixture = LogisticMixture(256, components=2)
    own = torch.zeros(8, 2, dtype=torch.float64)[: 1 + 4 + 1]
    own[1:3] = torch.tensor([-1.2, 1.2])
    own[3:5] = -6.0
    black_and_white = torch.tensor([[0, 0], [255, 255], [0, 255], [255, 0]], dtype=torch.uint8).view(4, 2, 1, 1)
    nats = mixture.log_prob(own.view(1, -1, 1, 1).expand(4, -1, -1, -1), black_and_white).flatten()
    assert torch.allclose(nats[:2].exp(), torch.tensor(0.5, dtype=torch.float64), atol=1e-9)
    assert (nats[2:] < -100).all()
    uniforms = torch.rand(200, 3, 1, 1, generator=torch.manual_seed(0))
    drawn = mixture.sample(own.view(1, -1, 1, 1).expand(200, -1, -1, -1), uniforms).flatten(1)
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert len(drawn.unique()) == 2


def test_one_component_of_one_channel_is_the_discretised_logistic():
    raw = torch.randn(5, 3, 2, 2, dtype=torch.float64, generator=torch.manual_seed(0))
    images = torch.randint(256, (5, 1, 2, 2), generator=torch.manual_seed(1)).to(torch.uint8)
    uniforms = torch.rand(5, 2, 2, 2, generator=torch.manual_seed(2))
    one, alone = LogisticMixture(256, components=1), DiscretisedLogistic(256)
    assert torch.equal(one.log_prob(raw, images), alone.log_prob(raw[:, 1:], images))
    assert torch.equal(one.sample(raw, uniforms), alone.sample(raw[:, 1:], uniforms[:, 1:]))


@pytest.mark.parametrize(("coefficient", "slope"), [(0.0, 0.0), (0.5, math.tanh(0.5)), (50.0, 1.0)])
def test_a_channels_mean_moves_linearly_with_the_stored_levels_before_it(coefficient, slope):
    mixture = LogisticMixture(256, components=1)
    own = torch.tensor([0.0, 0.0, 0.1, -2.0, -3.0, coefficient], dtype=torch.float64).view(1, 6, 1, 1)
    scale = torch.tensor(-7 + math.log1p(math.exp(4)), dtype=torch.float64)
    for red, green in itertools.product((0, 100, 255), (0, 7, 255)):
        pixel = torch.tensor([red, green], dtype=torch.uint8).view(1, 2, 1, 1)
        alone = LogisticMixture(256, components=1).log_prob(own[:, [0, 1, 3]], pixel[:, :1])
        mean = torch.tensor(0.1 + slope * (2 * red / 255 - 1), dtype=torch.float64)
        expected = log_bin(torch.tensor(green), mean, scale, 256)
        assert (mixture.log_prob(own, pixel) - alone).item() == pytest.approx(expected.item(), rel=1e-9)


def test_the_next_channel_is_conditioned_on_the_rounded_level():
    mixture = LogisticMixture(3, components=1)  # levels -1, 0, 1
    own = torch.tensor([0.0, 0.3, 0.0, -9.0, -9.0, 50.0], dtype=torch.float64).view(1, 6, 1, 1)
    half = torch.full((1, 3, 1, 1), 0.5, dtype=torch.float64)
    assert mixture.sample(own, half).flatten().tolist() == [1, 1]  # 0.3 rounds to the middle level, and so does 0
    own[0, 2] = 0.4  # with 0.3 carried on, the mean would be 0.7 and round to the last level
    assert mixture.sample(own, half).flatten().tolist() == [1, 1]
    far = torch.tensor([0.0, 30.0, -0.8, -9.0, -9.0, 50.0], dtype=torch.float64).view(1, 6, 1, 1)
    assert mixture.sample(far, half).flatten().tolist() == [2, 1]  # beyond the last level is the last level


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_are_finite_at_extremes(channels, dtype):
    mixture = LogisticMixture(256, components=2)
    pixels = torch.tensor(list(itertools.product((0, 3, 255), repeat=channels)), dtype=torch.uint8)[..., None, None]
    own = rows(mixture, channels)
    for weight, mean, raw, coefficient in itertools.product(EXTREME, EXTREME, EXTREME, (-1e4, 1e4)):
        own[0, 0], own[1 : 1 + channels, 0], own[1 + channels : 1 + 2 * channels, 0] = weight, mean, raw
        own[1 + 2 * channels :, 0] = coefficient
        leaf = own.to(dtype).view(1, -1, 1, 1).requires_grad_()
        nats = mixture.log_prob(leaf.expand(len(pixels), -1, -1, -1), pixels)
        nats.sum().backward()
        assert torch.isfinite(nats).all()
        assert torch.isfinite(leaf.grad).all(), (weight, mean, raw, coefficient)


def test_log_scales_have_a_floor_from_which_they_can_come_back():
    mixture, image = LogisticMixture(256, components=1), torch.full((1, 1, 1, 1), 128, dtype=torch.uint8)
    near = 2 * 128 / 255 - 1 + 0.02
    at = [torch.tensor([0.0, near, raw], dtype=torch.float64).view(1, 3, 1, 1).requires_grad_() for raw in (-12, -1e3)]
    nats = [mixture.log_prob(own, image).sum() for own in at]
    assert nats[1].item() == pytest.approx(nats[0].item(), rel=0.02)
    nats[0].backward()
    assert at[0].grad[0, 2] > 0


@pytest.mark.parametrize(("channels", "components"), [(1, 1), (1, 5), (1, 10), (3, 5)])
def test_the_start_has_components_that_differ_and_a_nearly_uniform_channel(channels, components):
    mixture = LogisticMixture(256, components)
    start = mixture.start(channels)
    assert start.shape == (mixture.parameters(channels),)
    means = start.view(-1, components)[1]
    assert len(means.unique()) == components
    first = start.view(-1, components)[[0, 1, 1 + channels]].reshape(1, -1, 1, 1).expand(256, -1, -1, -1)
    bits = -mixture.log_prob(first, every_pixel(256, 1)) / math.log(2)
    assert bits.mean() < 8.6


@pytest.mark.parametrize("components", [0, 2.5, True])
def test_a_mixture_of_less_than_one_component_is_refused(components):
    with pytest.raises(ValueError, match=f"components={components}: give a whole number"):
        LogisticMixture(256, components)
