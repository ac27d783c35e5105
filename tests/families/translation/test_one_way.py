import math

import pytest
import torch
from torch import nn

from families.adversarial.losses import NON_SATURATING, weighted_generator
from families.adversarial.penalties import GradientPenalty
from families.layers.distances import l1
from families.translation.checks import enlarges, needs, pairs, translates, unpaired, wide
from families.translation.one_way import Alone, Decoy, OneWay
from families.translation.paired import Paired
from families.translation.terms import Distance
from genbench import Budget, DataSpec, Field, FitConfig, Split, Splits
from genbench.seed import normal
from tests.families.translation.toy import PAIRS, UNPAIRED, Level, Times, adam, batch, gen, integers, ones, step


def one_way(spec=UNPAIRED, kind=OneWay, generator=None, critic=None, **options):
    options = {"loss": NON_SATURATING, "optimizer": adam} | options
    return kind(spec, generator or Times(0.5), critic or Level(), **options)


def splits(spec=UNPAIRED, n=16):
    return Splits(*(Split(integers(n, seed=seed), sources=integers(n, seed=seed + 1)) for seed in (0, 2)))


def test_a_game_at_zero_is_three_times_ln_2_with_a_decoy_and_twice_without():
    """CartoonGAN's critic: E sp(-C(c)) + E sp(C(e)) + E sp(C(G(p)))."""
    assert float(one_way().critic_loss(batch(), step())["loss"]) == pytest.approx(2 * math.log(2))
    model = one_way(decoys=[Decoy("negative", 1.0, lambda images: -images)])
    assert float(model.critic_loss(batch(), step())["loss"]) == pytest.approx(3 * math.log(2))


def test_a_decoy_is_made_of_the_targets_and_called_a_fake_under_its_weight():
    seen = []

    def made(images):
        seen.append(images)
        return 0 * images + 0.25

    model, given = one_way(critic=Level(slope=2.0), decoys=[Decoy("plain", 0.1, made)]), ones()
    softplus = torch.nn.functional.softplus
    expected = softplus(torch.tensor(-2.0)) + softplus(torch.tensor(1.0)) + 0.1 * softplus(torch.tensor(0.5))
    torch.testing.assert_close(model.critic_loss(given, step())["loss"], expected)
    assert torch.equal(seen[0], torch.ones(3, 1, 8, 8))


@pytest.mark.parametrize(("to", "distance"), [("target", 1.25), ("source", 0.75)])
def test_terms_compare_the_translation_with_what_they_are_told_to(to, distance):
    given = ones()
    given.sources.fill_(0)  # x = -1, ŷ = -1/4 for y = 1
    model = one_way(generator=Times(0.25), terms=[Distance("far", 10.0, l1, to)])
    logs = model.generator_loss(given, step())
    assert float(logs["far"]) == pytest.approx(10 * distance)
    assert float(logs["loss"]) == pytest.approx(math.log(2) + float(logs["far"]))


def test_a_doubled_weight_doubles_its_term_and_a_negative_one_is_refused():
    one, two = (one_way(terms=[Distance("far", w, l1)]).generator_loss(batch(), step())["far"] for w in (3.0, 6.0))
    torch.testing.assert_close(2 * one, two)
    with pytest.raises(ValueError, match=r"far=-1: give a positive number, or 0"):
        Distance("far", -1, l1)
    with pytest.raises(ValueError, match=r"weight=-1: give a positive number, or 0"):
        Distance("far", -1, l1, option="weight")


def test_the_critic_of_pairs_is_told_the_source_and_the_other_is_not():
    critic, given = Level(told=3.0), ones()
    told, alone = (one_way(PAIRS, kind, critic=critic) for kind in (Paired, OneWay))
    assert torch.equal(told.scored(torch.zeros(3, 1, 8, 8), given).logits, torch.full((3,), 3.0))
    assert torch.equal(alone.scored(torch.zeros(3, 1, 8, 8), given).logits, torch.zeros(3))
    logs = told.critic_loss(given, step())
    assert (float(logs["real"]), float(logs["fake"])) == (3.0, 3.0)
    logs = told.generator_loss(given, step())
    assert float(logs["loss"]) == pytest.approx(math.log1p(math.exp(-3.0)))


def test_the_critic_s_turn_gives_the_generator_no_gradient_and_the_generator_s_turn_does():
    model = one_way(critic=Level(slope=1.0))
    model.critic_loss(batch(), step())["loss"].backward()
    assert model.generator.factor.grad is None
    model.generator_loss(batch(), step())["loss"].backward()
    assert float(model.generator.factor.grad) != 0


def test_once_its_history_is_full_half_of_the_fakes_are_old():
    model = one_way(critic=Level(slope=1.0), history=4)
    first, second = ones(4), ones(4)
    second.sources.fill_(0)  # fakes of -1/2 after four of 1/2
    assert float(model.critic_loss(first, step())["fake"]) == 0.5
    assert int(model.history.count) == 4
    assert float(model.critic_loss(second, step())["fake"]) == 0, "two of 1/2 and two of -1/2"
    assert sorted(model.history.images[:, 0, 0, 0].tolist()) == [-0.5, -0.5, 0.5, 0.5]
    before = model.history.images.clone()
    model.generator_loss(first, step())
    assert torch.equal(before, model.history.images), "it moves in the critic's turn alone"
    assert "history.images" in model.state_dict()


def test_the_penalty_is_added_to_the_critic_s_side():
    model = one_way(critic=Level(slope=3.0), penalty=GradientPenalty(10.0))
    logs = model.critic_loss(batch(), step())
    assert float(logs["penalty"]) == pytest.approx(10 * (3 / 8 - 1) ** 2), "a slope of 3/64 at each of 64 pixels"


def test_the_setting_says_terms_game_decoys_penalty_and_history():
    far = Distance("far", 2.5, l1)
    assert one_way(terms=[far], penalty=GradientPenalty(10.0), history=4).setting == (
        "2.5 far, gradient penalty 10, history of 4"
    )
    light = weighted_generator(NON_SATURATING, 0.5)
    model = one_way(loss=light, decoys=[Decoy("dark", 0.25, abs)], history=4)
    assert model.setting == "0.5 game, 0.25 dark, history of 4"
    assert one_way().setting == ""


def test_phases_before_the_game_move_one_side_alone():
    far = [Distance("far", 1.0, l1, "source")]
    model = one_way(critic=Level(slope=1.0), before=[Alone("refiner", 0.25, far), Alone("critic", 0.25)])
    first, second, third = model.phases()
    assert [(phase.name, phase.share) for phase in (first, second, third)] == [
        ("refiner", 0.25),
        ("critic", 0.25),
        ("adversarial", 0.5),
    ]
    assert [turn.name for turn in third.turns] == ["critic", "generator"]
    (refine,), (judge,) = first.turns, second.turns
    assert (list(refine.learns), list(judge.learns)) == ([model.generator], [model.critic])
    logs = refine.loss(ones(), step())
    assert logs.keys() == {"loss", "far"}
    assert float(logs["loss"]) == float(logs["far"]) == 0.5
    assert judge.loss(ones(), step()).keys() == {"loss", "real", "fake", "in_order"}


def test_a_phase_alone_may_have_an_optimiser_and_a_schedule_of_its_own():
    own = Alone("start", 1.0, [Distance("far", 1.0, l1)], optimizer=torch.optim.SGD, schedule=lambda fraction: 0.5)
    (phase,) = one_way(before=[own]).phases()
    assert (phase.turns[0].optimizer, phase.turns[0].schedule(0)) == (torch.optim.SGD, 0.5)
    assert one_way(before=[Alone("start", 0.0, [])]).phases()[0].name == "adversarial", "a share of 0 is left out"


def test_a_part_of_the_generator_may_learn_alone():
    network = nn.Sequential()
    network.part, network.latents = Times(0.25, latents=2), 2
    before = [Alone("start", 0.25, [Distance("far", 1.0, l1)], part=network.part)]
    first, second = one_way(generator=network, before=before, phase="whole").phases()
    assert (second.name, list(first.turns[0].learns)) == ("whole", [network.part])
    given, fake = ones(), 0.25 + normal((3, 2), gen()).mean(1)
    torch.testing.assert_close(first.turns[0].loss(given, step())["far"], (1 - fake).abs().mean())


@pytest.mark.parametrize("shares", [(0.7, 0.5), (-0.1, 0.5)])
def test_shares_that_leave_less_than_nothing_are_refused(shares):
    before = [Alone(f"p{i}", share, []) for i, share in enumerate(shares)]
    with pytest.raises(ValueError, match=rf"'p0': {shares[0]}.*give shares of the budget"):
        one_way(before=before)


def test_turns_wait_as_they_are_told():
    def schedule(fraction):
        return 1 - fraction

    model = one_way(critic_steps=5, schedule=schedule, critic_optimizer=torch.optim.SGD)
    critic, generator = model.phases()[0].turns
    assert (critic.every, generator.every) == (1, 5)
    assert (critic.optimizer, generator.optimizer) == (torch.optim.SGD, adam)
    assert critic.schedule is generator.schedule is schedule
    critic, generator = one_way(critic_every=2).phases()[0].turns
    assert (critic.every, generator.every) == (2, 1)
    with pytest.raises(ValueError, match="critic_steps=0"):
        one_way(critic_steps=0)


def test_samples_are_the_generator_s_and_u_is_as_large_as_it_says():
    model, given = one_way(generator=Times(0.5, latents=3)), batch(5)
    assert model.latents == 3
    u = torch.randn(5, 3, generator=gen(1))
    x = given.sources.float() / 127.5 - 1
    expected = ((0.5 * x + u.mean(1).view(-1, 1, 1, 1)) + 1) * 127.5
    torch.testing.assert_close(model.decode(u, given), expected)
    quiet = one_way()
    one, two = (quiet.sample(5, sources=given.sources, generator=gen(seed)) for seed in (1, 2))
    assert torch.equal(one, two)
    assert torch.equal(one, quiet.decode(torch.empty(5, 0), given).round().to(torch.uint8))


def test_it_learns_the_way_there_and_keeps_its_history():
    model = one_way(generator=Times(1.0), critic=Level(slope=0.5), history=8, terms=[Distance("far", 1.0, l1)])
    model.fit(splits(), FitConfig(Budget(steps=20), batch_size=8))
    assert abs(float(model.generator.factor)) < 0.95, "noise is best guessed by its mean"
    assert int(model.history.count) == 8


SMALL = DataSpec((3, 8, 8), source=(3, 4, 4))


@pytest.mark.parametrize(
    ("check", "spec", "message"),
    [
        (translates, DataSpec((1, 8, 8)), "source=None: x translates from a source image"),
        (translates, SMALL, r"source=\(3, 4, 4\): x needs the image's height and width, \(8, 8\)"),
        (pairs, UNPAIRED, "paired=False: x learns from pairs"),
        (pairs, SMALL, r"source=\(3, 4, 4\)"),
        (unpaired, PAIRS, "paired=True: x learns from two domains without pairs; say unpaired:"),
        (unpaired, DataSpec((1, 8, 8), paired=False), "source=None"),
        (enlarges, DataSpec((1, 8, 8)), "source=None"),
        (enlarges, UNPAIRED, "paired=False"),
        (enlarges, DataSpec((3, 9, 9), source=(3, 4, 4)), r"source=\(3, 4, 4\): x enlarges by a whole number"),
        (enlarges, DataSpec((3, 8, 8), source=(3, 4, 2)), r"source=\(3, 4, 2\)"),
        (enlarges, DataSpec((3, 8, 8), source=(3, 16, 16)), r"source=\(3, 16, 16\)"),
    ],
)
def test_data_that_a_translator_cannot_use_are_refused_in_one_line(check, spec, message):
    with pytest.raises(ValueError, match=message) as caught:
        check(spec, "x")
    assert "\n" not in str(caught.value)


def test_data_that_will_do_give_the_source_s_shape():
    assert translates(UNPAIRED, "x") == unpaired(UNPAIRED, "x") == pairs(PAIRS, "x") == (1, 8, 8)
    assert enlarges(SMALL, "x") == ((3, 4, 4), 2)
    assert enlarges(PAIRS, "x") == ((1, 8, 8), 1)
    told = DataSpec((1, 8, 8), fields={"shadow": Field((1, 8, 8), 2)})
    needs(told, "x", "shadow")
    with pytest.raises(ValueError, match=r"fields=\['shadow'\]: x needs a field 'identity'"):
        needs(told, "x", "shadow", "identity")
    wide(UNPAIRED, "x")
    with pytest.raises(ValueError, match=r"shape=\(1, 1, 8\): x needs images of 2 px or more each way"):
        wide(DataSpec((1, 1, 8)), "x")
