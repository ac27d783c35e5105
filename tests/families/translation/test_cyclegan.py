import pytest
import torch

import genbench
from families.adversarial.losses import LEAST_SQUARES_WHOLE, slow_critic
from families.adversarial.patch import PatchCritic
from families.adversarial.penalties import GradientPenalty
from families.layers.distances import l1
from families.layers.training import half_then_linear
from families.translation.cyclic import Cyclic
from families.translation.terms import Distance
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits
from genbench.plots.gallery import COLUMNS, reconstructions
from tests.families.translation.toy import UNPAIRED, Level, Times, adam, batch, gen, integers, ones, step

GREY_TO_COLOUR = DataSpec((3, 8, 8), 256, source=(1, 8, 8), paired=False)


def cyclic(there=0.5, back=1.0, critics=(0.5, 0.5), **options):
    options = {"cycle": 10.0, "loss": slow_critic(LEAST_SQUARES_WHOLE), "distance": l1, "optimizer": adam} | options
    networks = [one if isinstance(one, Times) else Times(one) for one in (there, back)]
    judges = [one if isinstance(one, Level) else Level(one) for one in critics]
    return Cyclic(UNPAIRED, *networks, *judges, **options)


def test_the_losses_are_those_worked_out_by_hand():
    """G(x) = x/2, F = id, x = y = 1, C = ½: ½ + 10·(½ + ½) + 5·½, and each critic ½·(¼ + ¼)."""
    model = cyclic(identity=0.5)
    logs = model.generator_loss(ones(), step())
    assert float(logs["loss"]) == pytest.approx(0.5 + 10 + 2.5)
    assert [float(logs[name]) for name in ("cycle", "back_cycle", "identity", "back_identity")] == [5, 5, 2.5, 0]
    assert float(model.critic_loss(ones(), step())["loss"]) == pytest.approx(0.25 + 0.25)


def test_each_critic_judges_translations_into_its_own_domain():
    given = ones()
    given.sources.fill_(0)  # x = -1, y = 1
    model = cyclic(there=0.5, back=0.25, critics=(Level(slope=1.0), Level(slope=1.0)))
    logs = model.critic_loss(given, step())
    said = {name: float(logs[name]) for name in ("real", "fake", "back_real", "back_fake")}
    assert said == {"real": 1, "fake": -0.5, "back_real": -1, "back_fake": 0.25}
    logs = model.generator_loss(given, step())
    cycles = 10 * 2 * abs(1 - 0.125)
    assert float(logs["loss"]) == pytest.approx((-0.5 - 1) ** 2 + (0.25 - 1) ** 2 + cycles)


def test_the_way_back_teaches_both_translators_and_the_identity_each_its_own():
    model = cyclic(critics=(0.0, 0.0))
    model.generator_loss(batch(), step())["cycle"].backward()
    assert float(model.generator.factor.grad) != 0
    assert float(model.back.factor.grad) != 0
    model = cyclic(identity=0.5, cycle=1.0)
    model.generator_loss(batch(), step())["identity"].backward()
    assert float(model.generator.factor.grad) != 0
    assert model.back.factor.grad is None


@pytest.mark.parametrize("pool", [0, 3])
def test_the_critics_turn_gives_the_translators_no_gradient(pool):
    model = cyclic(critics=(Level(slope=1.0), Level(slope=1.0)), pool=pool)
    model.critic_loss(batch(), step())["loss"].backward()
    assert (model.generator.factor.grad, model.back.factor.grad) == (None, None)
    assert float(model.critic.slope.grad) != 0


def test_a_pool_of_two_gives_back_what_it_held_half_of_the_time_once_it_is_full():
    model, noise = cyclic(there=1.0, critics=(Level(slope=1.0), Level()), pool=2), gen()
    given, old = ones(2), []
    model.critic_loss(given, step())
    assert [int(pool.count) for pool in model.pools] == [2, 2]
    for k in range(300):
        given.sources.fill_(k % 256)
        held = {round(float(one[0, 0, 0]), 4) for one in model.pools[0].images}
        seen = []
        model.critic.forward = lambda images, seen=seen: seen.append(images[:, 0, 0, 0]) or images[:, 0, 0, 0]
        model.critic_loss(given, genbench.Step(k, 0.0, noise))
        shown = seen[1].tolist()
        fresh = k % 256 * 2 / 255 - 1
        for value in shown:
            old.append(value != pytest.approx(fresh, abs=1e-4))
            assert not old[-1] or round(value, 4) in held
    assert 0.4 < sum(old) / len(old) < 0.55, "one of two may be the batch's own first image, just stored"


def test_pools_move_in_the_critics_turn_by_the_step_s_generator_alone():
    one, two = (cyclic(there=1.0, pool=3) for _ in range(2))
    for model in (one, two):
        for k in range(4):
            torch.manual_seed(k if model is one else 9)
            model.critic_loss(batch(4, seed=k), step(k))
    assert torch.equal(one.pools[0].images, two.pools[0].images)
    assert one.pools[0].images.any()
    before = one.pools[0].images.clone()
    one.generator_loss(batch(4), step(1))
    assert torch.equal(before, one.pools[0].images)
    assert {"pools.0.images", "pools.1.count"} <= one.state_dict().keys()


def test_every_pass_has_noise_of_its_own():
    model = cyclic(there=Times(1.0, latents=2), back=Times(1.0, latents=3), cycle=1.0)
    assert model.latents == 2
    noise = gen(4)
    there, back = (torch.randn(3, size, generator=noise).mean(1) for size in (2, 3))
    logs = model.generator_loss(ones(), step(4))
    torch.testing.assert_close(logs["cycle"].detach(), (there + back).abs().mean())
    assert not torch.equal(model.translate(ones(), step(1)), model.translate(ones(), step(2)))


def test_terms_penalties_and_bounds_are_both_games_own():
    far = Distance("far", 2.0, l1, "source")
    model = cyclic(there=0.5, back=0.25, terms=[far], penalty=GradientPenalty(10.0), bound=0.1)
    logs = model.generator_loss(ones(), step())
    assert (float(logs["far"]), float(logs["back_far"])) == (1.0, 1.5)
    logs = model.critic_loss(ones(), step())
    assert (float(logs["penalty"]), float(logs["back_penalty"])) == (10, 10)
    (turn,) = [turn for turn in model.phases()[0].turns if turn.name == "critics"]
    turn.after({}, step())
    assert float(model.critic.bias) == float(model.back_critic.bias) == pytest.approx(0.1)


def test_a_model_may_weigh_its_games_and_the_cycle_by_where_training_stands():
    class Switched(Cyclic):
        def weights(self, step):
            return 1 - step.fraction, step.fraction

    model = Switched(
        UNPAIRED, Times(0.5), Times(1.0), Level(0.5), Level(0.5), cycle=1.0, distance=l1, optimizer=adam,
        loss=LEAST_SQUARES_WHOLE,
    )  # fmt: skip
    for fraction in (0.0, 0.25):
        expected = (1 - fraction) * 0.5 + fraction * (0.5 + 0.5)
        assert float(model.generator_loss(ones(), step(fraction=fraction))["loss"]) == pytest.approx(expected)


def test_turns_learn_both_networks_of_a_side_in_the_order_asked_for():
    model = cyclic(schedule=half_then_linear)
    generators, critics = model.phases()[0].turns
    assert (generators.name, critics.name) == ("generators", "critics")
    assert list(generators.learns) == [model.generator, model.back]
    assert list(critics.learns) == [model.critic, model.back_critic]
    assert generators.schedule is critics.schedule is half_then_linear
    model = cyclic(critics_first=True, critic_steps=2, critic_every=3)
    assert [(turn.name, turn.every) for turn in model.phases()[0].turns] == [("critics", 3), ("generators", 2)]


def test_a_reconstruction_goes_back_and_there_again():
    given = batch(3)
    y = given.images.float() / 127.5 - 1
    expected = ((0.125 * y + 1) * 127.5).round().to(torch.uint8)
    model = cyclic(there=0.5, back=0.25)
    assert torch.equal(model.reconstruct(given), expected)
    assert torch.equal(model.between(given), ((0.25 * y + 1) * 127.5).round().to(torch.uint8))


def test_its_picture_shows_the_other_domain_between_an_image_and_the_way_back():
    model, given = cyclic(there=0.5, back=0.25), batch(3)
    rows = reconstructions(model, Batch(given.images), gen()).split(COLUMNS)
    shown = [given.images, model.between(given), model.reconstruct(given)]
    assert [torch.equal(row[:3], images) for row, images in zip(rows, shown, strict=True)] == [True] * 3


def test_its_picture_shows_grey_sources_among_colour_images_of_fewer_levels():
    spec = DataSpec((3, 8, 8), 17, source=(1, 8, 8), paired=False)
    model = genbench.build("cyclegan", spec, width=4)
    given = Batch(integers(3, (3, 8, 8), levels=17))
    middle = reconstructions(model, given, gen()).split(COLUMNS)[1][:3]
    between = model.between(given)
    assert between.shape == (3, 1, 8, 8)
    assert torch.equal(middle, (between.double() / 255 * 16).round().to(torch.uint8).expand(-1, 3, -1, -1))
    assert int(middle.max()) <= 16 < int(between.max())


def test_without_the_cycle_nothing_ties_an_image_to_its_source():
    """A game that is won by any permutation: the critics see means alone, and only the cycle moves the rest."""

    def fitted(cycle):
        model = cyclic(there=1.0, back=0.2, cycle=cycle)
        data = Splits(*(Split(integers(16, seed=s), sources=integers(16, seed=s + 1)) for s in (0, 2)))
        model.fit(data, FitConfig(Budget(steps=60), batch_size=8))
        return float(model.generator.factor.detach() * model.back.factor.detach())

    assert abs(fitted(10.0) - 1) < 0.2
    assert abs(fitted(0.0) - 1) > 0.5


def test_the_recipe_s_parts_are_the_paper_s():
    model = genbench.build("cyclegan", UNPAIRED, width=4, blocks=2)
    assert all(isinstance(critic, PatchCritic) for critic in (model.critic, model.back_critic))
    kinds = {type(module).__name__ for module in model.modules()}
    assert "InstanceNorm2d" in kinds
    assert "BatchNorm2d" not in kinds
    assert [pool.size for pool in model.pools] == [50, 50]
    assert len(model.generator.encoder.blocks.blocks) == 2
    assert model.loss.critic(torch.ones(2), torch.ones(2)) == 0.5
    assert model.phases()[0].turns[0].schedule is half_then_linear
    assert model.setting == "10 cycle, 5 identity, pools of 50"


def test_the_identity_is_left_out_between_domains_of_other_channels_and_the_setting_says_so():
    model = genbench.build("cyclegan", GREY_TO_COLOUR, width=4)
    assert model.setting == "10 cycle, 0 identity, pools of 50"
    given = genbench.Batch(integers(2, (3, 8, 8)), sources=integers(2))
    assert "identity" not in model.generator_loss(given, step())
    with pytest.raises(ValueError, match=r"identity=0.5: give 0 between domains of shapes \(1, 8, 8\) and \(3, 8, 8\)"):
        Cyclic(
            GREY_TO_COLOUR, Times(), Times(), Level(), Level(), identity=0.5, cycle=1.0, distance=l1, optimizer=adam,
            loss=LEAST_SQUARES_WHOLE,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value"), [("cycle", -1.0), ("identity", -1.0), ("pool", -1), ("width", 0), ("lr", 0.0)]
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(ValueError, match=f"{option}={value}"):
        genbench.build("cyclegan", UNPAIRED, **{option: value})


def test_images_of_a_single_row_are_refused():
    with pytest.raises(ValueError, match=r"shape=\(1, 1, 8\): cyclegan needs images of 2 px"):
        genbench.build("cyclegan", DataSpec((1, 1, 8), source=(1, 1, 8), paired=False))
