import math

import pytest
import torch
from torch import nn

import genbench
from families.adversarial.terms import GameStep, Scored
from families.translation.critics import AlternatingCritic
from families.translation.one_way import OneWay
from families.translation.pan import PerceptualAdversarial
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits
from genbench.interface import frozen
from tests.families.translation.toy import PAIRS, batch, gen, integers, step


def build(spec=PAIRS, **options):
    return genbench.build("pan", spec, **{"width": 4} | options)


def scored(*values):
    """What a critic says whose hidden layers are these numbers throughout."""
    images = torch.zeros(2, 1, 8, 8)
    hidden = tuple(torch.full((2, 3, 4, 4), float(value)) for value in values)
    return Scored(images, torch.zeros(2), torch.zeros(2, 0), hidden=hidden)


def term(fake, real, side, weight=1.0, margin=3.0):
    (value,) = getattr(PerceptualAdversarial(weight, margin), side)(None, GameStep(step(), fake, real)).values()
    return value


def test_features_a_unit_apart_cost_the_generator_nine():
    assert float(term(scored(1, 1, 1, 1), scored(0, 0, 0, 0), "generator")) == 9
    assert float(term(scored(0, 2, 0, 2), scored(1, 1, 1, 1), "generator")) == 9, "differences do not cancel"
    assert float(term(scored(1, 1, 1, 1), scored(0, 0, 0, 0), "generator", weight=2.0)) == 18


@pytest.mark.parametrize(("layer", "share"), enumerate([5.0, 1.5, 1.5, 1.0]))
def test_each_layer_has_its_own_weight(layer, share):
    apart = [float(i == layer) for i in range(4)]
    assert float(term(scored(*apart), scored(0, 0, 0, 0), "generator")) == share


@pytest.mark.parametrize(
    ("layers", "shares"),
    [
        (1, [9]),
        (2, [5, 4]),
        (4, [5, 1.5, 1.5, 1]),
        (6, [5, 0, 1.5, 0, 1.5, 1]),
        (8, [5, 0, 0, 1.5, 0, 1.5, 0, 1]),
    ],
)
def test_of_eight_layers_the_paper_s_four_count_and_of_fewer_those_at_their_places(layers, shares):
    assert PerceptualAdversarial(1.0, 3.0).shares(layers) == shares


def test_the_critic_wants_the_margin_and_no_more():
    same = scored(1, 1, 1, 1)
    assert float(term(same, same, "critic")) == 3
    near = torch.full((2, 3, 4, 4), 0.2, requires_grad=True)
    far = torch.full((2, 3, 4, 4), 0.8, requires_grad=True)  # 5 · .8 = m + 1
    for value, expected in ((near, 2.0), (far, 0.0)):
        fake = Scored(
            torch.zeros(2, 1, 8, 8), torch.zeros(2), torch.zeros(2, 0), hidden=(value, *scored(0, 0, 0).hidden)
        )
        loss = term(fake, scored(0, 0, 0, 0), "critic")
        assert float(loss.detach()) == pytest.approx(expected)
        loss.backward()
        assert bool(value.grad.any()) == (expected > 0)


def test_a_critic_that_shows_no_layers_is_refused():
    with pytest.raises(ValueError, match=r"hidden=\(\): features are matched"):
        term(scored(), scored(), "generator")


def p(model, given):
    """Σ λ P of a batch, by the model's critic as it stands."""
    logs = model.generator_loss(given, step())
    return float(logs["features"].detach())


def test_losses_are_the_game_on_images_alone_and_the_term():
    model, given = build(), batch()
    assert isinstance(model, OneWay)
    with torch.no_grad():
        for part in (model.critic.logit.weight, model.critic.logit.bias):
            part.zero_()
    logs = {name: value.detach() for name, value in model.generator_loss(given, step()).items()}
    assert logs.keys() == {"loss", "features"}, "and no distance of pixels"
    assert float(logs["loss"]) == pytest.approx(math.log(2) + float(logs["features"]))
    critic = {name: value.detach() for name, value in model.critic_loss(given, step()).items()}
    assert float(critic["margin"]) == pytest.approx(max(0.0, 3 - float(logs["features"])), abs=1e-5)
    assert float(critic["loss"]) == pytest.approx(2 * math.log(2) + float(critic["margin"]))
    assert model.condition(given) is None
    assert (model.critic.layers[0][0].out_channels, model.generator.down[0][0].out_channels) == (4, 4)


def test_each_translation_is_compared_with_its_own_target():
    model, given = build().eval(), batch(2)
    other = Batch(given.images.flip(0), sources=given.sources)
    assert p(model, given) != pytest.approx(p(model, other), rel=1e-4)


def test_a_step_of_the_critic_enlarges_the_distance_and_of_the_generator_lessens_it():
    for name, sign in (("critic", 1), ("generator", -1)):
        model, given = build(margin=1e3, lr=1e-3), batch(8)
        (turn,) = [one for one in model.phases()[0].turns if one.name == name]
        nn.init.zeros_(model.critic.logit.weight)  # so that the game moves no layer: only the term does
        before = p(model, given)
        optimizer = turn.optimizer([one for module in turn.learns for one in module.parameters()])
        optimizer.zero_grad()
        turn.loss(given, step())["loss"].backward()
        optimizer.step()
        assert sign * (p(model, given) - before) > 0, name


def test_the_critic_s_turn_gives_the_generator_no_gradient():
    model = build()
    model.critic_loss(batch(), step())["loss"].backward()
    assert all(one.grad is None for one in model.generator.parameters())
    assert [turn.name for turn in model.phases()[0].turns] == ["critic", "generator"]


def test_the_generator_learns_from_the_game_without_the_term_and_from_the_term_without_the_game():
    model, given = build(weight=0.0), batch()
    with frozen(model.critic):
        model.generator_loss(given, step())["loss"].backward()
    assert all(bool(one.grad.any()) for one in model.generator.last.parameters())
    model = build()
    with torch.no_grad():
        model.critic.logit.weight.zero_()
    model.generator_loss(given, step())["loss"].backward()
    assert all(bool(one.grad.any()) for one in model.generator.last.parameters())


def test_a_doubled_weight_doubles_the_term():
    assert p(build(weight=2.0), batch()) == pytest.approx(2 * p(build(), batch()))


@pytest.mark.parametrize(("shape", "hidden"), [((1, 28, 28), 4), ((3, 13, 17), 2), ((1, 32, 32), 6), ((1, 2, 2), 1)])
def test_the_critic_keeps_sides_and_halves_them_in_turn(shape, hidden):
    critic = AlternatingCritic(*shape, 4)
    seen = critic(torch.randn(3, *shape, generator=gen()))
    assert seen.logits.shape == (3,)
    assert len(seen.hidden) == hidden
    strides = [one.stride[0] for one in critic.modules() if isinstance(one, nn.Conv2d)]
    assert strides == [1, 2, 1, 2, 1, 2][:hidden]
    assert sum(isinstance(one, nn.BatchNorm2d) for one in critic.modules()) == hidden - 1
    assert not isinstance(critic.layers[0][1], nn.BatchNorm2d)
    torch.testing.assert_close(critic.logit(seen.features)[:, 0], seen.logits)
    if hidden == 4:
        assert [tuple(one.shape[1:]) for one in seen.hidden] == [(4, 28, 28), (4, 14, 14), (8, 14, 14), (8, 7, 7)]


def test_it_has_no_noise_and_row_i_depends_on_source_i_alone():
    model, given = build().eval(), batch(5)
    assert model.latents == 0
    drawn = model.sample(5, sources=given.sources, generator=gen(1))
    assert torch.equal(drawn, model.sample(5, sources=given.sources, generator=gen(2)))
    for i in range(5):
        assert torch.equal(drawn[i : i + 1], model.sample(1, sources=given.sources[i : i + 1], generator=gen()))


def test_it_learns_to_translate_without_a_distance_of_pixels():
    source = integers(64, (1, 2, 2), 3, levels=2).repeat_interleave(4, 2).repeat_interleave(4, 3) * 255
    images = 255 - source
    model = build(width=8, lr=2e-3)
    model.fit(
        Splits(Split(images, sources=source), Split(images[:8], sources=source[:8])),
        FitConfig(Budget(steps=60), batch_size=16),
    )
    drawn = model.sample(64, sources=source, generator=gen())
    assert float((drawn.float() - images.float()).abs().mean()) < 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width=0"),
        ({"weight": -1.0}, r"weight=-1\.0: give a positive number, or 0"),
        ({"margin": -1.0}, r"margin=-1\.0: give a positive number, or 0"),
        ({"lr": 0.0}, r"lr=0\.0: give a positive number"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (DataSpec((1, 8, 8)), "source"),
        (DataSpec((1, 8, 8), source=(1, 4, 4)), r"source=\(1, 4, 4\): pan needs the image's height and width"),
        (DataSpec((1, 8, 8), source=(1, 8, 8), paired=False), "paired=False"),
    ],
)
def test_data_that_it_cannot_use_are_refused_in_one_line(spec, message):
    with pytest.raises(ValueError, match=message) as caught:
        build(spec)
    assert "\n" not in str(caught.value)
