import math

import pytest
import torch
from sklearn.mixture import GaussianMixture as Fitted

from families.autoencoder.distributions import Gaussian, GaussianMixture, Joint, OneHot
from families.autoencoder.priors import Mixture
from genbench import Batch
from genbench.seed import fork_rng, generator


def mixture(rows):
    with fork_rng(0):
        factors = torch.randn(3, 2, 2, dtype=torch.float64).tril()
        factors.diagonal(dim1=1, dim2=2).abs_().add_(0.3)
        weights = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
        return GaussianMixture(weights.log(), torch.randn(3, 2, dtype=torch.float64), factors, rows)


def distributions(rows):
    with fork_rng(1):
        gaussian = Gaussian(torch.randn(1, 2).expand(rows, -1).double(), torch.randn(1, 2).expand(rows, -1).double())
        classes = OneHot(torch.randn(1, 4).double().log_softmax(1).expand(rows, -1))
    return {"gaussian": gaussian, "mixture": mixture(rows), "joint": Joint((classes, gaussian)), "one-hot": classes}


@pytest.mark.parametrize("name", ["gaussian", "mixture", "joint", "one-hot"])
def test_draws_have_the_mean_and_the_spread_that_the_distribution_says(name):
    n = 40_000
    its = distributions(n)[name]
    codes = its.draw(generator(0))
    assert codes.shape == its.mean.shape == its.spread.shape
    assert torch.allclose(codes.mean(0), its.mean[0], atol=0.03)
    movable = its.spread[0] > 0
    assert torch.allclose(codes.std(0)[movable], its.spread[0][movable], rtol=0.02)
    assert torch.equal(codes, distributions(n)[name].draw(generator(0)))
    assert distributions(3)[name].draw(generator(0), (5,)).shape == (5, 3, its.mean.shape[1])


@pytest.mark.parametrize("name", ["gaussian", "mixture"])
def test_densities_integrate_to_one(name):
    line = torch.linspace(-12, 12, 601, dtype=torch.float64)
    codes = torch.cartesian_prod(line, line)
    its = distributions(len(codes))[name]
    assert (its.log_prob(codes).logsumexp(0) + 2 * math.log(0.04)).exp().item() == pytest.approx(1, abs=1e-6)


def test_the_mixture_s_density_is_that_of_independent_code():
    its, codes = mixture(50), 2 * torch.randn(7, 50, 2, generator=generator(3), dtype=torch.float64)
    parts = torch.distributions.MultivariateNormal(its.means, scale_tril=its.factors)
    truth = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(logits=its.log_weights), parts)
    assert torch.allclose(its.log_prob(codes), truth.log_prob(codes))


def test_a_joint_density_is_the_product_of_its_parts():
    its = distributions(6)["joint"]
    codes = its.draw(generator(2), (3,))
    classes, gaussian = its.parts
    assert ((codes[..., :4] == 1).sum(-1) == 1).all()
    chosen = codes[..., :4].argmax(-1)
    expected = classes.log_odds[0][chosen] + gaussian.log_prob(codes[..., 4:])
    assert torch.allclose(its.log_prob(codes), expected)


@pytest.mark.parametrize("scales", [(1.0, 1.0, 1.0), (1e-3, 30.0, 1.0)])
def test_the_fitted_mixture_is_scikit_learn_s(scales):
    source = generator(5)
    codes = torch.randn(400, 3, generator=source) * torch.tensor(scales) + torch.arange(400)[:, None] % 3
    prior = Mixture(3, 4).double()
    prior.fit(codes.double(), generator(7))
    values = codes.double()
    centre, scale = values.mean(0), values.std(0, correction=0)
    seed = int(torch.randint(2**62, (), generator=generator(7))) % 2**32
    fitted = Fitted(4, reg_covar=1e-3, random_state=seed).fit(((values - centre) / scale).numpy())
    new = values[:50] + 0.1
    expected = torch.from_numpy(fitted.score_samples(((new - centre) / scale).numpy())) - scale.log().sum()
    blank = Batch(torch.zeros(50, 1, 1, 1))
    assert torch.allclose(prior(blank).log_prob(new), expected, atol=1e-8)


def test_the_mixture_begins_as_a_standard_normal():
    codes = torch.randn(9, 3, generator=generator(0))
    given = Batch(torch.zeros(9, 1, 1, 1))
    standard = Gaussian(torch.zeros(9, 3), torch.zeros(9, 3))
    assert torch.allclose(Mixture(3, 5)(given).log_prob(codes), standard.log_prob(codes), atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 30])
def test_few_codes_and_dead_latents_leave_a_density(count):
    codes = torch.randn(count, 3, generator=generator(0))
    codes[:, 1] = 0.7  # says nothing
    prior = Mixture(3, 5)
    prior.fit(codes, generator(1))
    its = prior(Batch(torch.zeros(count, 1, 1, 1)))
    assert torch.isfinite(its.log_prob(codes)).all()
    drawn = prior(Batch(torch.zeros(200, 1, 1, 1))).draw(generator(2))
    assert torch.isfinite(drawn).all()
    assert (drawn[:, 1] - 0.7).abs().max() < 0.06 * codes.std(0, correction=0).max() + 1e-5
