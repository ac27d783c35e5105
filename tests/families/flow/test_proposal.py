import math

import pytest
import torch
from torch import nn

from families.flow.normalisation import Scaling
from families.flow.preprocess import OpenLinear, OpenLogit
from families.flow.proposal import DEPTH, RATE, EndTails
from genbench import Batch, Budget, DataSpec, FitConfig, Step, build, load, save
from genbench.seed import generator
from genbench.spec import Split, Splits
from tests.families.flow.helpers import check_sum_is_one, images_of, randomised, weights_of
from tests.families.helpers import every_image

LEVELS = [2, 3, 256]


def tails(levels, *powers, depth=-50.0):
    """A proposal for six values whose powers are these at the lower and at the upper end of every one."""
    proposal = EndTails((1, 1, 6), levels)
    with torch.no_grad():
        for row, power in zip(proposal.log_powers, powers, strict=True):
            row.fill_(math.log((power - 1 / 32) / (1 - 1 / 32)) / RATE)
    nn.init.constant_(proposal.further, (depth - DEPTH) / RATE)
    return proposal


def near_the_ends(levels):
    """Values in the first and in the last bin, float64 ``(1, 1, 1, 6)``."""
    low = torch.tensor([2.0**-25, 0.3, 0.99], dtype=torch.float64)
    return torch.cat((low, levels - low)).view(1, 1, 1, 6)


@pytest.mark.parametrize("levels", LEVELS)
def test_noise_begins_all_but_uniform(levels):
    values = near_the_ends(levels)
    moved, log_density = EndTails((1, 1, 6), levels)(values)
    assert torch.allclose(moved.remainder(levels), values, rtol=0, atol=0.01)
    assert log_density.item() == pytest.approx(0, abs=6 * 0.02)


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("depth", [-50.0, -1.0, 3.0])
@pytest.mark.parametrize("powers", [(0.6, 1.7), (2.0, 0.3)])
def test_the_density_is_that_of_uniform_noise_moved(levels, depth, powers):
    proposal, values = tails(levels, *powers, depth=depth), near_the_ends(levels)
    _, log_density = proposal(values)
    jacobian = torch.autograd.functional.jacobian(lambda v: proposal(v)[0].flatten(), values).view(6, 6)
    assert torch.allclose(log_density, -torch.linalg.slogdet(jacobian)[1], atol=1e-4)


@pytest.mark.parametrize("levels", LEVELS)
def test_shallow_noise_follows_the_power_law(levels):
    proposal, values = tails(levels, 0.6, 0.3), near_the_ends(levels)
    moved, _ = proposal(values)
    assert torch.allclose(moved[..., :3], values[..., :3] ** (1 / 0.6))
    assert torch.allclose(-moved[..., 3:], (levels - values[..., 3:]) ** (1 / 0.3), rtol=1e-4, atol=0)


def test_log_distances_of_deep_noise_are_logistic():
    proposal = tails(2, 0.5, 0.5, depth=10.0)
    t = ((torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000).view(-1, 1, 1, 1).expand(-1, 1, 1, 6)
    moved, _ = proposal(t)
    log_distance = moved[:, 0, 0, 0].detach().log()
    assert log_distance.mean().item() == pytest.approx(-10 / 0.5, abs=0.05)
    assert log_distance.std().item() == pytest.approx(math.pi / math.sqrt(3) / 0.5, rel=0.01)


def test_between_the_end_bins_noise_stays_uniform():
    values = torch.tensor([1.2, 1.5, 2.5, 3.9, 1.01, 3.99], dtype=torch.float64).view(1, 1, 1, 6)
    moved, log_density = tails(5, 0.1, 0.2)(values)
    assert torch.equal(moved, values)
    assert log_density.item() == 0


@pytest.mark.parametrize("levels", LEVELS)
def test_however_small_the_power_values_stay_strictly_within_their_bins(levels):
    proposal = EndTails((1, 1, 6), levels)
    nn.init.constant_(proposal.log_powers, -30.0)
    nn.init.constant_(proposal.further, 5.0)
    moved, log_density = proposal(near_the_ends(levels))
    assert ((moved[..., :3] > 0) & (moved[..., :3] < 1)).all()
    assert ((moved[..., 3:] > -1) & (moved[..., 3:] < 0)).all()
    for preprocess in (OpenLinear(levels), OpenLogit(levels)):
        assert torch.isfinite(preprocess(moved)[0]).all()
    (gradient,) = torch.autograd.grad(moved.sum() + log_density.sum(), proposal.log_powers)
    assert torch.isfinite(log_density).all()
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("power", [1 / 32 + 1e-9, 0.2, 1.0, 100.0])
@pytest.mark.parametrize("depth", [-400.0, 36.0, 60.0, 400.0])
def test_gradients_are_finite_however_deep_the_noise_and_wherever_the_values(levels, power, depth):
    proposal = tails(levels, power, power, depth=depth)
    low = torch.tensor([2.0**-25, 1 - 2.0**-25, levels / 2], dtype=torch.float64)
    moved, log_density = proposal(torch.cat((low, levels - low)).view(1, 1, 1, 6))
    for preprocess in (OpenLinear(levels), OpenLogit(levels)):
        y, log_det = preprocess(moved)
        loss = (512 * y.double()).square().sum() - log_det.sum() + log_density.sum()  # of a narrow base
        gradients = torch.autograd.grad(loss, list(proposal.parameters()), retain_graph=True)
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


def stretched(levels, power, prior="logistic"):
    """NICE of two independent values whose density in the end bins behaves like that power of the distance, less one.

    With it come the exact probabilities of its images.
    """
    model = build("nice", DataSpec((1, 1, 2), levels), width=2, prior=prior).double().eval()
    (scaling,) = [part for part in model.modules() if isinstance(part, Scaling)]
    nn.init.constant_(scaling.log_scale, math.log(power * levels))
    edges = torch.arange(1, levels, dtype=torch.float64) / levels - 0.5  # of bins, where the line is straight
    below = torch.sigmoid(power * levels * edges) if prior == "logistic" else torch.special.ndtr(power * levels * edges)
    one = torch.cat((torch.zeros(1), below, torch.ones(1))).diff()
    return model, (one[:, None] * one[None, :]).flatten()


def fit_tails(model, batch, steps=150):
    """Learn the proposal by the loss that the whole model is trained by, and nothing else."""
    adam = torch.optim.Adam(model.dequantiser.tails.parameters(), 0.03 / RATE)
    for step in range(steps):
        adam.zero_grad()
        (-model.log_density(batch, generator(1, step)).mean()).backward()
        adam.step()


@pytest.mark.parametrize("prior", ["logistic", "gaussian"])
def test_weights_have_the_probability_as_their_mean_and_learned_tails_make_them_alike(prior):
    model, exact = stretched(3, 0.2, prior)
    batch = Batch(every_image(model.spec))
    ends = (batch.images != 1).flatten(1).all(1)

    def weights(seed):
        return model.log_weights(batch, 2000, generator(seed)).detach().exp()

    uniform = weights(0)
    fit_tails(model, batch)
    learned = weights(1)
    error = learned.std(0) / len(learned) ** 0.5
    assert ((learned.mean(0) - exact).abs() < 4 * error).all()
    assert learned.sum(1).mean().item() == pytest.approx(1, abs=3 * float(learned.sum(1).std()) / len(learned) ** 0.5)
    spread, before = ((w.std(0) / exact)[ends] for w in (learned, uniform))
    assert (spread < 0.8).all()
    assert (spread < before / 3).all()


@pytest.mark.parametrize("level", [0, 255])
def test_where_the_base_s_tail_is_a_power_law_what_is_learned_is_its_power_and_weights_are_constant(level):
    model, _ = stretched(256, 0.2)  # the end bins lie 25 scales out in a logistic's tail
    batch = Batch(torch.full((8, 1, 1, 2), level, dtype=torch.uint8))
    before = model.log_weights(batch, 100, generator(0)).detach().std()
    fit_tails(model, batch)
    assert torch.allclose(model.dequantiser.tails.powers()[int(level > 0)], torch.tensor(0.2).double(), atol=0.03)
    after = model.log_weights(batch, 100, generator(0)).detach()
    exact = 2 * math.log(torch.sigmoid(torch.tensor(51.2 * (1 / 256 - 0.5), dtype=torch.float64)))
    assert after.mean().item() == pytest.approx(exact, abs=0.01)
    assert after.std() < 0.1 < 1 < before


@pytest.mark.parametrize("recipe", ["nice", "glow"])
def test_trained_on_images_that_are_all_alike_probabilities_of_all_images_sum_to_one(recipe):
    model = build(recipe, DataSpec((1, 1, 2), 3), width=4, lr=1e-2)
    black = Split(torch.zeros(64, 1, 1, 2, dtype=torch.uint8))
    model.fit(Splits(black, black), FitConfig(Budget(steps=60), batch_size=32))
    check_sum_is_one(weights_of(model.eval(), Batch(every_image(model.spec)), 10, 200), 0.03)
    assert model.log_likelihood(Batch(black.images), draws=10, generator=generator(0)).nats.mean() > math.log(0.5)


def test_the_proposal_trains_with_the_flow_and_is_saved_with_it(tmp_path):
    model = randomised("nice", DataSpec((1, 2, 2), 3), width=4).float()
    learned = dict(model.dequantiser.tails.named_parameters())
    model.phases()[0].turns[0].loss(images_of(model.spec, 8), Step(0, 0.0, generator(0)))["loss"].backward()
    assert learned.keys() == {"log_powers", "further"}
    assert all((parameter.grad != 0).any() for parameter in learned.values())
    save(tmp_path / "model", model)
    again = load(tmp_path / "model").dequantiser.tails.state_dict()
    assert all(torch.equal(again[name], parameter) for name, parameter in learned.items())
