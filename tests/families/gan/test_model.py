import copy

import pytest
import torch
from torch import nn

import genbench
from families.adversarial.losses import NON_SATURATING, Loss
from families.adversarial.penalties import R1
from families.gan.codes import Code
from families.gan.heads import Head, JointHead
from families.gan.model import GAN
from genbench import Batch, Budget, FitConfig, Split, Splits
from genbench.seed import normal
from genbench.training.turns import TurnRunner
from tests.families.gan.flat import SPEC, FlatCritic, FlatGenerator, batch, build, gen, gradients, step, tiny


@pytest.mark.parametrize("name", ["gan", "wgan-gp", "cgan"])
def test_the_critics_fakes_carry_no_gradient_to_the_generator(name):
    model = build(name).train()
    assert gradients(model, model.critic_loss(batch(), step())["loss"]) <= {"critic", "head"}
    assert "generator" in gradients(model, model.generator_loss(batch(), step())["loss"])


@pytest.mark.parametrize("name", ["gan", "wgan-gp", "cgan"])
def test_turns_learn_the_critic_with_its_head_and_the_generator_with_its_code(name):
    model = build(name)
    critic, generator = model.phases()[0].turns
    assert list(critic.learns) == [model.critic, model.head, *model.terms]
    assert list(generator.learns) == [model.generator, model.code]


def test_the_bound_covers_critic_and_head_and_nothing_else():
    class Wide(Head):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(16, 1)

        def forward(self, logit, features, given):
            return logit + self.net(features)[:, 0]

    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = GAN(
            SPEC,
            FlatGenerator(),
            FlatCritic(),
            Code(5),
            Wide(),
            loss=NON_SATURATING,
            optimizer=torch.optim.SGD,
            bound=0.05,
        )
    for parameter in model.parameters():
        parameter.data *= 5
    before = copy.deepcopy(model.state_dict())
    critic, generator = model.phases()[0].turns
    generator.after({}, step())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items()), "after the critic's alone"
    critic.after({}, step())
    for key, value in model.state_dict().items():
        inside = key.startswith(("critic", "head"))
        assert torch.equal(value, before[key].clamp(-0.05, 0.05) if inside else before[key]), key
        assert not inside or not torch.equal(value, before[key])
    assert tiny().bound is None


@pytest.mark.parametrize("which", [0, 1])
def test_the_clip_shortens_either_sides_gradient_and_does_not_turn_it(which):
    def moved(**options):
        model = tiny(optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1.0), **options)
        before = torch.cat([p.detach().flatten() for p in model.parameters()])
        TurnRunner.make(model.phases()[0].turns[which]).step(model, batch(), step(), 0)
        return torch.cat([p.detach().flatten() for p in model.parameters()]) - before

    with torch.random.fork_rng([]):
        free, clipped, loose = [torch.manual_seed(0) and moved(**o) for o in ({}, {"clip": 1e-3}, {"clip": 1e3})]
    assert float(free.norm()) > 1e-2
    torch.testing.assert_close(clipped, 1e-3 * free / free.norm(), rtol=1e-3, atol=1e-7)
    assert torch.equal(loose, free)


@pytest.mark.parametrize("name", ["gan", "wgan-gp", "ragan", "sngan", "f-gan"])
def test_the_game_is_played_in_the_precision_of_the_weights(name):
    model = build(name).double()
    for turn in (model.critic_loss, model.generator_loss):
        loss = turn(batch(), step())["loss"]
        assert loss.dtype == torch.float64
        model.zero_grad()
        loss.backward()
    assert all(p.grad.dtype == torch.float64 for p in model.generator.parameters())


def test_losses_are_those_of_the_logits_of_real_and_fake():
    model = tiny()
    given = batch()
    real = model.score(given.images.float() / 4 - 1, given)
    fake = model.score(model.generator(normal((6, 5), gen(3))), given)
    logs = model.critic_loss(given, step(3))
    torch.testing.assert_close(logs["loss"], NON_SATURATING.critic(real, fake))
    torch.testing.assert_close((logs["real"], logs["fake"]), (real.mean(), fake.mean()))
    torch.testing.assert_close(model.generator_loss(given, step(3))["loss"], NON_SATURATING.generator(real, fake))


def test_the_game_is_over_the_models_own_networks_also_in_a_copy_and_where_one_is_replaced():
    model = build("cgan")
    other = copy.deepcopy(model)
    for one in (model, other):
        assert one.game.sides == {"critic": [one.critic, one.head], "generator": [one.generator, one.code]}
    assert other.game.critic is not model.critic
    other.critic = FlatCritic()
    assert other.game.critic is other.critic
    assert not any("game" in key for key in model.state_dict())


def test_a_relativistic_generator_sees_the_real_logits():
    paired = Loss(lambda r, f: (f - r).mean(), lambda r, f: (r - f).square().mean(), relativistic=True)
    model, given = tiny(paired), batch()
    real = model.score(given.images.float() / 4 - 1, given)
    fake = model.score(model.generator(normal((6, 5), gen(3))), given)
    torch.testing.assert_close(model.generator_loss(given, step(3))["loss"], (real - fake).square().mean())


def test_a_penalty_sees_scaled_images_and_a_score_and_is_added_and_logged():
    seen = []

    def penalty(score, real, fake, generator):
        seen.append((score(real), real, fake, generator))
        return 7 * score(real).square().mean()

    model, plain = tiny(penalty=penalty), tiny()
    plain.load_state_dict(model.state_dict())
    given, at = batch(), step(3)
    logs = model.critic_loss(given, at)
    ((scores, real, fake, generator),) = seen
    torch.testing.assert_close(real, given.images.float() / 4 - 1)
    torch.testing.assert_close(fake, model.generator(normal((6, 5), gen(3))).detach())
    assert generator is at.generator
    torch.testing.assert_close(logs["penalty"], 7 * scores.square().mean())
    torch.testing.assert_close(logs["loss"], plain.critic_loss(given, step(3))["loss"] + logs["penalty"])


def test_the_generator_steps_on_every_fifth_batch():
    model, moved = tiny(critic_steps=5), []

    def note(progress):
        moved.append("generator/loss" in progress.logs)

    data = Splits(Split(**vars(batch(24))), Split(**vars(batch(6))))
    model.optimizer = lambda parameters: torch.optim.SGD(parameters, 0.1)
    model.fit(data, FitConfig(Budget(steps=11), batch_size=6), callbacks=[note])
    assert [k + 1 for k, m in enumerate(moved) if m] == [5, 10]


@pytest.mark.parametrize("name", ["gan", "wgan-gp", "cgan"])
def test_the_critics_fakes_are_normalised_by_their_own_batch(name):
    model, given, seen = build(name).train(), batch(), []
    twin = copy.deepcopy(model)
    model.critic.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].detach()))
    before = copy.deepcopy(model.generator.state_dict())
    model.critic_loss(given, step(3))
    u = normal((6, 5), gen(3))
    torch.testing.assert_close(seen[1], twin.generator.train()(twin.code(u, given)).detach())
    assert not torch.allclose(seen[1], twin.generator.eval()(twin.code(u, given)).detach())
    after = model.generator.state_dict()
    assert all(not torch.equal(before[key], after[key]) for key in after if key.endswith("running_mean"))


def test_both_networks_train_in_training_mode():
    model, modes = build("gan"), set()
    for net in (model.generator, model.critic):
        net.register_forward_hook(lambda module, inputs, output: modes.add((type(module).__name__, module.training)))
    data = Splits(Split(**vars(batch(12))), Split(**vars(batch(6))))
    model.fit(data, FitConfig(Budget(steps=3), batch_size=6))
    assert modes == {("Generator", True), ("Critic", True)}, "samples come from the average, not from these"


def test_bad_values_are_refused():
    for bound in (0, -1.0):
        with pytest.raises(ValueError, match=f"bound={bound}"):
            tiny(bound=bound)
        with pytest.raises(ValueError, match=f"clip={bound}"):
            tiny(clip=bound)
    with pytest.raises(ValueError, match="critic_steps=0"):
        tiny(critic_steps=0)
    with pytest.raises(ValueError, match="decay=2"):
        tiny(average=2.0)
    with pytest.raises(ValueError, match="latents=0"):
        build("gan") and genbench.build("gan", SPEC, latents=0)


def test_the_penalty_scores_images_under_the_condition_that_is_theirs():
    seen = []

    def penalty(score, real, fake, generator):
        seen.append((score(real), real))
        return real.new_zeros(())

    model = GAN(SPEC, FlatGenerator(), FlatCritic(), Code(5), JointHead(16, 3, 4), loss=NON_SATURATING,
                penalty=penalty, optimizer=torch.optim.SGD)  # fmt: skip
    model.critic_loss(batch(), step())
    ((scores, real),) = seen
    other = Batch(batch().images, batch().labels.flip(0))
    assert torch.equal(scores, model.score(real, batch()))
    assert not torch.allclose(scores, model.score(real, other))


def test_the_critic_sees_real_images_once_for_its_loss_and_a_penalty_of_them_alone():
    model = tiny(penalty=R1(2.0))
    seen = []
    model.critic.register_forward_hook(lambda critic, inputs, output: seen.append(len(inputs[0])))
    logs = model.critic_loss(batch(), step())
    assert seen == [len(batch())] * 2
    assert float(logs["penalty"]) > 0
