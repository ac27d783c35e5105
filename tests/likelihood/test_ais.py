import math

import pytest
import torch

from genbench import Batch, DataSpec, ImplicitModel
from genbench.implicit import search
from genbench.likelihood.ais import Point, Steps, ais, sigmoid_schedule, transition, tune
from genbench.likelihood.effort import EFFORTS, check_effort, effort_named
from genbench.seed import normal
from genbench.weights import log_mean_exp

DOUBLE = torch.float64


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


class Linear:
    """x = A u + b + σ ε, whose log p(x) and posterior are known."""

    def __init__(self, latents, size, sigma=0.5, seed=0):
        source = gen(seed)
        self.a = torch.randn(size, latents, generator=source, dtype=DOUBLE)
        self.b = torch.randn(size, generator=source, dtype=DOUBLE)
        u = torch.randn(latents, generator=source, dtype=DOUBLE)
        self.sigma, self.latents, self.size = sigma, latents, size
        self.x = self.a @ u + self.b + sigma * torch.randn(size, generator=source, dtype=DOUBLE)

    def __call__(self, u):
        residual = (self.x - u @ self.a.T - self.b) / self.sigma
        return -residual.square().sum(1) / 2 - self.size * math.log(self.sigma * math.sqrt(2 * math.pi))

    def exact(self):
        covariance = self.a @ self.a.T + self.sigma**2 * torch.eye(self.size, dtype=DOUBLE)
        return float(torch.distributions.MultivariateNormal(self.b, covariance).log_prob(self.x))

    def posterior(self, n, source):
        precision = torch.eye(self.latents, dtype=DOUBLE) + self.a.T @ self.a / self.sigma**2
        covariance = torch.linalg.inv(precision)
        mean = covariance @ self.a.T @ (self.x - self.b) / self.sigma**2
        noise = normal((n, self.latents), source).double()
        return mean + noise @ torch.linalg.cholesky(covariance).T


class Mixture:
    """x = b ± c + A u + σ ε, the sign that of one more latent: a mixture of two Gaussians in equal parts.

    What the sign's latent does has no gradient, and on either side the posterior is a Gaussian in the others.
    """

    def __init__(self, latents, size, sigma=0.7, seed=0):
        self.sides, self.latents = [Linear(latents, size, sigma, seed) for _ in range(2)], latents + 1
        shift = torch.full((size,), 0.4, dtype=DOUBLE)
        self.sides[0].b, self.sides[1].b = self.sides[0].b - shift, self.sides[1].b + shift

    def __call__(self, u):
        under = [side(u[:, 1:]) for side in self.sides]
        return torch.where(u[:, 0] < 0, *under)

    def exact(self):
        return math.log(sum(math.exp(side.exact()) for side in self.sides) / 2)

    def posterior(self, n, source):
        odds = math.exp(self.sides[1].exact() - self.exact()) / 2
        right = torch.rand(n, generator=source) < odds
        half = normal((n,), source).double().abs()
        rest = torch.where(right[:, None], self.sides[1].posterior(n, source), self.sides[0].posterior(n, source))
        return torch.cat([torch.where(right, half, -half)[:, None], rest], 1)


def settled(target, chains, temperatures, leapfrog=5, seed=0):
    """Step sizes by a pilot that shares nothing with the run."""
    source = gen(seed + 1_000)
    start = normal((chains, target.latents), source).double()
    return tune(target, start, temperatures=temperatures, leapfrog=leapfrog, generator=source)


def forward(target, chains, temperatures, leapfrog=5, seed=1):
    steps, source = settled(target, chains, max(temperatures // 4, 2), leapfrog, seed), gen(seed)
    start = normal((chains, target.latents), source).double()
    return ais(target, start, steps=steps, temperatures=temperatures, leapfrog=leapfrog, generator=source)


def backward(target, chains, temperatures, leapfrog=5, seed=2):
    steps, source = settled(target, chains, max(temperatures // 4, 2), leapfrog, seed), gen(seed)
    start, options = target.posterior(chains, source), {"temperatures": temperatures, "leapfrog": leapfrog}
    return ais(target, start, steps=steps, generator=source, backward=True, **options)


@pytest.mark.parametrize(
    "target", [Linear(1, 1), Linear(5, 3), Linear(8, 8, sigma=1.0), Mixture(2, 3)], ids=["1x1", "5x3", "8x8", "mixture"]
)
def test_agrees_with_the_closed_form_from_below_and_from_above(target):
    down, up = forward(target, 1_000, 150).log_weights, -backward(target, 1_000, 150).log_weights
    assert float(down.mean()) < target.exact() < float(up.mean())
    for ratio in ((down - target.exact()).exp(), (target.exact() - up).exp()):  # E[w] = P(x), E[1 / w] = 1 / P(x)
        error = float(ratio.std()) / math.sqrt(len(ratio))
        assert error < 0.15
        assert float(ratio.mean()) == pytest.approx(1, abs=4 * error + 1e-9)


@pytest.mark.parametrize("target", [Linear(4, 10, sigma=0.5), Mixture(3, 4)], ids=["linear", "mixture"])
def test_the_gap_closes_round_the_truth_as_temperatures_grow(target):
    below, above = [], []
    for temperatures in (5, 20, 80, 320):
        below.append(float(forward(target, 200, temperatures, 3).log_weights.mean()) - target.exact())
        above.append(float(-backward(target, 200, temperatures, 3).log_weights.mean()) - target.exact())
    assert below == sorted(below)
    assert above == sorted(above, reverse=True)
    assert below[-1] < 0 < above[-1]
    assert above[-1] - below[-1] < 0.1 * (above[0] - below[0])


def test_weights_average_to_the_probability_even_at_few_temperatures():
    target = Linear(1, 1, sigma=1.0)
    weights = forward(target, 40_000, 4).log_weights.exp()
    error = float(weights.std()) / math.sqrt(len(weights))
    assert abs(float(weights.mean()) - math.exp(target.exact())) < 4 * error


def test_transitions_leave_their_target_as_it_is_at_any_step_size():
    target, source = Linear(1, 1, sigma=0.7), gen(3)
    for beta in (0.0, 1.0):
        exact = target.posterior(50_000, source) if beta else normal((50_000, 1), source).double()
        point = Point.at(target, exact)
        step = torch.full((50_000,), 1.2 * float(exact.std()), dtype=DOUBLE)
        for _ in range(5):
            point, probability, _ = transition(target, point, beta, step, 2, source)
        assert float(probability.mean()) < 0.95, "else nothing was ever refused, and nothing is shown"
        assert float(point.u.mean()) == pytest.approx(float(exact.mean()), abs=0.02)
        assert float(point.u.std()) == pytest.approx(float(exact.std()), rel=0.02)


def test_a_point_carries_the_value_and_gradient_of_where_it_is():
    target, source = Linear(3, 4), gen()
    point = Point.at(target, normal((50, 3), source).double())
    point, _, took = transition(target, point, 1.0, torch.full((50,), 0.2, dtype=DOUBLE), 3, source)
    assert 0 < float(took.mean()) < 1
    fresh = Point.at(target, point.u)
    torch.testing.assert_close(point.value, fresh.value)
    torch.testing.assert_close(point.gradient, fresh.gradient)


def narrow(precision):
    return lambda u: -precision / 2 * u.square().sum(1)


def test_a_pilot_brings_each_chain_to_065_acceptance_by_itself():
    precision = torch.tensor([1.0, 1e4], dtype=DOUBLE).repeat(20)
    target, source, options = narrow(precision), gen(), {"leapfrog": 5}
    steps = tune(target, normal((40, 10), source).double(), temperatures=250, generator=source, **options)
    start = normal((40, 10), gen(1)).double()
    result = ais(target, start, steps=steps, temperatures=1_000, generator=gen(2), **options)
    wide, tight = result.acceptance.view(20, 2).T
    assert float(wide.mean()) == pytest.approx(0.65, abs=0.06)
    assert float(tight.mean()) == pytest.approx(0.65, abs=0.06)
    wide, tight = steps.at(1.0).view(20, 2).T
    assert float(wide.min()) > 10 * float(tight.max())


@pytest.mark.parametrize("precision", [1e4, 1e6])
def test_a_step_that_starts_far_too_long_is_soon_put_right(precision):
    start = normal((40, 10), gen()).double()
    steps = tune(narrow(precision), start, temperatures=50, leapfrog=5, generator=gen(3))
    result = ais(narrow(precision), start, steps=steps, temperatures=200, leapfrog=5, generator=gen(1))
    assert float(result.acceptance.mean()) == pytest.approx(0.65, abs=0.2)


@pytest.mark.parametrize("down", [True, False])
def test_a_run_takes_the_steps_that_were_settled_whatever_its_chains_do(monkeypatch, down):
    import genbench.likelihood.ais as module

    used = []

    def watched(log_likelihood, point, beta, step, *rest):
        used.append(step)
        return transition(log_likelihood, point, beta, step, *rest)

    monkeypatch.setattr(module, "transition", watched)
    logs = torch.linspace(0, -3, 3, dtype=DOUBLE)[:, None] + torch.tensor([0.0, 1.0, 2.0], dtype=DOUBLE)
    start = 3 * normal((3, 2), gen()).double()
    ais(Linear(2, 4), start, steps=Steps(logs), temperatures=8, leapfrog=2, generator=gen(), backward=down)
    along = torch.tensor([0, 0, -0.75, -1.5, -2.25, -3, -3], dtype=DOUBLE)  # pilot's places: 1/4, 1/2 and 3/4
    wanted = (along[:, None] + torch.tensor([0.0, 1.0, 2.0], dtype=DOUBLE)).exp()
    torch.testing.assert_close(torch.stack(used), wanted.flip(0) if down else wanted)


def test_a_search_counts_what_lies_beyond_the_levels_as_the_end_level():
    class Beyond(ImplicitModel):
        def decode(self, u, given):
            return torch.tensor([16.0 + 5, -7.0]).view(1, 1, 1, 2) + 0 * u.sum(1).view(-1, 1, 1, 1)

    ends = Batch(torch.tensor([16, 0], dtype=torch.uint8).view(1, 1, 1, 2))
    assert float(search(Beyond(DataSpec((1, 1, 2), levels=17), 1), ends, gen())) == 0
    off = Batch(torch.tensor([14, 0], dtype=torch.uint8).view(1, 1, 1, 2))
    assert float(search(Beyond(DataSpec((1, 1, 2), levels=17), 1), off, gen())) == pytest.approx(2.0)


def test_a_likelihood_that_is_flat_in_u_is_exact_and_one_without_gradient_is_right():
    start = normal((4_000, 2), gen())
    sizes = Steps(torch.full((1, 4_000), -1.6))
    options = {"steps": sizes, "leapfrog": 2, "generator": gen(1)}
    flat = ais(lambda u: torch.full((len(u),), -123.4), start, temperatures=7, **options)
    torch.testing.assert_close(flat.log_weights, torch.full((4_000,), -123.4, dtype=DOUBLE), rtol=1e-6, atol=0)
    steps = ais(lambda u: torch.where((u > 0).all(1), -1.0, -6.0), start, temperatures=50, **options)
    assert not steps.guided
    rounded = ais(lambda u: -u.round().square().sum(1), start, temperatures=7, **options)
    assert not rounded.guided, "a graph without a slope is no gradient"
    half = ais(
        lambda u: -u.clamp(min=1.5).square().sum(1),
        start[:1] * 0,
        temperatures=50,
        **options | {"steps": Steps(torch.full((1, 1), 0.5))},
    )  # flat where it starts
    assert half.guided
    wanted = math.log(0.25 * math.exp(-1) + 0.75 * math.exp(-6))
    assert float(log_mean_exp(steps.log_weights, 0)) == pytest.approx(wanted, abs=0.05)


def test_a_trajectory_that_blows_up_is_refused():
    target, source = Linear(2, 2), gen()
    point = Point.at(target, normal((5, 2), source).double())
    after, probability, took = transition(target, point, 1.0, torch.full((5,), 1e200, dtype=DOUBLE), 3, source)
    assert torch.equal(after.u, point.u)
    assert not took.any()
    assert not probability.any()


def test_all_noise_comes_from_the_generator():
    target, state = Linear(2, 3), torch.get_rng_state()
    one = forward(target, 5, 20)
    torch.manual_seed(7)
    two = forward(target, 5, 20)
    assert torch.equal(one.log_weights, two.log_weights)
    assert not torch.equal(one.log_weights, forward(target, 5, 20, seed=2).log_weights)
    torch.set_rng_state(state)
    forward(target, 5, 20)
    assert torch.equal(state, torch.get_rng_state())


def test_float32_chains_collect_their_weights_in_float64():
    start, options = normal((3, 2), gen()), {"temperatures": 5, "leapfrog": 2, "generator": gen()}
    result = ais(narrow(2.0), start, steps=tune(narrow(2.0), start, **options), **options)
    assert result.log_weights.dtype == DOUBLE
    assert result.states.dtype == torch.float32


def test_the_schedule_is_the_papers_sigmoid():
    betas = sigmoid_schedule(10)
    assert (betas[0], betas[-1], len(betas)) == (0.0, 1.0, 11)
    for t, beta in enumerate(betas):
        assert beta == pytest.approx(1 - betas[10 - t])
        raw = [1 / (1 + math.exp(-4 * (2 * s / 10 - 1))) for s in (0, t, 10)]
        assert beta == pytest.approx((raw[1] - raw[0]) / (raw[2] - raw[0]))


def test_efforts_and_bad_values():
    fast, half = effort_named("fast"), effort_named("fast/2")
    assert (fast.temperatures, fast.leapfrog, fast.chains, fast.search, fast.backward) == (80, 5, 2, 400, 150)
    assert (half.temperatures, half.leapfrog, half.chains, half.search, half.backward) == (40, 5, 2, 200, 75)
    assert (EFFORTS["standard"].temperatures, EFFORTS["standard"].leapfrog) == (500, 10)
    assert [EFFORTS[name].search for name in ("standard", "paper")] == [1_200, 4_800]
    assert (EFFORTS["paper"].temperatures, EFFORTS["paper"].leapfrog, EFFORTS["paper"].chains) == (5_000, 10, 16)
    assert EFFORTS["paper"].backward == 10_000, "as in the paper"
    for name in ("quick", "fast/2/2", "/2", ""):
        with pytest.raises(ValueError, match=r"effort='.*fast"):
            effort_named(name)
    with pytest.raises(ValueError, match=r"effort='fast/2'"):
        check_effort("fast/2")
    with pytest.raises(ValueError, match="temperatures=0"):
        sigmoid_schedule(0)
    sizes, start = Steps(torch.zeros(1, 1)), torch.zeros(1, 1)
    with pytest.raises(ValueError, match="leapfrog=0"):
        ais(Linear(1, 1), start, steps=sizes, temperatures=2, leapfrog=0, generator=gen())
    with pytest.raises(ValueError, match="leapfrog=0"):
        tune(Linear(1, 1), start, temperatures=2, leapfrog=0, generator=gen())
