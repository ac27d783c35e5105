import math

import pytest
import torch

from families.flow.distributions import StandardLogistic, StandardNormal
from genbench.seed import generator

BASES = {
    "normal": (StandardNormal, torch.distributions.Normal(0.0, 1.0)),
    "logistic": (
        StandardLogistic,
        torch.distributions.TransformedDistribution(
            torch.distributions.Uniform(0.0, 1.0), [torch.distributions.SigmoidTransform().inv]
        ),
    ),
}


@pytest.mark.parametrize(("base", "known"), BASES.values(), ids=BASES)
def test_log_densities_are_those_of_torch(base, known):
    x = torch.linspace(-6, 6, 60, dtype=torch.float64).view(20, 3)
    assert torch.allclose(base(3).double().log_prob(x), known.log_prob(x).sum(1))
    assert base(3).log_prob(x.float()).dtype == torch.float64


@pytest.mark.parametrize(("base", "known"), BASES.values(), ids=BASES)
def test_samples_are_of_the_distribution_that_scores(base, known):
    draws = base(4).double().draw(50_000, generator(0)).flatten()
    assert draws.dtype == torch.float64
    # Kolmogorov and Smirnov: the distribution function, by integrating the density that scores
    grid = torch.linspace(-30, 30, 6001, dtype=torch.float64)
    mass = torch.cumulative_trapezoid(base(1).double().log_prob(grid[:, None]).exp(), grid)
    assert mass[-1].item() == pytest.approx(1, abs=1e-6)
    seen = torch.searchsorted(draws.sort()[0], grid[1:], right=True).double() / len(draws)
    assert (seen - mass).abs().max() < 1.95 / math.sqrt(len(draws))  # a level of one in a thousand


@pytest.mark.parametrize(("base", "known"), BASES.values(), ids=BASES)
def test_samples_differ_between_rows_and_dimensions_and_stay_finite_at_both_ends(base, known, monkeypatch):
    draws = base(5).draw(40, generator(0))
    assert draws.shape == (40, 5)
    assert draws.unique().numel() == 200
    for end in (0.0, 1 - 2.0**-24):
        monkeypatch.setattr(torch, "rand", lambda shape, end=end, **kind: torch.full(shape, end))
        assert torch.isfinite(base(5).draw(2, generator(0))).all()


@pytest.mark.parametrize(("base", "known"), BASES.values(), ids=BASES)
def test_samples_come_from_the_generator_and_no_global_one_is_touched(base, known, monkeypatch):
    first = base(3).draw(4, generator(1))
    with monkeypatch.context() as without:
        for name in ("manual_seed", "randn_like", "rand_like", "set_rng_state"):
            without.setattr(torch, name, None)
        assert torch.equal(first, base(3).draw(4, generator(1)))
    assert not torch.equal(first, base(3).draw(4, generator(2)))
