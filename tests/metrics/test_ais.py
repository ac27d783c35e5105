import math

import pytest
import torch

from genbench import Batch, DataSpec, ImplicitModel
from genbench.implicit import search
from genbench.metrics.ais import EFFORTS, Point, ais, effort_named, log_mean_exp, sigmoid_schedule, transition
from genbench.seed import normal

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


def forward(target, chains, temperatures, leapfrog=5, seed=1):
    source = gen(seed)
    start = normal((chains, target.latents), source).double()
    return ais(target, start, temperatures=temperatures, leapfrog=leapfrog, generator=source)


@pytest.mark.parametrize(("latents", "size"), [(1, 1), (2, 5), (5, 3), (8, 8)])
def test_agrees_with_the_closed_form_of_a_linear_gaussian_decoder(latents, size):
    target = Linear(latents, size)
    log_weights = forward(target, 1_000, 200).log_weights  # steps that adapt faster than 0.02 raise 8 × 8 by 0.3 nats
    assert float(log_mean_exp(log_weights, 0)) == pytest.approx(target.exact(), abs=0.18)


def test_approaches_from_below_as_temperatures_grow():
    target = Linear(4, 10, sigma=0.5)
    means = [float(forward(target, 200, t).log_weights.mean()) for t in (20, 60, 200, 600)]
    assert means == sorted(means)
    assert means[-1] < target.exact()
    assert means[-1] == pytest.approx(target.exact(), abs=1.0)


def test_backward_from_the_posterior_bounds_from_above_and_meets_forward():
    target, source = Linear(4, 10, sigma=0.5), gen(2)
    start = target.posterior(200, source)
    back = ais(target, start, temperatures=300, leapfrog=5, generator=source, backward=True).log_weights
    above, below = float(-back.mean()), float(forward(target, 200, 300).log_weights.mean())
    assert above > target.exact() > below
    assert above - below < 1.5


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


def test_step_sizes_adapt_to_065_acceptance_in_each_chain_by_itself():
    precision = torch.tensor([1.0, 1e4], dtype=DOUBLE).repeat(20)

    def target(u):
        return -precision / 2 * u.square().sum(1)

    result = ais(target, normal((40, 10), gen()).double(), temperatures=1_000, leapfrog=5, generator=gen(1))
    assert float(result.acceptance.mean()) == pytest.approx(0.65, abs=0.05)
    wide, narrow = result.step_sizes.view(20, 2).T
    assert float(wide.min()) > 10 * float(narrow.max())


@pytest.mark.parametrize("precision", [1e4, 1e6])
def test_a_step_that_starts_far_too_long_is_soon_put_right_for_all_chains(precision):
    start = normal((40, 10), gen()).double()
    result = ais(lambda u: -precision / 2 * u.square().sum(1), start, temperatures=150, leapfrog=5, generator=gen(1))
    assert float(result.acceptance.mean()) == pytest.approx(0.65, abs=0.2)


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
    flat = ais(lambda u: torch.full((len(u),), -123.4), start, temperatures=7, leapfrog=2, generator=gen(1))
    torch.testing.assert_close(flat.log_weights, torch.full((4_000,), -123.4, dtype=DOUBLE), rtol=1e-6, atol=0)
    steps = ais(lambda u: torch.where((u > 0).all(1), -1.0, -6.0), start, temperatures=50, leapfrog=2, generator=gen(1))
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
    result = ais(lambda u: -u.square().sum(1), normal((3, 2), gen()), temperatures=5, leapfrog=2, generator=gen())
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
    assert (fast.temperatures, fast.leapfrog, half.temperatures, half.leapfrog) == (200, 5, 100, 5)
    assert (EFFORTS["standard"].temperatures, EFFORTS["standard"].leapfrog) == (1_000, 10)
    assert (EFFORTS["paper"].temperatures, EFFORTS["paper"].leapfrog) == (10_000, 10)
    with pytest.raises(ValueError, match=r"effort='quick'.*fast"):
        effort_named("quick")
    with pytest.raises(ValueError, match="temperatures=0"):
        sigmoid_schedule(0)
    with pytest.raises(ValueError, match="leapfrog=0"):
        ais(Linear(1, 1), torch.zeros(1, 1), temperatures=2, leapfrog=0, generator=gen())
