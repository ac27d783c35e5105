"""Decoders that read the direction of some latents alone: where the search for what made an image ends."""

import math

import pytest
import torch
from torch import nn

from genbench import Batch, DataSpec, ImplicitModel
from genbench.contract import tiny
from genbench.interface import frozen
from genbench.likelihood import laplace
from genbench.likelihood.laplace import approximate
from genbench.likelihood.observation import discretised_gaussian
from genbench.seed import normal

DOUBLE = torch.float64


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


class Directed(ImplicitModel):
    """m = 128 + W [c/‖c‖, t] of noise c ``(d,)`` beside t, narrow against what the prior leaves."""

    def __init__(self, directed, others, pixels=4, scale=30.0, told=True):
        super().__init__(DataSpec((1, 1, pixels)), directed + others)
        self.net = nn.Linear(directed + others, pixels, dtype=DOUBLE)
        with torch.no_grad():
            self.net.weight.copy_(scale * normal(self.net.weight.shape, gen(1)))
            self.net.bias.fill_(128.0)
        self.read = directed
        self.directed = directed if told else 0
        self.variance.fill_(25.0)

    def decode(self, u, given):
        own = u[:, : self.read]
        return self.net(torch.cat([own / own.norm(dim=1, keepdim=True), u[:, self.read :]], 1)).view(
            -1, *self.spec.shape
        )


def seen(model, n=6):
    with frozen(model):
        return model.simulate(Batch(torch.empty(n, 1, 1, 4)), gen(5))[0]


def test_the_search_ends_where_the_prior_s_draws_are_and_not_at_the_cone_s_tip():
    for told, where in ((True, math.sqrt(15)), (False, 0.0)):
        model = Directed(16, 2, told=told)
        with frozen(model):
            found = approximate(model, seen(model), 120, gen())
        lengths = found.mode[:, :16].norm(dim=1)
        assert float((lengths - where).abs().max()) < (0.4 if told else 1.5)


def test_its_gradient_is_that_of_what_is_raised():
    model = Directed(3, 2)
    batch, u = seen(model, 4), normal((4, 5), gen(2)).double().requires_grad_()
    (whole,) = torch.autograd.grad(laplace._joint(model, u, batch).sum(), u)
    (slope,) = torch.autograd.grad(model.observe(u, batch).sum(), u)
    torch.testing.assert_close(whole, slope - laplace._pull(u.detach(), 3))
    assert torch.equal(laplace._pull(u, 1), u), "one number has a sign and no other direction"


def test_the_answer_is_the_quadrature_over_all_directions_and_nearer_than_from_the_tip():
    off = {}
    for told in (True, False):
        model = Directed(2, 0, told=told)
        batch = seen(model)
        angles = torch.linspace(0, 2 * math.pi, 20_001, dtype=DOUBLE)[:-1]
        mean = model.decode(torch.stack([angles.cos(), angles.sin()], 1), batch).detach()[:, None]
        logs = discretised_gaussian(batch.images, mean, 5.0, 256).flatten(2).sum(2)
        exact = torch.logsumexp(logs, 0) - math.log(len(angles))
        answer = model.log_likelihood(batch, draws=20, effort="fast", generator=gen(1))
        off[told] = float((answer.nats - exact).abs().mean())
    assert off[True] < 0.2
    assert off[False] > 2 * off[True]


@pytest.mark.parametrize("name", ["pggan", "stylegan"])
def test_generators_that_normalise_their_codes_say_so(name):
    model = tiny.built(name, {"width": 4}).eval()
    u = model.draw_noise(3, gen())
    given = Batch(torch.empty(3, *model.spec.shape))
    assert 1 < model.directed <= model.latents
    longer = torch.cat([3 * u[:, : model.directed], u[:, model.directed :]], 1)
    torch.testing.assert_close(model.decode(u, given), model.decode(longer, given), rtol=1e-4, atol=1e-2)
