import pytest
import torch
from torch import nn

from families.adversarial.losses import Loss
from families.adversarial.penalties import R1
from families.adversarial.terms import Term
from genbench import Budget, FitConfig, Split, Splits
from genbench.seed import normal
from tests.families.gan.flat import batch, gen, gradients, step, tiny


class Weighty(Term):
    """Weights of its own, a part for either side, and a count of what it was told."""

    needs_real = True

    def __init__(self, name="weighty"):
        super().__init__()
        self.name, self.net = name, nn.Linear(16, 1)
        self.register_buffer("turns", torch.zeros(2))

    def critic(self, game, step):
        return {self.name: self.net(step.real.features).mean() + 2 * step.fake.logits.mean()}

    def generator(self, game, step):
        return {self.name: 3 * (step.real.features - step.fake.features).square().mean()}

    def logs(self, game, turn, step):
        return {f"seen by {turn}": step.fake.images.mean()}

    def after(self, game, turn, logs):
        self.turns[["critic", "generator"].index(turn)] += self.name in logs


def test_terms_are_added_to_their_side_and_logged_and_their_weights_learn_with_the_critic():
    term = Weighty()
    model, plain, given = tiny(terms=[term]), tiny(), batch()
    plain.load_state_dict(model.state_dict(), strict=False)
    real, fake = (given.images.float() / 4 - 1), model.generator(normal((6, 5), gen(3)))
    assert list(model.phases()[0].turns[0].learns) == [model.critic, model.head, term]

    logs, without = model.critic_loss(given, step(3)), plain.critic_loss(given, step(3))
    part = term.net(real.flatten(1)).mean() + 2 * model.score(fake, given).mean()
    torch.testing.assert_close(logs["weighty"], part)
    torch.testing.assert_close(logs["loss"], without["loss"] + part)
    torch.testing.assert_close(logs["seen by critic"], fake.mean())
    assert gradients(model, logs["loss"]) == {"critic", "terms"}

    logs, without = model.generator_loss(given, step(3)), plain.generator_loss(given, step(3))
    part = 3 * (real - fake).square().mean()
    torch.testing.assert_close(logs["weighty"], part)
    torch.testing.assert_close(logs["loss"], without["loss"] + part)
    assert "generator" in gradients(model, logs["loss"])


def test_what_is_no_term_is_refused_and_not_dropped_from_the_game():
    with pytest.raises(
        ValueError, match="terms: Linear is no Term: give modules of a class derived from Term"
    ) as caught:
        tiny(terms=[Weighty(), nn.Linear(2, 1)])
    assert "\n" not in str(caught.value)


def test_terms_hear_the_logs_behind_each_step_and_keep_what_they_count():
    model = tiny(terms=[Weighty()], critic_steps=2, optimizer=lambda p: torch.optim.SGD(p, 0.01))
    data = Splits(Split(**vars(batch(24))), Split(**vars(batch(6))))
    model.fit(data, FitConfig(Budget(steps=6), batch_size=6))
    assert model.terms[0].turns.tolist() == [6, 3]
    assert "terms.0.turns" in model.state_dict()


def test_no_term_is_lost_where_two_have_one_name():
    one, two = Weighty(), Weighty("penalty")
    model, plain = tiny(terms=[one, Weighty(), two], penalty=lambda *_: torch.tensor(5.0)), tiny(terms=[one])
    model.load_state_dict(plain.state_dict(), strict=False)
    given = batch()
    logs, single = model.critic_loss(given, step(3)), plain.critic_loss(given, step(3))
    shared = logs["weighty"] - single["weighty"]
    torch.testing.assert_close(logs["loss"], single["loss"] + shared + logs["penalty"])
    features = given.images.float() / 4 - 1
    fake = plain.score(plain.generator(normal((6, 5), gen(3))), given).mean()
    torch.testing.assert_close(logs["penalty"], 5 + two.net(features.flatten(1)).mean() + 2 * fake)


def test_the_real_images_are_scored_in_the_generators_turn_only_where_something_needs_them():
    for options, passes in (
        ({}, 1),
        ({"terms": [Weighty()]}, 2),
        ({"loss": Loss(*[lambda r, f: f.sum()] * 2, True)}, 2),
    ):
        model, seen = tiny(**options), []
        model.critic.register_forward_hook(lambda *_, seen=seen: seen.append(1))
        model.generator_loss(batch(), step())
        assert len(seen) == passes


def test_the_critic_sees_nothing_that_has_not_been_augmented_in_either_turn():
    shown, seen, handed = [], [], []

    def augment(images, generator):
        shown.append(images)
        return images * 0.5 + torch.rand(len(images), 1, 1, 1, generator=generator)

    def penalty(score, real, fake, generator):
        handed.extend([real, fake])
        return score(real).mean() * 0

    relativistic = Loss(lambda r, f: f.mean() - r.mean(), lambda r, f: r.mean() - f.mean(), relativistic=True)
    model, given = tiny(relativistic, augment=augment, penalty=penalty), batch()
    model.critic.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    for turn in (model.critic_loss, model.generator_loss):
        shown.clear()
        seen.clear()
        loss = turn(given, step(3))["loss"]
        fake, real = shown
        assert torch.equal(real, given.images.float() / 4 - 1)
        source = gen(3)
        fakes = model.generator(normal((6, 5), source))
        torch.testing.assert_close(fake, fakes)
        changed = [x * 0.5 + torch.rand(6, 1, 1, 1, generator=source) for x in (fakes, real)]
        for image in seen:
            assert any(torch.equal(image, c) for c in changed)
    assert torch.equal(handed[0], changed[1])
    assert torch.equal(handed[1], changed[0])
    assert gradients(model, loss) >= {"generator"}, "the augmentation lets the generator learn"


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, "critic: no norm, 1 step; SGD 0.001"),
        (
            {"critic_steps": 3, "bound": 0.5, "clip": 2.0},
            "critic: no norm, 3 steps; SGD 0.001; weights ±0.5; gradients ≤ 2",
        ),
        (
            {"critic_optimizer": lambda p: torch.optim.Adam(p, 4e-4, (0.0, 0.9)), "penalty": R1(2.0)},
            "critic: no norm, 1 step; generator's SGD 0.001; critic's Adam 0.0004, β 0 0.9; R1 penalty 2",
        ),
    ],
)
def test_the_setting_is_read_off_the_parts(options, wanted):
    assert tiny(**options).setting == f"{wanted}; generator: no tanh, no average"


def test_the_setting_names_every_normalisation_of_the_critic():
    model = tiny()
    model.critic.more = nn.ModuleList([nn.LayerNorm(3), nn.BatchNorm2d(2), nn.InstanceNorm2d(2), nn.BatchNorm1d(2)])
    assert model.setting.startswith("critic: batch norm and instance norm and layer norm, 1 step")
