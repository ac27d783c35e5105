from dataclasses import MISSING, fields, replace

import pytest
import torch
from torch import nn

from families.adversarial.penalties import (
    R1,
    DivergencePenalty,
    GradientPenalty,
    LocalPenalty,
    OneSidedPenalty,
    WeightedPenalty,
    gradient_norms,
    interpolates,
)
from genbench.seed import normal

PENALTIES = {
    "two-sided": GradientPenalty(10.0),
    "one-sided": OneSidedPenalty(10.0),
    "divergence": DivergencePenalty(2.0, 6.0),
    "local": LocalPenalty(10.0, 0.5),
    "r1": R1(6.0),
}
BETWEEN = ("two-sided", "one-sided", "divergence")


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def batches(n=6, shape=(2, 3, 3)):
    source = gen(1)
    return [torch.randn(n, *shape, generator=source, dtype=torch.float64) for _ in range(2)]


def places(name, real, fake, generator):
    """Where the penalty looks, worked out anew."""
    if name == "local":
        noise = normal(real.shape, generator).double()
        return real + 0.5 * ((real - real.mean()).square().sum() / (real.numel() - 1)).sqrt() * noise
    return real if name == "r1" else interpolates(real, fake, generator)


def by_hand(name, norms):
    return {
        "two-sided": 10 * ((norms - 1) ** 2).mean(),
        "one-sided": 10 * ((norms - 1).clamp(min=0) ** 2).mean(),
        "divergence": 2 * (norms**6).mean(),
        "local": 10 * ((norms - 1) ** 2).mean(),
        "r1": 3 * (norms**2).mean(),
    }[name]


def test_interpolates_lie_between_with_a_share_of_each_samples_own():
    real, fake = batches(200)
    mixed = interpolates(real, fake, gen())
    share = (mixed - fake) / (real - fake)
    own = share.flatten(1)[:, :1]
    torch.testing.assert_close(share.flatten(1), own.expand(-1, 18), rtol=0, atol=1e-9)
    assert 0 <= float(own.min()) < 0.05
    assert 0.95 < float(own.max()) < 1
    assert len(own.unique()) == 200
    assert torch.equal(mixed, interpolates(real, fake, gen()))
    assert not torch.equal(mixed, interpolates(real, fake, gen(5)))


def test_the_norm_runs_over_all_axes_but_the_batch():
    images, _ = batches(4)
    scale = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    norms = gradient_norms(lambda x: scale * x.flatten(1).sum(1), images)
    torch.testing.assert_close(norms, scale * 18**0.5)


SLOPES = {
    "two-sided": {3.0: 40.0, 1.0: 0.0, 0.5: 2.5, 0.0: 10.0},
    "one-sided": {3.0: 40.0, 1.0: 0.0, 0.5: 0.0, 0.0: 0.0},
    "divergence": {2.0: 128.0, 1.0: 2.0, 0.5: 2 / 64, 0.0: 0.0},
    "local": {3.0: 40.0, 1.0: 0.0, 0.5: 2.5, 0.0: 10.0},
    "r1": {3.0: 27.0, 1.0: 3.0, 0.0: 0.0},
}


@pytest.mark.parametrize(("name", "slope", "wanted"), [(n, s, w) for n in SLOPES for s, w in SLOPES[n].items()])
def test_what_a_critic_of_one_slope_everywhere_pays(name, slope, wanted):
    real, fake = batches()
    direction = torch.zeros(18, dtype=torch.float64)
    direction[7] = slope

    def score(x):
        return x.flatten(1) @ direction

    penalty = PENALTIES[name]
    assert float(penalty(score, real, fake, gen())) == pytest.approx(wanted)
    doubled = replace(penalty, weight=2 * penalty.weight)
    assert float(doubled(score, real, fake, gen())) == pytest.approx(2 * wanted)


def test_the_weight_multiplies_every_penalty_and_no_class_has_one_of_its_own():
    real, fake = batches()
    flat = GradientPenalty(10.0)(lambda x: 0 * x.flatten(1).sum(1), real, fake, gen())
    assert float(flat) == pytest.approx(10.0)
    for penalty in PENALTIES.values():
        assert isinstance(penalty, WeightedPenalty)
        assert all(item.default is MISSING for item in fields(penalty))
        with pytest.raises(ValueError, match="weight=-2"):
            replace(penalty, weight=-2)


def test_another_penalty_says_its_name_and_its_mean():
    class Mean(WeightedPenalty):
        name = "mean score"

        def mean(self, score, real, fake, generator):
            return score(real).mean()

    real, fake = batches()
    assert Mean(3.0).setting == "mean score 3"
    assert float(Mean(3.0)(lambda x: x.flatten(1).sum(1) * 0 + 2, real, fake, gen())) == 6


@pytest.mark.parametrize("power", [1.0, 2.0, 3.5])
def test_the_divergence_takes_any_power_of_the_norm(power):
    real, fake = batches()
    value = DivergencePenalty(0.5, power)(lambda x: 3 * x[:, 0, 0, 0], real, fake, gen())
    assert float(value) == pytest.approx(0.5 * 3**power)


@pytest.mark.parametrize("name", PENALTIES)
def test_it_is_the_mean_over_samples_of_each_ones_own_cost(name):
    real, fake = batches(2)
    slopes = torch.tensor([0.0, 2.0], dtype=torch.float64)
    value = PENALTIES[name](lambda x: slopes * x[:, 0, 0, 0], real, fake, gen())
    torch.testing.assert_close(value, by_hand(name, slopes))
    assert float(value) == pytest.approx({"one-sided": 5.0, "divergence": 64.0, "r1": 6.0}.get(name, 10.0))


@pytest.mark.parametrize("name", PENALTIES)
def test_value_and_gradient_by_hand_where_the_slope_changes_from_place_to_place(name):
    real, fake = batches()
    stiffness = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    seen = []

    def score(x):
        seen.append(x)
        return stiffness * x.square().flatten(1).sum(1) / 2  # its gradient at x is stiffness times x

    value = PENALTIES[name](score, real, fake, gen(2))
    at = places(name, real, fake, gen(2))
    torch.testing.assert_close(seen[0].detach(), at)
    distance = at.flatten(1).norm(dim=1)
    norms = 0.7 * distance
    torch.testing.assert_close(value.detach(), by_hand(name, norms))
    (gradient,) = torch.autograd.grad(value, stiffness)
    wanted = {
        "two-sided": 20 * ((norms - 1) * distance).mean(),
        "one-sided": 20 * ((norms - 1).clamp(min=0) * distance).mean(),
        "divergence": 12 * (norms**5 * distance).mean(),
        "local": 20 * ((norms - 1) * distance).mean(),
        "r1": 6 * (norms * distance).mean(),
    }[name]
    torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("name", PENALTIES)
def test_it_reaches_the_critics_weights_by_double_backward_and_not_the_images(name):
    real, fake = batches(shape=(1, 2, 2))
    real.requires_grad_()
    fake.requires_grad_()
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        critic = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Softplus(), nn.Linear(5, 1)).double()
    critic[3].weight.data *= 6  # steep enough for the one-sided penalty

    def value():
        return PENALTIES[name](lambda x: critic(x)[:, 0], real, fake, gen(3))

    value().backward()
    assert (fake.grad, real.grad) == (None, None)
    weight, h = critic[1].weight, 1e-6
    for place in [(0, 0), (4, 3)]:
        found = float(weight.grad[place])
        with torch.no_grad():
            weight[place] += h
        up = float(value().detach())
        with torch.no_grad():
            weight[place] -= 2 * h
        down = float(value().detach())
        with torch.no_grad():
            weight[place] += h
        assert found == pytest.approx((up - down) / (2 * h), rel=1e-5)
        assert found != 0


@pytest.mark.parametrize("name", PENALTIES)
def test_a_critic_that_is_flat_somewhere_pays_and_learns_without_nan(name):
    real, fake = batches()
    height = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    value = PENALTIES[name](
        lambda x: height * x.flatten(1).sum(1) * torch.tensor([0.0, 1, 0, 1, 0, 1]), real, fake, gen()
    )
    (gradient,) = torch.autograd.grad(value, height)
    assert torch.isfinite(value)
    assert torch.isfinite(gradient)
    assert float(gradient) > 0, "it pushes the steep ones down"


def test_local_noise_is_gaussian_of_the_spread_times_the_batchs_deviation_and_looks_at_no_fake():
    real, seen = 3 + 2 * torch.randn(500, 1, 6, 6, generator=gen(1), dtype=torch.float64), []

    def score(x):
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    nothing = torch.full_like(real, float("nan"))
    for spread in (0.5, 0.05):
        assert torch.isfinite(LocalPenalty(1.0, spread)(score, real, nothing, gen(4)))
        noise = (seen[-1] - real) / (spread * real.std())
        assert float(noise.mean()) == pytest.approx(0, abs=0.03)
        assert float(noise.std()) == pytest.approx(1, rel=0.03)
        assert float((noise.abs() < 1).double().mean()) == pytest.approx(0.6827, abs=0.01)
    assert len(noise.unique()) > 0.99 * noise.numel(), "every pixel of every image has its own"
    assert not torch.equal(seen[0], seen[1])


def test_r1_looks_at_real_images_alone_and_draws_nothing():
    real, seen, source = batches()[0], [], gen(4)

    def score(x):
        seen.append(x.detach())
        return x.square().flatten(1).sum(1)

    state = source.get_state()
    R1(6.0)(score, real, torch.full_like(real, float("nan")), source)
    assert torch.equal(seen[0], real)
    assert torch.equal(state, source.get_state())


@pytest.mark.parametrize("name", [name for name in PENALTIES if name != "r1"])
def test_noise_comes_from_the_generator_alone(name):
    real, fake = batches()

    def value(seed):
        return PENALTIES[name](lambda x: x.square().flatten(1).sum(1), real, fake, gen(seed))

    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = value(3)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first, value(3))
    assert not torch.equal(first, value(4))


@pytest.mark.parametrize(
    ("penalty", "words"),
    [
        (GradientPenalty(0.5), "gradient penalty 0.5"),
        (OneSidedPenalty(10.0), "one sided penalty 10"),
        (DivergencePenalty(2.0, 6.0), "divergence penalty 2, power 6"),
        (LocalPenalty(10.0, 0.5), "local penalty 10, spread 0.5"),
        (R1(10.0), "R1 penalty 10"),
    ],
)
def test_a_penalty_says_what_it_is_with_its_numbers(penalty, words):
    assert penalty.setting == words


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GradientPenalty(0), "weight=0: give a positive number"),
        (lambda: OneSidedPenalty(-1.0), "weight=-1.0"),
        (lambda: DivergencePenalty(2.0, 0.5), r"power=0\.5: give at least 1"),
        (lambda: LocalPenalty(10.0, 0), "spread=0"),
        (lambda: R1(float("nan")), "weight=nan"),
    ],
)
def test_numbers_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", BETWEEN)
def test_batches_of_different_shapes_have_no_interpolates(name):
    real, fake = batches()
    with pytest.raises(ValueError, match="fake images"):
        PENALTIES[name](lambda x: x.sum((1, 2, 3)), real, fake[:3], gen())
