import itertools
import math

import pytest
import torch

from families.outputs import Categorical, DiscretisedLogistic, output

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
    mpmath.mp.dps = 2000 if raw < -5 else 200
    cut = DiscretisedLogistic(levels)
    scale = mpmath.exp(cut.floor + mpmath.log(1 + mpmath.exp(mpmath.mpf(raw) - cut.floor)))
    sigma = lambda value: 1 / (1 + mpmath.exp(-(value - mpmath.mpf(mean)) / scale))  # noqa: E731
    nats = cut.log_prob(logistic_parameters(levels, mean, raw), all_levels(levels)).flatten().tolist()
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


@pytest.mark.parametrize("distribution", [Categorical(7), DiscretisedLogistic(7)])
def test_samples_follow_the_probabilities(distribution):
    n, channels = 40_000, 2
    one = torch.randn(1, distribution.parameters(channels), 1, 1, dtype=torch.float64, generator=torch.manual_seed(0))
    uniforms = torch.rand(n, channels, 1, 1, generator=torch.Generator().manual_seed(1))
    drawn = distribution.sample(one.expand(n, -1, -1, -1), uniforms)
    assert drawn.dtype == torch.uint8
    assert drawn.shape == (n, channels, 1, 1)
    for channel in range(channels):
        own = one.unflatten(1, (channels, -1))[:, channel]
        expected = distribution.log_prob(own.expand(7, -1, -1, -1), all_levels(7)).exp().flatten()
        seen = torch.bincount(drawn[:, channel].flatten().long(), minlength=7) / n
        error = (expected * (1 - expected) / n).sqrt()
        assert ((seen - expected).abs() < 4 * error + 1e-9).all()


@pytest.mark.parametrize("distribution", [Categorical(5), DiscretisedLogistic(5)])
def test_the_smallest_and_the_largest_uniform_draw_levels(distribution):
    wild = 50 * torch.randn(100, distribution.parameters(1), 1, 1, generator=torch.manual_seed(0))
    for edge in (0.0, 1 - 2**-24):
        drawn = distribution.sample(wild, torch.full((100, 1, 1, 1), edge))
        assert drawn.max() <= 4


def test_the_logistic_samples_the_bin_that_it_scores():
    cut, levels = DiscretisedLogistic(9), 9
    parameters = logistic_parameters(levels, 0.2, -1.0)
    above = cut.log_prob(parameters, all_levels(levels)).exp().flatten().cumsum(0)[:-1]
    for level, edge in enumerate(above.tolist()):
        for uniform, expected in ((edge - 1e-9, level), (edge + 1e-9, level + 1)):
            drawn = cut.sample(parameters[:1], torch.full((1, 1, 1, 1), uniform, dtype=torch.float64))
            assert drawn.item() == expected


def test_an_unknown_output_is_refused_by_name():
    with pytest.raises(ValueError, match=r"output='gaussian': give one of categorical, logistic"):
        output("gaussian", 256)
