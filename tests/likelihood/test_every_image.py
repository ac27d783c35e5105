"""Of every image of a tiny shape: the mean of weights is its probability, by quadrature, and all of them sum to 1."""

import math

import pytest
import torch
from torch import nn

from genbench import Batch, DataSpec, ImplicitModel
from genbench.interface import frozen
from genbench.likelihood import bidirectional
from genbench.likelihood.effort import Effort

REPEATS = 80
WORK = Effort(24, 4, chains=1, search=30, backward=24)
EVERY = torch.cartesian_prod(torch.arange(4), torch.arange(4)).to(torch.uint8).view(16, 1, 1, 2)


class Arc(ImplicitModel):
    """m = (3/2 + tanh u, 1 + u/2 + k): two pixels of four levels, k a hidden category."""

    def __init__(self, categories):
        super().__init__(DataSpec((1, 1, 2), levels=4), 1, categories=categories)
        self.scale = nn.Parameter(torch.ones((), dtype=torch.float64))
        self.variance.fill_(0.3)

    def decode(self, u, given):
        k = given.fields["category"][:, None] if self.categories > 1 else 0
        return self.scale * torch.cat([1.5 + u.tanh(), 1 + u / 2 + k], 1).view(-1, 1, 1, 2)

    def exact(self):
        """P of every image, by a sum over a grid of u."""
        grid = torch.linspace(-8, 8, 4_001, dtype=torch.float64)[:, None]
        prior = torch.exp(-grid[:, 0].square() / 2) * 16 / 4_000 / math.sqrt(2 * math.pi)
        found = []
        for image in EVERY:
            given = Batch(image.expand(len(grid), -1, -1, -1))
            told = [self.under(given, torch.full((len(grid),), k)) for k in range(self.categories)]
            with torch.no_grad():
                found.append(sum((self.observe(grid, one).exp() * prior).sum() for one in told) / self.categories)
        return torch.stack(found)


@pytest.mark.parametrize("categories", [1, 2])
def test_the_mean_weight_is_the_probability_within_three_standard_errors(categories):
    model = Arc(categories)
    exact, batch, source = model.exact(), Batch(EVERY.repeat(REPEATS, 1, 1, 1)), torch.Generator().manual_seed(6)
    assert float(exact.sum()) == pytest.approx(1, abs=1e-6)
    with frozen(model):
        paths = bidirectional.pilot(model, batch, WORK, source)
        chains = bidirectional.below(model, batch, paths, draws=1, effort=WORK, generator=source)
    weights = chains.log_weights[0].exp().view(REPEATS, 16)
    errors = weights.std(0) / math.sqrt(REPEATS)
    assert float(((weights.mean(0) - exact) / errors).abs().max()) < 3
    assert float(weights.mean(0).sum()) == pytest.approx(1, abs=3 * float(errors.square().sum().sqrt()))
    assert float((errors / exact).mean()) < 0.15, "and near enough for that to say something"
