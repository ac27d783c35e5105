import math

import pytest
import torch
from torch import nn

import genbench
from families.adversarial.losses import NON_SATURATING
from families.adversarial.terms import GameStep, Scored, Term
from families.gan.infogan import LEAST_VARIANCE, InfoGAN, Information
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits, Step
from tests.families.gan.tiny import moved_by

SPEC = DataSpec((1, 4, 4), levels=9, classes=3)


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def build(spec=SPEC, **options):
    return genbench.build("infogan", spec, **{"width": 4, "latents": 5, "hidden": 6} | options)


def batch(n=6, spec=SPEC):
    return Batch(torch.randint(0, spec.levels, (n, *spec.shape), generator=gen(), dtype=torch.uint8))


def step(seed=0):
    return Step(0, 0.0, gen(seed))


def randn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=gen(seed))


def told(category, features, u):
    given = Batch(torch.zeros(len(features), 0), fields={"category": category})
    return GameStep(step(), Scored(features, features[:, 0], features, given), u=u)


def test_information_is_the_weighted_surprise_of_q_less_the_entropy_of_the_codes():
    term = Information(4, 3, 2, weight=0.7, continuous_weight=0.3, hidden=6).double()
    features, u, category = randn(5, 4), randn(5, 3, seed=1), torch.tensor([0, 2, 1, 1, 0])
    linear, norm, _ = term.first
    before = features @ linear.weight.T
    hidden = (before - before.mean(0)) / (before.var(0, unbiased=False) + norm.eps).sqrt()
    read = torch.where(hidden > 0, hidden, 0.2 * hidden) @ term.last.weight.T + term.last.bias
    logits, mean, raw = read[:, :3], read[:, 3:5], read[:, 5:]
    odds = logits.exp() / logits.exp().sum(1, keepdim=True)
    category_bound = odds[torch.arange(5), category].log().mean() + math.log(3)
    codes, variance = 2 * torch.distributions.Normal(0, 1).cdf(u[:, 1:]) - 1, (1 + raw.exp()).log() + LEAST_VARIANCE
    density = torch.exp(-(codes - mean).square() / (2 * variance)) / (2 * math.pi * variance).sqrt()
    continuous_bound = density.log().sum(1).mean() + 2 * math.log(2)
    for act in (term.critic, term.generator):
        logs = act(None, told(category, features, u))
        torch.testing.assert_close(logs["category"], -0.7 * category_bound)
        torch.testing.assert_close(logs["continuous"], -0.3 * continuous_bound)


def test_the_bound_of_the_category_runs_from_nothing_known_to_its_entropy():
    term = Information(4, 4, 0, weight=1.0, continuous_weight=1.0, hidden=4).double()
    term.first = nn.Identity()
    category = torch.tensor([0, 1, 2, 3])
    seen = told(category, torch.eye(4, dtype=torch.float64), randn(4, 2))
    with torch.no_grad():
        term.last.weight.zero_()
        term.last.bias.zero_()
    assert list(term.critic(None, seen)) == ["category"]
    assert float(term.critic(None, seen)["category"].detach()) == pytest.approx(0.0)
    with torch.no_grad():
        term.last.weight.copy_(40 * torch.eye(4))
    assert float(term.critic(None, seen)["category"].detach()) == pytest.approx(-math.log(4))


def test_a_number_that_is_read_exactly_is_worth_no_more_than_its_least_variance_allows():
    term = Information(1, 2, 1, weight=1.0, continuous_weight=1.0, hidden=1).double()
    term.first = nn.Identity()
    u = randn(6, 1)
    with torch.no_grad():
        term.last.weight.copy_(torch.tensor([[0.0], [0.0], [1.0], [0.0]]))
        term.last.bias.copy_(torch.tensor([0.0, 0.0, 0.0, -900.0]))
    features = 2 * torch.distributions.Normal(0, 1).cdf(u) - 1
    least = math.log(2 * math.pi * LEAST_VARIANCE) / 2 - math.log(2)
    value = term.critic(None, told(torch.zeros(6, dtype=torch.int64), features, u))["continuous"]
    assert float(value.detach()) == pytest.approx(least)


class Spy(Term):
    def __init__(self):
        super().__init__()
        self.steps = []

    def critic(self, game, step):
        self.steps.append(step)
        return {}

    generator = critic


def spied(**options):
    model = build(**options).double()
    model.terms.append(Spy())
    codes = []
    model.generator.register_forward_pre_hook(lambda module, inputs: codes.append(inputs[0]))
    return model, model.terms[1].steps, codes


@pytest.mark.parametrize("turn", ["critic_loss", "generator_loss"])
def test_q_is_asked_for_the_codes_that_the_fakes_were_made_of(turn):
    model, steps, codes = spied()
    getattr(model, turn)(batch(12), step())
    (seen,), (code,) = steps, codes
    category = seen.fake.given.fields["category"]
    assert torch.equal(code[:, 5:8].argmax(1), category)
    assert len(category.unique()) == 3
    torch.testing.assert_close(code[:, 8:], 2 * torch.special.ndtr(seen.u[:, 5:]) - 1)
    torch.testing.assert_close(code[:, :5], seen.u[:, :5])


def test_both_sides_add_the_bounds_to_the_non_saturating_game():
    model, steps, _ = spied(weight=0.5)
    logs = model.critic_loss(batch(), step())
    added = logs["category"] + logs["continuous"]
    torch.testing.assert_close(logs["loss"], NON_SATURATING.critic(steps[0].real.logits, steps[0].fake.logits) + added)
    logs = model.generator_loss(batch(), step())
    fake = steps[1].fake.logits
    torch.testing.assert_close(
        logs["loss"], NON_SATURATING.generator(fake[:0], fake) + logs["category"] + logs["continuous"]
    )


def test_q_and_its_trunk_learn_in_the_critics_turn_and_the_generator_alone_in_its_own():
    model = build(average=0.0)
    assert moved_by(model, 0, batch()) == {"critic", "terms"}
    assert moved_by(model, 1, batch()) == {"generator"}
    model = build().double()
    logs = model.critic_loss(batch(), step())
    (logs["category"] + logs["continuous"]).backward()
    trunk = {name for name, parameter in model.critic.named_parameters() if parameter.grad is not None}
    assert trunk == {name for name, _ in model.critic.named_parameters() if not name.startswith("logit")}
    assert all(parameter.grad is None for parameter in model.generator.parameters())


@pytest.mark.parametrize("name", ["category", "continuous"])
def test_the_informations_gradient_reaches_the_generator_through_its_code(name):
    model = build().double()
    weight = model.generator.project.weight
    (slope,) = torch.autograd.grad(model.generator_loss(batch(), step())[name], weight)
    assert bool(slope[:, 5:].any(0).all()), "every column that reads the codes"
    way, size = randn(*weight.shape, seed=3), 1e-5
    way[:, :5] = 0  # along the columns that read category and numbers
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            weight += sign * size * way
            ends.append(float(model.generator_loss(batch(), step())[name]))
            weight -= sign * size * way
    assert (ends[0] - ends[1]) / (2 * size) == pytest.approx(float((slope * way).sum()), rel=1e-4)


MODES = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
MODES[0, :, :, :2], MODES[1, :, :, 2:] = 8, 8


def separation(informed, seed):
    """Between the two categories' samples, the difference in the share that is nearer to the first of two modes."""
    spec, images = DataSpec((1, 4, 4), levels=9), MODES.repeat(32, 1, 1, 1)
    model = build(spec, seed=seed, categories=2, continuous=0, width=8, lr=5e-3, critic_lr=1e-3, average=0.9)
    if not informed:
        model.terms = nn.ModuleList()
    model.fit(Splits(Split(images), Split(images[:8])), FitConfig(Budget(steps=100), batch_size=32, seed=seed))
    u, category = torch.randn(200, 5, generator=gen(9)), torch.arange(200) % 2
    drawn = model.eval().decode(u, model.under(Batch(torch.zeros(200, 0)), category))
    first = (drawn[..., :2].mean((1, 2, 3)) > drawn[..., 2:].mean((1, 2, 3))).double()
    return float((first[::2].mean() - first[1::2].mean()).abs())


def test_the_category_separates_two_modes_and_without_the_information_it_does_not():
    assert separation(True, 0) > 0.9
    assert separation(False, 0) < 0.3


class Plain(InfoGAN):
    """Shows the noise's mean, the category and the two numbers in its first four pixels, each in levels from 0 to 8."""

    def decode(self, u, given):
        images = torch.zeros(len(u), 16, dtype=u.dtype)
        images[:, 0] = 4 + u[:, :5].mean(1)
        images[:, 1] = given.fields["category"]
        images[:, 2:4] = 4 + 4 * self.code(u, given)[:, -2:]
        return images.view(-1, 1, 4, 4)


def test_a_traversal_moves_the_category_then_each_number_and_nothing_else():
    model = build(categories=5)
    model.__class__ = Plain
    images = model.traverse(8, 3, generator=gen())
    assert (images.shape, images.dtype) == ((4, 3, 1, 4, 4), torch.uint8)
    noise, category, first, second = images.flatten(2)[:, :, :4].unbind(2)
    assert len(noise.unique()) == 1
    assert category[:2].tolist() == [[0, 1, 2], [3, 4, 0]]
    assert len(category[2:].unique()) == 1
    assert first[2].tolist() == second[3].tolist() == [0, 4, 8]
    assert len(first[[0, 1, 3]].unique()) == len(second[:3].unique()) == 1
    assert torch.equal(images[:3], model.traverse(3, 3, generator=gen()))


def test_a_traversal_is_of_the_generator_alone_and_refuses_no_rows():
    model = build(DataSpec((1, 4, 4), classes=3)).train()
    images = model.traverse(4, 5, generator=gen(1))
    assert images.shape == (3, 5, 1, 4, 4)
    assert model.training
    torch.manual_seed(3)
    assert torch.equal(images, model.traverse(4, 5, generator=gen(1)))
    assert not torch.equal(images, model.traverse(4, 5, generator=gen(2)))
    for rows, steps, message in ((0, 5, "rows=0"), (3, 0, "steps=0")):
        with pytest.raises(ValueError, match=message):
            model.traverse(rows, steps, generator=gen())


def test_the_papers_learning_rates_are_the_recipes():
    critic, generator = build().phases()[0].turns
    rates = [turn.optimizer([nn.Parameter(torch.zeros(1))]).defaults["lr"] for turn in (critic, generator)]
    assert rates == [2e-4, 1e-3]


def test_categories_are_the_datas_classes_or_ten_and_an_option():
    assert build().categories == 3
    assert build(DataSpec((1, 4, 4))).categories == 10
    assert build(categories=4).categories == 4
    assert build().given == ()


def test_a_likelihood_is_the_mean_over_the_categories():
    model, seen = build(categories=3), []
    model.code.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[1].fields["category"]))
    model.average.copies["code"].register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[1].fields["category"])
    )
    answer = model.log_likelihood(batch(2), draws=2, effort="fast/2", generator=gen())
    ways = seen[-1].view(2, 2, 6)  # from the approximations and from the prior, image, draw × category
    assert (ways.sort(2).values == torch.tensor([0, 0, 1, 1, 2, 2])).all()
    assert torch.isfinite(answer.nats).all()


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 8, 8), (1, 28, 28), (3, 32, 32)])
def test_it_trains_in_float64_on_any_shape(shape):
    model = build(DataSpec(shape, 9, 3)).double()
    for loss in (model.critic_loss, model.generator_loss):
        value = loss(batch(4, model.spec), step())["loss"]
        assert value.dtype == torch.float64
        assert torch.isfinite(value)


@pytest.mark.parametrize(
    "options", [{"weight": 0.0}, {"continuous_weight": -1.0}, {"categories": 1}, {"continuous": -1}, {"hidden": 0}]
)
def test_options_out_of_range_are_refused(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"^{name}={value}"):
        build(**options)
