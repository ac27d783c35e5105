import math

import pytest
import torch
from torch import nn

from families.adversarial.f_divergences import DIVERGENCES
from families.adversarial.losses import MINIMAX, NON_SATURATING

# 1606.00709, tables 1 and 2, each as the paper writes it: generator f, output activation g_f, conjugate f*.
LN2 = math.log(2)
PAPER = {
    "kl": (lambda u: u * u.log(), lambda v: v, lambda t: (t - 1).exp()),
    "reverse-kl": (lambda u: -u.log(), lambda v: -(-v).exp(), lambda t: -1 - (-t).log()),
    "pearson": (lambda u: (u - 1) ** 2, lambda v: v, lambda t: t**2 / 4 + t),
    "squared-hellinger": (lambda u: (u.sqrt() - 1) ** 2, lambda v: 1 - (-v).exp(), lambda t: t / (1 - t)),
    "jensen-shannon": (
        lambda u: -(u + 1) * ((1 + u) / 2).log() + u * u.log(),
        lambda v: LN2 - (1 + (-v).exp()).log(),
        lambda t: -(2 - t.exp()).log(),
    ),
    "gan": (
        lambda u: u * u.log() - (u + 1) * (u + 1).log(),
        lambda v: -(1 + (-v).exp()).log(),
        lambda t: -(1 - t.exp()).log(),
    ),
}
NAMES = list(PAPER)


def gaussian(x, mean, deviation):
    return (-(((x - mean) / deviation) ** 2) / 2).exp() / (deviation * math.sqrt(2 * math.pi))


# Data N(0, 1), model N(0.6, 1.4²): wider than the data, so that every divergence is finite.
MEAN, DEVIATION = 0.6, 1.4
GRID = torch.linspace(-11, 11, 601, dtype=torch.float64)
STEP = float(GRID[1] - GRID[0])
P, Q = gaussian(GRID, 0.0, 1.0), gaussian(GRID, MEAN, DEVIATION)


def definition(name):
    """``∫ q f(p/q)`` by quadrature."""
    return float((Q * PAPER[name][0](P / Q)).sum()) * STEP


def test_every_divergence_of_the_table_is_there():
    assert list(DIVERGENCES) == NAMES


def test_the_quadrature_agrees_with_the_closed_forms_for_gaussians():
    ratio, gap = math.log(DEVIATION), MEAN**2
    assert definition("kl") == pytest.approx(ratio + (1 + gap) / (2 * DEVIATION**2) - 1 / 2)
    assert definition("reverse-kl") == pytest.approx(-ratio + (DEVIATION**2 + gap) / 2 - 1 / 2)
    spread = 1 + DEVIATION**2
    overlap = math.sqrt(2 * DEVIATION / spread) * math.exp(-gap / (4 * spread))
    assert definition("squared-hellinger") == pytest.approx(2 - 2 * overlap)
    assert definition("gan") == pytest.approx(definition("jensen-shannon") - 2 * LN2)


@pytest.mark.parametrize("name", NAMES)
def test_activation_and_conjugate_are_the_papers(name):
    _, activation, conjugate = PAPER[name]
    v = torch.linspace(-8, 8, 201, dtype=torch.float64)
    torch.testing.assert_close(DIVERGENCES[name].activation(v), activation(v))
    torch.testing.assert_close(DIVERGENCES[name].conjugate(v), conjugate(activation(v)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_conjugate_is_the_supremum_of_ut_minus_f(name):
    f, activation, _ = PAPER[name]
    u = torch.logspace(-6, 4, 20_001, dtype=torch.float64)
    for v in torch.linspace(-1.5, 2.5, 9, dtype=torch.float64):
        supremum = float((u * activation(v) - f(u)).max())
        assert float(DIVERGENCES[name].conjugate(v)) == pytest.approx(supremum, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_activation_rises_and_its_slope_is_that_of_a_bound(name):
    v = torch.linspace(-1.9, 6, 80, dtype=torch.float64, requires_grad=True)
    (rise,) = torch.autograd.grad(DIVERGENCES[name].activation(v).sum(), v)
    (cost,) = torch.autograd.grad(DIVERGENCES[name].conjugate(v).sum(), v)
    assert (rise > 0).all()
    assert (cost > 0).all()
    ratio = cost / rise  # at the best critic this is q's price of a unit of p's gain: it must reach any density ratio
    assert (ratio.diff() > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients_of_both_sides_by_hand(name):
    ln3 = math.log(3)
    real, fake = (torch.tensor([x, 0.0], dtype=torch.float64, requires_grad=True) for x in (ln3, -ln3))
    t = {  # g_f at ln 3 and 0; f*(g_f) at -ln 3 and 0; their slopes there
        "kl": ([ln3, 0], [1, 1], [1 / 3 / math.e, 1 / math.e], [1 / 3 / math.e, 1 / math.e]),
        "reverse-kl": ([-1 / 3, -1], [1 / 3, 1], [-ln3 - 1, -1], [1, 1]),
        "pearson": ([ln3, 0], [1, 1], [ln3**2 / 4 - ln3, 0], [1 - ln3 / 2, 1]),
        "squared-hellinger": ([2 / 3, 0], [1 / 3, 1], [-2 / 3, 0], [1 / 3, 1]),
        "jensen-shannon": ([math.log(3 / 2), 0], [1 / 4, 1 / 2], [math.log(2 / 3), 0], [1 / 4, 1 / 2]),
        "gan": ([math.log(3 / 4), -LN2], [1 / 4, 1 / 2], [math.log(4 / 3), LN2], [1 / 4, 1 / 2]),
    }
    gain, slope, cost, price = t[name]
    divergence = DIVERGENCES[name]
    for saturating in (False, True):
        loss = divergence.loss(saturating)
        value = loss.critic(real, fake)
        assert float(value.detach()) == pytest.approx(sum(cost) / 2 - sum(gain) / 2)
        to_real, to_fake = torch.autograd.grad(value, [real, fake])
        assert to_real.tolist() == pytest.approx([-s / 2 for s in slope])
        assert to_fake.tolist() == pytest.approx([p / 2 for p in price])
        torch.testing.assert_close(divergence.bound(real, fake), -value)
        assert not loss.relativistic
    (to_fake,) = torch.autograd.grad(divergence.loss(saturating=True).generator(real, fake), fake)
    assert to_fake.tolist() == pytest.approx([-p / 2 for p in price])  # lowers the bound itself
    value = divergence.loss(saturating=False).generator(real, real)
    assert float(value.detach()) == pytest.approx(-sum(gain) / 2)
    (to_fake,) = torch.autograd.grad(value, real)
    assert to_fake.tolist() == pytest.approx([-s / 2 for s in slope])


def bound(name, v):
    """``E g_f(V)`` under the data less ``E f*(g_f(V))`` under the model, by quadrature."""
    divergence = DIVERGENCES[name]
    return (P * divergence.activation(v) - Q * divergence.conjugate(v)).sum() * STEP


@pytest.mark.parametrize("name", NAMES)
def test_the_best_critic_recovers_the_divergence_of_two_known_gaussians(name):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1)).double()
    optimizer = torch.optim.LBFGS(network.parameters(), max_iter=80, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = -bound(name, network(GRID[:, None])[:, 0])
        loss.backward()
        return loss

    start = -float(optimizer.step(closure).detach())
    found = -float(closure().detach())
    assert found == pytest.approx(definition(name), rel=0.05)
    assert start < definition(name) - 0.05, "a critic that has not learnt does not"


@pytest.mark.parametrize("name", NAMES)
def test_no_critic_exceeds_the_divergence(name):
    wanted, source = definition(name), torch.Generator().manual_seed(0)
    reached = []
    for k in range(300):
        size, slope, bend, shift, bias = torch.randn(5, dtype=torch.float64, generator=source)
        v = 2 * size * torch.tanh(slope * GRID + bend * GRID**2 / 4 + shift) + bias if k else 0 * GRID
        reached.append(float(bound(name, v)))
    assert max(reached) <= wanted + 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_the_divergence_of_a_model_that_is_right_is_the_paper_constant(name):
    one = torch.ones((), dtype=torch.float64)
    assert float(PAPER[name][0](one)) == pytest.approx(-2 * LN2 if name == "gan" else 0.0)
    v = torch.linspace(-1.9, 3, 4901, dtype=torch.float64)
    best = max(float(DIVERGENCES[name].bound(x, x)) for x in v)
    assert best == pytest.approx(float(PAPER[name][0](one)), abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_large_logits_stay_finite(name):
    v = torch.tensor([-60.0, 60.0])
    assert torch.isfinite(DIVERGENCES[name].conjugate(v)).all()
    assert torch.isfinite(DIVERGENCES[name].activation(v)).all()


@pytest.mark.parametrize("name", ["jensen-shannon", "gan"])
@pytest.mark.parametrize(("saturating", "same"), [(False, NON_SATURATING), (True, MINIMAX)])
def test_jensen_shannon_and_the_gans_own_are_the_first_game_but_for_a_constant(name, saturating, same):
    loss = DIVERGENCES[name].loss(saturating)
    logits = [torch.linspace(-4, 4, 9, dtype=torch.float64).add(shift).requires_grad_() for shift in (0.3, -0.2)]
    for ours, theirs, by in ((loss.critic, same.critic, logits), (loss.generator, same.generator, logits[1:])):
        slopes = [torch.autograd.grad(side(*logits), by) for side in (ours, theirs)]
        for one, other in zip(*slopes, strict=True):
            torch.testing.assert_close(one, other)
