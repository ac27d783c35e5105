import copy
import math

import pytest
import torch
from torch import nn

from families.adversarial.game import Game, merged
from families.adversarial.losses import (
    HINGE,
    LEAST_SQUARES,
    LEAST_SQUARES_WHOLE,
    NON_SATURATING,
    RELATIVISTIC,
    WASSERSTEIN,
    Loss,
)
from families.adversarial.penalties import R1, GradientPenalty
from families.adversarial.terms import Scored, Term
from genbench import Step


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def step(seed=0):
    return Step(0, 0.0, gen(seed))


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=gen(seed), dtype=torch.float64)


class Line(nn.Module):
    """A linear score, shifted by what it is given, with features where it shows them."""

    def __init__(self, shows=False):
        super().__init__()
        self.weight = nn.Parameter(randn(3, seed=9))
        self.shows = shows

    def forward(self, images, given=None):
        logits = images @ self.weight + (0 if given is None else given)
        return (logits, 2 * images) if self.shows else logits


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(3.0, dtype=torch.float64))

    def forward(self, logit, features, given):
        return self.gain * logit + features.sum(1) * given


def game(critic=None, head=None, loss=NON_SATURATING, **options):
    return Game(nn.Linear(2, 3).double(), critic or Line(), None, head, loss=loss, **options)


def scored(*logits):
    values = torch.tensor(logits, dtype=torch.float64)
    return Scored(values[:, None], values, values.new_empty(len(logits), 0))


def test_a_critic_is_handed_its_condition_and_shows_no_features_unless_it_has_some():
    images, given = randn(4, 3), randn(4, seed=1)
    critic = Line()
    alone, told = game(critic).scored(images), game(critic).scored(images, given)
    assert torch.equal(alone.logits, images @ critic.weight)
    assert torch.equal(told.logits, images @ critic.weight + given)
    assert alone.features.shape == (4, 0)
    assert (alone.given, told.given is given, told.images is images) == (None, True, True)
    assert torch.equal(game(Line(shows=True)).scored(images).features, 2 * images)


def test_a_head_takes_the_condition_in_the_critics_place():
    images, given, critic, head = randn(4, 3), randn(4, seed=1), Line(shows=True), Head()
    score = game(critic, head).scored(images, given)
    torch.testing.assert_close(score.logits, 3 * (images @ critic.weight) + 2 * images.sum(1) * given)
    assert torch.equal(score.features, 2 * images)


def test_what_a_critic_shows_beside_its_score_is_kept():
    """StarGAN's critic tells domains beside its score, pix2pixHD's shows its layers."""

    class Telling(nn.Module):
        def forward(self, images):
            return Scored(images, images[:, 0], images, hidden=(images, 2 * images), classes=images[:, :2])

    images = randn(4, 3)
    score = game(Telling()).scored(images)
    assert torch.equal(score.classes, images[:, :2])
    assert torch.equal(score.hidden[1], 2 * images)
    assert torch.equal(score.logits, images[:, 0])
    headed = game(Telling(), Head()).scored(images, randn(4))
    assert not torch.equal(headed.logits, images[:, 0])
    assert torch.equal(headed.classes, images[:, :2])


def test_a_joint_critic_of_image_and_code_is_a_critic_with_a_condition_and_both_sides_may_carry_gradient():
    """BiGAN's game: pairs (x, E(x)) and (G(z), z), whose coders minimise the loss with its targets exchanged."""

    class Joint(nn.Module):
        def forward(self, x, z):
            return (x * z).sum(1)

    exchanged = Loss(NON_SATURATING.critic, lambda real, fake: NON_SATURATING.critic(fake, real), relativistic=True)
    coders, x, z = nn.Linear(3, 3).double(), randn(5, 3), randn(5, 3, seed=1)
    whole = Game(coders, Joint(), loss=exchanged)
    real, fake = whole.scored(x, coders(x)), whole.scored(coders(z), z)
    logs = whole.generator_loss(fake, step(), real=real)
    softplus = nn.functional.softplus
    torch.testing.assert_close(logs["loss"], softplus(real.logits).mean() + softplus(-fake.logits).mean())
    (both,) = torch.autograd.grad(logs["loss"], coders.weight, retain_graph=True)
    (half,) = torch.autograd.grad(softplus(-fake.logits).mean(), coders.weight)
    assert not torch.allclose(both, half), "the encoder learns from the real images' side"


@pytest.mark.parametrize("loss", [NON_SATURATING, WASSERSTEIN, HINGE, LEAST_SQUARES, LEAST_SQUARES_WHOLE, RELATIVISTIC])
def test_both_sides_are_those_of_the_loss(loss):
    real, fake = scored(0.5, -1.0, 2.0), scored(0.1, -3.0, 2.5)
    whole = game(loss=loss)
    logs = whole.critic_loss(real, fake, step())
    assert logs["loss"] == loss.critic(real.logits, fake.logits)
    assert (logs["real"], logs["fake"]) == (real.logits.mean(), fake.logits.mean())
    assert float(logs["in_order"]) == pytest.approx(2 / 3)
    assert list(logs) == ["loss", "real", "fake", "in_order"]
    logs = whole.generator_loss(fake, step(), real=real if loss.relativistic else None)
    assert logs == {"loss": loss.generator(real.logits, fake.logits)}


def test_batches_of_two_sizes_have_no_order():
    logs = game().critic_loss(scored(1.0, 2.0), scored(1.0), step())
    assert list(logs) == ["loss", "real", "fake"]


def test_decoys_are_fakes_of_their_own_weight():
    """StackGAN's critic: E s(-C(x, φ)) + ½ [E s(C(x, wrong)) + E s(C(y, φ))]; a decoy alone is CartoonGAN's."""
    real, fake, wrong = scored(0.0, 1.0), scored(-1.0, 3.0), scored(2.0)
    softplus = nn.functional.softplus
    logs = game().critic_loss(real, fake, step(), weight=0.5, decoys=[(0.5, wrong)])
    expected = softplus(-real.logits).mean() + (softplus(wrong.logits).mean() + softplus(fake.logits).mean()) / 2
    torch.testing.assert_close(logs["loss"], expected)
    nothing = scored(0.0, 0.0)
    logs = game().critic_loss(nothing, nothing, step(), decoys=[(1.0, nothing)])
    assert float(logs["loss"]) == pytest.approx(3 * math.log(2))
    assert float(logs["fake"]) == 0


@pytest.mark.parametrize("options", [{"weight": 0.5}, {"decoys": [(1.0, scored(0.0))]}])
def test_a_loss_of_differences_has_no_decoys(options):
    with pytest.raises(ValueError, match="loss: its critic's side cannot be taken apart"):
        game(loss=RELATIVISTIC).critic_loss(scored(1.0), scored(0.0), step(), **options)


def test_two_games_share_a_network_as_coupled_critics_do():
    trunk, stems = Line(), [nn.Linear(3, 3, bias=False).double() for _ in range(2)]
    first, second = (game(nn.Sequential(stem, trunk)) for stem in stems)
    images = randn(4, 3)
    loss = second.critic_loss(second.scored(images), second.scored(-images), step())["loss"]
    loss.backward()
    assert stems[0].weight.grad is None
    assert bool(stems[1].weight.grad.any())
    assert bool(trunk.weight.grad.any())
    assert not torch.equal(first.scored(images).logits, second.scored(images).logits)


def test_the_penalty_is_of_the_images_under_the_real_ones_condition_and_not_of_the_condition():
    critic = Line()
    real, fake, given = randn(4, 3), randn(4, 3, seed=1), randn(4, seed=2).requires_grad_()
    whole = game(critic, penalty=GradientPenalty(10.0))
    logs = whole.critic_loss(whole.scored(real, given), whole.scored(fake, given), step())
    torch.testing.assert_close(logs["penalty"], 10 * (critic.weight.norm() - 1).square())
    (slope,) = torch.autograd.grad(logs["penalty"], given, allow_unused=True)
    assert slope is None


def test_a_penalty_of_real_images_takes_the_pass_that_scored_them():
    """R1 by one pass over real images is R1 by a pass of its own: in value and in what the critic hears."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(3, 5), nn.Softplus(), nn.Linear(5, 1), nn.Flatten(0)).double()
    seen, found = [], []
    critic.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    whole = game(critic, penalty=R1(10.0))
    for scored in (whole.scored_real, whole.scored):
        critic.zero_grad()
        seen.clear()
        logs = whole.critic_loss(scored(randn(4, 3)), whole.scored(randn(4, 3, seed=1)), step())
        logs["loss"].backward()
        found.append((sum(seen), logs["penalty"], [weight.grad.clone() for weight in critic.parameters()]))
    (once, value, heard), (twice, expected, wanted) = found
    assert (once, twice) == (8, 12)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(heard, wanted)
    assert bool(expected > 0)


class Counting(Term):
    def __init__(self):
        super().__init__()
        self.seen, self.acted = [], []

    def critic(self, game, step):
        self.seen.append(step)
        return {"extra": torch.tensor(2.0), "penalty": torch.tensor(1.0)}

    def generator(self, game, step):
        self.seen.append(step)
        return {"extra": torch.tensor(5.0)}

    def logs(self, game, turn, step):
        return {f"note of {turn}": torch.tensor(7.0)}

    def after(self, game, turn, logs):
        self.acted.append((turn, logs))


def test_terms_see_the_step_and_are_added_and_their_logs_are_not():
    term, real, fake, u = Counting(), scored(1.0, 0.0), scored(0.5, 2.0), torch.zeros(2, 4)
    whole = game(terms=[term], penalty=lambda score, real, fake, generator: torch.tensor(3.0))
    source, target = torch.zeros(2, 1), torch.ones(2, 1)
    logs = whole.critic_loss(real, fake, step(), u=u, source=source, target=target)
    assert float(logs["loss"]) == pytest.approx(float(NON_SATURATING.critic(real.logits, fake.logits)) + 6)
    assert (float(logs["penalty"]), float(logs["note of critic"])) == (4, 7)
    logs = whole.generator_loss(fake, step(), u=u, source=source, target=target)
    assert float(logs["loss"]) == pytest.approx(float(NON_SATURATING.generator(real.logits, fake.logits)) + 5)
    first, second = term.seen
    assert (first.real, first.fake, second.real, second.fake) == (real, fake, None, fake)
    assert all((seen.u is u, seen.source is source, seen.target is target) == (True, True, True) for seen in term.seen)
    whole.after("generator", {"loss": torch.tensor(0.0)})
    assert [turn for turn, _ in term.acted] == ["generator"]


def test_the_generators_side_refuses_to_go_without_what_it_needs():
    term = Counting()
    term.needs_real = True
    for whole in (game(loss=RELATIVISTIC), game(terms=[term])):
        assert whole.needs_real
        with pytest.raises(ValueError, match="real=None"):
            whole.generator_loss(scored(1.0), step())
    assert not game().needs_real


def test_the_bound_covers_critic_and_head_behind_the_critics_step_alone():
    critic, head = Line(shows=True), Head()
    whole = game(critic, head, bound=0.25)
    before = copy.deepcopy(whole.generator.state_dict())
    whole.after("generator", {})
    assert float(head.gain.detach()) == 3
    whole.after("critic", {})
    assert float(head.gain.detach()) == 0.25
    assert float(critic.weight.detach().abs().max()) <= 0.25
    assert all(torch.equal(before[key], value) for key, value in whole.generator.state_dict().items())


def test_the_sides_are_named_by_their_turns():
    term = Counting()
    term.weight = nn.Parameter(torch.zeros(1))
    whole = Game(nn.Identity(), Line(), nn.Identity(), Head(), loss=HINGE, terms=[Counting(), term])
    assert whole.sides == {"critic": [whole.critic, whole.head], "generator": [whole.generator, whole.code]}
    assert list(whole.critic_learns) == [whole.critic, whole.head, term], "a term without weights learns nothing"
    assert [len(modules) for modules in game().sides.values()] == [1, 1]


def test_values_of_one_name_are_added():
    one, two = torch.tensor(1.0), torch.tensor(2.0)
    assert merged([{"a": one}, {"b": two}, {"a": two}]) == {"a": 3, "b": 2}


def test_halved_least_squares_have_decoys_of_half_a_square():
    real, fake, wrong = scored(0.0, 3.0), scored(-1.0, 2.0), scored(4.0)
    logs = game(loss=LEAST_SQUARES).critic_loss(real, fake, step(), weight=0.5, decoys=[(0.25, wrong)])
    assert float(logs["loss"]) == pytest.approx((1 + 4) / 4 + 0.5 * (1 + 4) / 4 + 0.25 * 16 / 2)


def test_penalty_and_terms_do_not_see_decoys():
    asked = []

    def penalty(score, real, fake, generator):
        asked.append((real, fake))
        return torch.tensor(3.0)

    term, real, fake, wrong = Counting(), scored(1.0, 0.0), scored(0.5, 2.0), scored(9.0, 8.0)
    whole = game(terms=[term], penalty=penalty)
    alone = whole.critic_loss(real, fake, step())
    beside = whole.critic_loss(real, fake, step(), decoys=[(0.5, wrong)])
    assert [(seen.real, seen.fake) for seen in term.seen] == [(real, fake)] * 2
    assert all(left is real.images and right is fake.images for left, right in asked)
    assert len(asked) == 2
    assert {name: float(value) for name, value in alone.items() if name != "loss"} == {
        name: float(value) for name, value in beside.items() if name != "loss"
    }
    assert float(beside["loss"] - alone["loss"]) == pytest.approx(
        0.5 * float(nn.functional.softplus(wrong.logits).mean())
    )
