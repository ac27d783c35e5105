import itertools
import math

import pytest
import torch
from torch.nn import functional as F

from families.outputs import OUTPUTS, Bernoulli, Categorical, DiscretisedLogistic, LogisticMixture, output

EXTREME = [-1e4, -30.0, -1.0, -0.3, 0.0, 0.02, 1.0, 7.0, 1e4]


def all_levels(levels):
    """One image a level, uint8 (levels, 1, 1, 1)."""
    return torch.arange(levels, dtype=torch.uint8).view(-1, 1, 1, 1)


def logistic_parameters(levels, mean, raw, dtype=torch.float64):
    return torch.tensor([mean, raw], dtype=dtype).view(1, 2, 1, 1).expand(levels, -1, -1, -1)


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
@pytest.mark.parametrize(("mean", "raw"), itertools.product(EXTREME, EXTREME))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bins_of_the_logistic_sum_to_one(levels, mean, raw, dtype):
    parameters = logistic_parameters(levels, mean, raw, dtype)
    nats = DiscretisedLogistic(levels).log_prob(parameters, all_levels(levels))
    assert torch.isfinite(nats).all()
    near = 1e-10 if dtype == torch.float64 else 2e-4
    assert nats.double().exp().sum().item() == pytest.approx(1, abs=near)


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize(("mean", "raw"), [(0.0, -1.0), (-1.7, -3.0), (5.0, -6.0), (40.0, 0.0), (0.3, 2.5)])
def test_logistic_agrees_with_differences_of_its_distribution_function(levels, mean, raw):
    mpmath = pytest.importorskip("mpmath")  # comes with torch, through sympy
    cut = DiscretisedLogistic(levels)
    nats = cut.log_prob(logistic_parameters(levels, mean, raw), all_levels(levels)).flatten().tolist()
    with mpmath.workdps(2000 if raw < -5 else 200):
        scale = mpmath.exp(cut.floor + mpmath.log(1 + mpmath.exp(mpmath.mpf(raw) - cut.floor)))

        def sigma(value):
            return 1 / (1 + mpmath.exp(-(value - mpmath.mpf(mean)) / scale))

        for level in {0, 1, levels // 2, levels - 1}:
            x, half = mpmath.mpf(2 * level) / (levels - 1) - 1, mpmath.mpf(1) / (levels - 1)
            upper = 1 if level == levels - 1 else sigma(x + half)
            lower = 0 if level == 0 else sigma(x - half)
            assert nats[level] == pytest.approx(float(mpmath.log(upper - lower)), rel=1e-9, abs=1e-12)


def test_tails_of_the_logistic_are_open():
    cut = DiscretisedLogistic(256)
    far = torch.tensor([[-9.0, -5.0], [9.0, -5.0]], dtype=torch.float64).view(2, 2, 1, 1)
    ends = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    assert cut.log_prob(far, ends).abs().max() < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_the_logistic_are_finite_at_extremes(dtype):
    for mean, raw in itertools.product(EXTREME, EXTREME):
        parameters = torch.tensor([mean, raw], dtype=dtype).view(1, 2, 1, 1).repeat(256, 1, 1, 1).requires_grad_()
        DiscretisedLogistic(256).log_prob(parameters, all_levels(256)).sum().backward()
        assert torch.isfinite(parameters.grad).all(), (mean, raw)


def test_log_scale_has_a_floor_from_which_it_can_come_back():
    cut = DiscretisedLogistic(256)
    image = torch.full((1, 1, 1, 1), 128, dtype=torch.uint8)
    on_the_level = 2 * 128 / 255 - 1
    certain = cut.log_prob(logistic_parameters(1, on_the_level + 0.02, -12.0), image)
    floor = cut.log_prob(logistic_parameters(1, on_the_level + 0.02, -1e3), image)
    assert floor.item() == pytest.approx(certain.item(), rel=0.02)
    raw = torch.tensor([on_the_level + 0.02, -12.0], dtype=torch.float64).view(1, 2, 1, 1).requires_grad_()
    cut.log_prob(raw, image).sum().backward()
    assert raw.grad[0, 1] > 0


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_zero_logits_score_log2_levels(levels):
    images = torch.randint(levels, (2, 3, 4, 4)).to(torch.uint8)
    nats = Categorical(levels).log_prob(torch.zeros(2, 3 * levels, 4, 4, dtype=torch.float64), images)
    assert torch.allclose(-nats / (3 * math.log(2)), torch.tensor(math.log2(levels), dtype=torch.float64), rtol=1e-14)


def test_categorical_parameters_stand_channel_by_channel():
    logits = torch.randn(2, 3 * 5, 2, 2, dtype=torch.float64)
    images = torch.randint(5, (2, 3, 2, 2)).to(torch.uint8)
    nats = Categorical(5).log_prob(logits, images)
    for b, y, x in itertools.product(range(2), range(2), range(2)):
        by_hand = sum(logits[b, 5 * c : 5 * c + 5, y, x].log_softmax(0)[images[b, c, y, x].long()] for c in range(3))
        assert nats[b, y, x] == pytest.approx(by_hand.item())


EVERY = [Categorical(3), Bernoulli(), DiscretisedLogistic(5), LogisticMixture(4, components=3)]


def every_pixel(levels, channels):
    """All values of one pixel, uint8 (levels ** channels, channels, 1, 1)."""
    values = torch.cartesian_prod(*[torch.arange(levels, dtype=torch.uint8)] * channels)
    return values.view(-1, channels, 1, 1)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("distribution", EVERY, ids=lambda d: type(d).__name__)
def test_samples_follow_the_probabilities(distribution, channels, temperature):
    n, levels = 40_000, distribution.levels
    one = torch.randn(1, distribution.parameters(channels), 1, 1, dtype=torch.float64, generator=torch.manual_seed(0))
    uniforms = torch.rand(n, distribution.uniforms(channels), 1, 1, generator=torch.Generator().manual_seed(1))
    drawn = distribution.sample(one.expand(n, -1, -1, -1), uniforms, temperature)
    assert drawn.dtype == torch.uint8
    assert drawn.shape == (n, channels, 1, 1)
    pixels = every_pixel(levels, channels)
    cooled = cool(distribution, one, channels, temperature)
    expected = distribution.log_prob(cooled.expand(len(pixels), -1, -1, -1), pixels).exp().flatten()
    assert expected.sum().item() == pytest.approx(1, abs=1e-12)
    codes = drawn.flatten(1).long() @ (levels ** torch.arange(channels - 1, -1, -1))
    seen = torch.bincount(codes, minlength=len(pixels)) / n
    error = (expected * (1 - expected) / n).sqrt()
    assert ((seen - expected).abs() < 4 * error + 2 / n).all()


def cool(distribution, parameters, channels, temperature):
    """Parameters that say at temperature 1 what ``parameters`` say at another: logits divided, scales multiplied."""
    if isinstance(distribution, Categorical | Bernoulli):
        return parameters / temperature
    floor = distribution.floor

    def scaled(raw):  # softplus, multiplied and undone
        log_scale = floor + F.softplus(raw - floor) + math.log(temperature)
        return floor + (log_scale - floor).expm1().log()

    cooled = parameters.clone()
    if isinstance(distribution, DiscretisedLogistic):
        cooled[:, 1::2] = scaled(parameters[:, 1::2])
    else:
        m = distribution.components
        cooled[:, :m] /= temperature
        own = slice(m * (1 + channels), m * (1 + 2 * channels))
        cooled[:, own] = scaled(parameters[:, own])
    return cooled


@pytest.mark.parametrize("distribution", EVERY, ids=lambda d: type(d).__name__)
def test_the_smallest_and_the_largest_uniform_draw_levels(distribution):
    wild = 50 * torch.randn(100, distribution.parameters(2), 1, 1, generator=torch.manual_seed(0))
    for edge in (0.0, 1 - 2**-24):
        drawn = distribution.sample(wild, torch.full((100, distribution.uniforms(2), 1, 1), edge))
        assert drawn.max() < distribution.levels
    flat = torch.zeros(1, distribution.parameters(1), 1, 1)
    assert distribution.sample(flat, torch.zeros(1, distribution.uniforms(1), 1, 1)).item() == 0


def test_rounding_in_the_sum_of_probabilities_draws_no_level_beyond_the_last():
    logits = torch.randn(500, 256, generator=torch.manual_seed(0))
    last = torch.tensor(1 - 2**-53, dtype=torch.float64)
    assert (logits.double().softmax(1).cumsum(1)[:, -1] <= last).any()
    assert Categorical(256).sample(logits[..., None, None], last.expand(500, 1, 1, 1)).min() > 128


def test_a_level_without_probability_is_never_drawn():
    impossible = torch.tensor([-1e4, -1e4, 0.0, -1e4]).view(1, 4, 1, 1)
    for edge in (0.0, 1 - 2**-24):
        assert Categorical(4).sample(impossible, torch.full((1, 1, 1, 1), edge)).item() == 2
    assert Bernoulli().sample(torch.full((1, 1, 1, 1), 1e4), torch.zeros(1, 1, 1, 1)).item() == 1


@pytest.mark.parametrize("distribution", EVERY, ids=lambda d: type(d).__name__)
def test_a_map_is_drawn_as_its_pixels_are(distribution):
    parameters = torch.randn(3, distribution.parameters(2), 4, 5, generator=torch.manual_seed(0))
    uniforms = torch.rand(3, distribution.uniforms(2), 4, 5, generator=torch.manual_seed(1))
    whole = distribution.sample(parameters, uniforms)
    for y, x in itertools.product(range(4), range(5)):
        own = distribution.sample(parameters[:, :, y : y + 1, x : x + 1], uniforms[:, :, y : y + 1, x : x + 1])
        assert torch.equal(own, whole[:, :, y : y + 1, x : x + 1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("distribution", EVERY, ids=lambda d: type(d).__name__)
def test_parameters_of_half_precision_are_scored_in_single(distribution, dtype):
    parameters = torch.randn(5, distribution.parameters(3), 2, 2, generator=torch.manual_seed(0)).to(dtype)
    images = torch.randint(distribution.levels, (5, 3, 2, 2), generator=torch.manual_seed(1)).to(torch.uint8)
    nats = distribution.log_prob(parameters, images)
    assert nats.dtype == torch.float32
    assert torch.equal(nats, distribution.log_prob(parameters.float(), images))
    uniforms = torch.rand(5, distribution.uniforms(3), 2, 2, generator=torch.manual_seed(2))
    assert torch.equal(distribution.sample(parameters, uniforms), distribution.sample(parameters.float(), uniforms))


def test_a_bernoulli_is_a_categorical_of_two_levels():
    logits = torch.randn(6, 3, 2, 2, dtype=torch.float64, generator=torch.manual_seed(0))
    both = torch.stack((torch.zeros_like(logits), logits), 2).flatten(1, 2)
    images = torch.randint(2, (6, 3, 2, 2), generator=torch.manual_seed(1)).to(torch.uint8)
    uniforms = torch.rand(6, 3, 2, 2, generator=torch.manual_seed(2))
    assert torch.allclose(Bernoulli().log_prob(logits, images), Categorical(2).log_prob(both, images), rtol=1e-14)
    assert torch.equal(Bernoulli().sample(logits, uniforms, 0.7), Categorical(2).sample(both, uniforms, 0.7))
    assert Bernoulli().log_prob(torch.full((1, 1, 1, 1), -900.0), torch.ones(1, 1, 1, 1, dtype=torch.uint8)) == -900


def test_a_fair_coin_costs_one_bit():
    nats = Bernoulli().log_prob(torch.zeros(1, 1, 28, 28), torch.randint(2, (1, 1, 28, 28)).to(torch.uint8))
    assert -nats.double().sum().item() == pytest.approx(28 * 28 * math.log(2))


def test_a_bernoulli_refuses_more_levels_than_two():
    with pytest.raises(ValueError, match="levels=256: a Bernoulli output takes 2"):
        output("bernoulli", 256)


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_are_made_by_name(name):
    made = output(name, 2)
    assert isinstance(made, OUTPUTS[name])
    assert made.levels == 2


def test_the_logistic_samples_the_bin_that_it_scores():
    cut, levels = DiscretisedLogistic(9), 9
    parameters = logistic_parameters(levels, 0.2, -1.0)
    above = cut.log_prob(parameters, all_levels(levels)).exp().flatten().cumsum(0)[:-1]
    for level, edge in enumerate(above.tolist()):
        for uniform, expected in ((edge - 1e-9, level), (edge + 1e-9, level + 1)):
            drawn = cut.sample(parameters[:1], torch.full((1, 1, 1, 1), uniform, dtype=torch.float64))
            assert drawn.item() == expected


def test_an_unknown_output_is_refused_by_name():
    with pytest.raises(ValueError, match=r"output='gaussian': give one of categorical, bernoulli, logistic, mixture"):
        output("gaussian", 256)
