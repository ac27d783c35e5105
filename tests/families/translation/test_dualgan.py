from dataclasses import replace

import pytest
import torch
from torch import nn

import genbench
from families.adversarial.losses import WASSERSTEIN
from families.adversarial.patch import PatchCritic
from families.adversarial.penalties import GradientPenalty
from families.layers.distances import l1
from families.translation.critics import GlobalCritic
from families.translation.cyclic import Cyclic
from genbench import Budget, DataSpec, FitConfig, Split, Splits
from tests.families.translation.toy import UNPAIRED, Level, Times, adam, batch, gen, integers, ones, step


def build(spec=UNPAIRED, **options):
    return genbench.build("dualgan", spec, **({"width": 4} | options))


def test_a_tenth_missed_on_the_way_back_costs_fifty_a_direction():
    """C = 0 and |F(G(x)) - x| = .1, x = y = 1: the recipe's game, weight and distance."""
    model = build()
    assert (model.loss, model.distance, model.cycle, model.identity) == (WASSERSTEIN, l1, 500, 0)
    toy = Cyclic(
        UNPAIRED, Times(0.9), Times(1.0), Level(), Level(), loss=model.loss, distance=model.distance,
        cycle=model.cycle, optimizer=adam,
    )  # fmt: skip
    logs = toy.generator_loss(ones(), step())
    assert [logs[name].item() for name in ("cycle", "back_cycle", "loss")] == pytest.approx([50, 50, 100])


def test_the_game_is_wasserstein_s():
    model = build()
    logs = model.critic_loss(batch(), step())
    expected = logs["fake"] - logs["real"] + logs["back_fake"] - logs["back_real"]
    torch.testing.assert_close(logs["loss"], expected)
    logs = build(cycle=0.0).generator_loss(batch(), step())
    assert logs["cycle"].item() == 0
    assert logs["loss"].item() != 0


def critics_weights(model):
    return torch.cat([one.detach().flatten() for net in (model.critic, model.back_critic) for one in net.parameters()])


def fitted(model, monkeypatch):
    """The largest weight of both critics behind each of their steps."""
    largest = []
    (phase,) = model.phases()
    critics, generators = phase.turns

    def seen(logs, at):
        critics.after(logs, at)
        largest.append(critics_weights(model).abs().max().item())

    turns = [replace(critics, after=seen), generators]
    monkeypatch.setattr(model, "phases", lambda: [replace(phase, turns=turns)])
    monkeypatch.setattr(model, "finish", lambda data, generator: None)
    data = Splits(*(Split(integers(16, seed=s), sources=integers(16, seed=s + 1)) for s in (0, 2)))
    model.fit(data, FitConfig(Budget(steps=6), batch_size=8))
    return largest


def test_critics_weights_are_within_the_bound_behind_every_step_of_theirs(monkeypatch):
    model = build(bound=0.02)
    assert critics_weights(model).abs().max() > 0.02
    assert fitted(model, monkeypatch) == pytest.approx([0.02] * 6)


def test_under_the_penalty_they_are_free_and_each_game_pays_it(monkeypatch):
    model = build(lipschitz="penalty")
    assert model.penalty == GradientPenalty(10.0)
    assert {"penalty", "back_penalty"} <= model.critic_loss(batch(), step()).keys()
    free = fitted(model, monkeypatch)
    assert len(free) == 6
    assert min(free) > 0.02
    assert build().penalty is None
    assert "penalty" not in build().critic_loss(batch(), step())


def test_two_noises_give_two_images_and_one_noise_one():
    model = build()
    sources = integers(3, seed=5)
    one, again, other = (model.sample(3, sources=sources, generator=gen(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert model.latents == model.generator.latents > 0
    assert model.back.latents > 0
    loss = [model.generator_loss(batch(), step(seed))["cycle"].item() for seed in (1, 1, 2)]
    assert loss[0] == loss[1] != loss[2]


def test_critics_learn_twice_as_often_by_rmsprop():
    critics, generators = build(lr=1e-4).phases()[0].turns
    assert (critics.name, critics.every, generators.name, generators.every) == ("critics", 1, "generators", 2)
    for turn in (critics, generators):
        optimizer = turn.optimizer([nn.Parameter(torch.zeros(1))])
        assert isinstance(optimizer, torch.optim.RMSprop)
        assert (optimizer.defaults["lr"], optimizer.defaults["alpha"], optimizer.defaults["momentum"]) == (1e-4, 0.9, 0)
        assert turn.schedule is None


def test_no_image_is_normalised_by_its_batch():
    model = build(DataSpec((3, 32, 32), source=(1, 32, 32), paired=False), critic="global")
    kinds = {type(module).__name__ for module in model.modules()}
    assert "InstanceNorm2d" in kinds
    assert "BatchNorm2d" not in kinds
    images = torch.randn(4, 3, 32, 32, generator=gen())
    torch.testing.assert_close(model.critic(images).logits[:1], model.critic(images[:1]).logits)


@pytest.mark.parametrize(
    ("critic", "kind", "places"), [("patch", PatchCritic, (1, 6, 6)), ("global", GlobalCritic, ())]
)
def test_a_critic_sees_patches_or_the_whole_image(critic, kind, places):
    model = build(DataSpec((3, 16, 16), source=(1, 16, 16), paired=False), critic=critic)
    for judge, channels in ((model.critic, 3), (model.back_critic, 1)):
        assert isinstance(judge, kind)
        assert judge(torch.zeros(2, channels, 16, 16)).logits.shape == (2, *places)


@pytest.mark.parametrize("sides", [(32, 32), (13, 17), (5, 9), (2, 2)])
@pytest.mark.parametrize("critic", ["patch", "global"])
def test_images_of_any_sides_play(sides, critic):
    model = build(DataSpec((3, *sides), source=(1, *sides), paired=False), critic=critic)
    given = genbench.Batch(integers(2, (3, *sides)), sources=integers(2, (1, *sides)))
    for loss in (model.generator_loss, model.critic_loss):
        assert loss(given, step())["loss"].isfinite()


def test_the_setting_says_what_keeps_the_critics_smooth():
    assert build().setting == "500 cycle, 0 identity, weights ±0.01"
    assert build(lipschitz="penalty").setting == "500 cycle, 0 identity, gradient penalty 10"


@pytest.mark.parametrize(
    ("option", "value"), [("cycle", -1.0), ("bound", 0.0), ("lr", 0.0), ("width", 0), ("dropout", 1.0)]
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(ValueError, match=f"{option}={value}: give"):
        build(**{option: value})


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="lipschitz='spectral': give clip, penalty"):
        build(lipschitz="spectral")
    with pytest.raises(ValueError, match="critic='pixel': give patch, global"):
        build(critic="pixel")


def test_images_of_a_single_row_are_refused():
    with pytest.raises(ValueError, match=r"shape=\(1, 1, 8\): dualgan needs images of 2 px"):
        genbench.build("dualgan", DataSpec((1, 1, 8), source=(1, 1, 8), paired=False))


@pytest.mark.parametrize("critic", ["patch", "global"])
def test_critics_have_no_last_bias_which_a_difference_could_not_learn(critic):
    model = build(DataSpec((1, 16, 16), source=(1, 16, 16), paired=False), critic=critic, lipschitz="penalty")
    given = genbench.Batch(integers(4, (1, 16, 16)), sources=integers(4, (1, 16, 16), seed=1))
    model.critic_loss(given, step())["loss"].backward()
    nets = (model.critic, model.back_critic)
    assert all(one.grad is not None and one.grad.any() for net in nets for one in net.parameters())
