"""Chains from both sides against quadrature, in float64, on decoders of one and two latents and of two categories."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from genbench import Batch, DataSpec, ImplicitModel
from genbench.interface import frozen
from genbench.likelihood import bidirectional, laplace
from genbench.likelihood.effort import Effort
from genbench.likelihood.observation import discretised_gaussian, draw
from genbench.weights import log_mean_exp

DOUBLE = torch.float64


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


class Bent(ImplicitModel):
    """m = 8 + 3 W u + u²/4 + 2k, in levels; k a hidden category."""

    def __init__(self, latents, categories=1, classes=0):
        given = ("label",) if classes else ()
        super().__init__(DataSpec((1, 2, 2), levels=17, classes=classes), latents, given, categories)
        self.net = nn.Linear(latents, 4, dtype=DOUBLE)
        with torch.no_grad():
            self.net.weight.copy_(3 * torch.randn(4, latents, generator=gen(1), dtype=DOUBLE))
            self.net.bias.fill_(8.0)
        self.variance.fill_(2.0)
        self.most = 0

    def decode(self, u, given):
        self.most = max(self.most, len(u))
        mean = self.net(u) + u.square().sum(1, keepdim=True) / 4
        if self.categories > 1:
            mean = mean + 2 * given.fields["category"][:, None]
        if self.given:
            mean = mean + given.labels[:, None]
        return mean.view(-1, 1, 2, 2)

    def exact(self, images):
        """log P of each image by the sum over a grid, the mean over categories."""
        side = torch.linspace(-7, 7, 1_001 if self.latents == 1 else 161, dtype=DOUBLE)
        grid = torch.cartesian_prod(*[side] * self.latents).view(-1, self.latents)
        cell = self.latents * math.log(float(side[1] - side[0]))
        prior = -grid.square().sum(1) / 2 - self.latents * math.log(2 * math.pi) / 2
        found = []
        for category in range(self.categories):
            given = Batch(images[:1], fields={"category": torch.full((1,), category)})
            with torch.no_grad():
                mean = self.decode(grid, given)
            logs = [discretised_gaussian(x, mean, math.sqrt(2.0), 17).flatten(1).sum(1) for x in images]
            found.append(torch.stack([(one + prior).logsumexp(0) + cell for one in logs]))
        return log_mean_exp(torch.stack(found), 0)


def given(n):
    return Batch(torch.zeros(n, 1, 2, 2, dtype=torch.uint8))


def truth(model, n):
    """Of the images that the model makes in :func:`sides`: nats, ``(n,)``."""
    return model.exact(model.simulate(given(n), gen())[0].images)


def effort(temperatures, leapfrog, search=60):
    return Effort(temperatures, leapfrog, search=search, backward=temperatures)


def sides(model, n, effort, draws=1):
    """Lower and upper bounds of images that the model makes: nats, ``(n,)`` each."""
    with frozen(model):
        lower, upper = bidirectional.bidirectional(model, given(n), draws=draws, effort=effort, generator=gen())
    return log_mean_exp(lower.log_weights, 0), -log_mean_exp(upper.log_weights, 0)


@pytest.mark.parametrize(("latents", "categories"), [(1, 1), (2, 1), (1, 2)])
def test_both_sides_hold_the_quadrature_between_them_and_close_round_it(latents, categories):
    model, gaps = Bent(latents, categories), []
    exact = truth(model, 80)
    for temperatures in (8, 32, 128):
        lower, upper = sides(model, 80, effort(temperatures, 4))
        for short in (
            exact - lower,
            upper - exact,
        ):  # on average; from an approximation that is nearly exact, by little
            assert float(short.mean()) > -3 * float(short.std()) / math.sqrt(len(short))
        for ratio in ((lower - exact).exp(), (exact - upper).exp()):  # E[w] = P(x) forward, 1 / P(x) backward
            error = float(ratio.std()) / math.sqrt(len(ratio))
            assert float(ratio.mean()) == pytest.approx(1, abs=4 * error)
        gaps.append(float((upper - lower).mean()))
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.3 * gaps[0] + 0.3 * (categories > 1)  # backward chains keep their category


def test_more_chains_narrow_the_gap():
    model = Bent(2)
    one, many = (sides(model, 60, effort(4, 3), draws) for draws in (1, 8))
    assert float((many[1] - many[0]).mean()) < 0.8 * float((one[1] - one[0]).mean())
    below, above = truth(model, 60) - many[0], many[1] - truth(model, 60)
    assert min(float(off.mean()) + 3 * float(off.std()) / math.sqrt(60) for off in (below, above)) > 0


def test_a_simulated_image_is_the_decoders_with_noise_rounded_and_held_in_range():
    model = Bent(1)
    batch, u = model.simulate(given(4_000), gen())
    assert (batch.images.dtype, batch.images.shape) == (torch.uint8, (4_000, 1, 2, 2))
    assert int(batch.images.max()) == 16, "some would lie beyond"
    off = batch.images - model.decode(u, batch).detach()
    inside = (batch.images > 2) & (batch.images < 14)
    assert float(off[inside].square().mean()) == pytest.approx(2 + 1 / 12, rel=0.1), "σ² and that of rounding"


def test_simulated_integers_are_as_frequent_as_their_probabilities():
    mean, sigma = torch.tensor([0.4, 3.2, 6.9], dtype=DOUBLE), 1.3
    drawn = draw(mean.expand(60_000, 3), sigma, 8, gen())
    for column, centre in zip(drawn.T, mean, strict=True):
        wanted = discretised_gaussian(torch.arange(8), centre.expand(8), sigma, 8).exp()
        torch.testing.assert_close(torch.bincount(column, minlength=8) / 60_000, wanted.float(), rtol=0, atol=0.008)


def test_conditions_are_kept_and_the_images_given_are_not_looked_at():
    model = Bent(1, classes=5)
    model.variance.fill_(0.01)
    labels = torch.tensor([0, 4, 2])
    one, other = (
        model.simulate(Batch(torch.full((3, 1, 2, 2), fill, dtype=torch.uint8), labels), gen())[0] for fill in (0, 9)
    )
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.labels, labels)
    bare, _ = Bent(1).simulate(given(3), gen())
    assert not torch.equal(one.images, bare.images)


def test_backward_chains_start_where_the_image_was_made_under_its_category(monkeypatch):
    model, seen = Bent(2, categories=3), []
    real = bidirectional.ais

    def watched(log_likelihood, start, **options):
        if options.get("backward"):
            seen.append((start, options["steps"].logs, log_likelihood(start), options["temperatures"]))
        return real(log_likelihood, start, **options)

    monkeypatch.setattr(bidirectional, "ais", watched)
    with frozen(model):
        batch, u = model.simulate(given(4), gen(3))
        found = bidirectional.pilot(model, batch, effort(8, 2), gen(2))
        assert found.approximated == 12
        steps = bidirectional.Steps(torch.arange(24, dtype=DOUBLE)[None] / 12 - 2)
        paths = replace(found, steps=steps)
        bidirectional.above(model, batch, u, paths, draws=2, effort=Effort(3, 2, backward=7), generator=gen(1))
    ((start, logs, values, temperatures),) = seen
    assert temperatures == 7, "they have farther to go"
    assert torch.equal(start, u.repeat_interleave(2, 0))
    owner = 12 + 3 * torch.arange(4) + batch.fields["category"]  # the prior's paths, behind the approximations'
    assert torch.equal(logs, steps.logs[:, owner.repeat_interleave(2)])
    torch.testing.assert_close(values, model.observe(u, batch).repeat_interleave(2))


def test_chains_that_do_not_fit_memory_run_one_after_the_other_and_each_has_its_own_image(monkeypatch):
    model, work = Bent(1, categories=2), effort(12, 3)
    monkeypatch.setattr(bidirectional, "AT_ONCE", 7)  # chains
    monkeypatch.setattr(laplace, "AT_ONCE", 3)
    with frozen(model):
        batch, _ = model.simulate(given(5), gen())
        model.most = 0
        paths = bidirectional.pilot(model, batch, work, gen(1))
        found = bidirectional.below(model, batch, paths, draws=40, effort=work, generator=gen(2))
    assert model.most == laplace.STARTS * 3, "the most rows at once are those of the search"
    assert paths.approximated == 10
    assert paths.steps.logs.shape == (2, 20)
    assert found.log_weights.shape == (40, 5)
    torch.testing.assert_close(log_mean_exp(found.log_weights, 0), model.exact(batch.images), rtol=0, atol=1)
    assert (found.acceptance.shape, found.step_size.shape) == ((5,), (5,))


class Folded(Bent):
    """m = 8 + 3 W |u|: two modes, of which an approximation is round one."""

    def decode(self, u, given):
        return super().decode(u.abs(), given)


def test_an_approximation_of_one_of_two_modes_is_made_good_by_the_prior_s_chains():
    model = Folded(1)
    batch, work = model.simulate(given(200), gen())[0], effort(16, 4)
    exact = model.exact(batch.images)
    with frozen(model):
        paths = bidirectional.pilot(model, batch, work, gen(1))
        found = bidirectional.below(model, batch, paths, draws=8, effort=work, generator=gen(2))
    ratio = (log_mean_exp(found.log_weights, 0) - exact).exp()
    error = float(ratio.std()) / math.sqrt(len(ratio))
    # Half of P(x) lies where chains from the approximation do not come to; of the mean of both ways that is a quarter.
    assert 0.75 - 3 * error < float(ratio.mean()) < 1 + 3 * error
    assert error < 0.05


def test_each_weight_is_the_mean_of_one_from_the_approximation_and_one_from_the_prior(monkeypatch):
    model = Bent(1, categories=2)
    logs = torch.arange(2 * 2 * 3 * 2, dtype=DOUBLE)  # ways, images, draws, values

    def fake(log_likelihood, start, **options):
        assert len(start) == len(logs)
        return bidirectional.Annealed(logs, start, torch.ones(len(logs)), torch.full((len(logs),), 0.5), True)

    with frozen(model):
        batch, _ = model.simulate(given(2), gen())
        paths = bidirectional.pilot(model, batch, effort(8, 2), gen(1))
        monkeypatch.setattr(bidirectional, "ais", fake)
        found = bidirectional.below(model, batch, paths, draws=3, effort=effort(8, 2), generator=gen(2))
    torch.testing.assert_close(found.log_weights, logs.view(2, 2, 3, 2).exp().mean((0, 3)).log().T)
    torch.testing.assert_close(found.step_size, torch.full((2,), 0.5, dtype=DOUBLE))
