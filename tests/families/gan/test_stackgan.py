"""StackGAN: what each stage learns and leaves alone, what each noise changes, and what captions do."""

import copy

import pytest
import torch

from families.gan.stackgan import stackgan
from families.gan.stackgan_pp import stackgan_pp
from families.layers.evaluation import evaluation
from families.layers.growing import down
from genbench import Batch, Budget, DataSpec, FitConfig
from genbench.interface import frozen
from genbench.training.turns import TurnRunner, restored
from tests.families.gan.captioned import COLOUR, SPEC, captions, louder, shuffled, splits, told
from tests.families.gan.tiny import build, gen, step


def made(spec=SPEC, **options):
    return build("stackgan", spec, **({"augmented": 5} | options))


def drawn(model, u, words):
    with frozen(model), torch.no_grad():
        return model.decode(u, told(len(u), words=words))


def learned(model, turns, batch):
    runners = [TurnRunner.make(turn) for turn in turns]
    with restored({p: p.requires_grad for p in model.parameters()}):
        for runner in runners:
            runner.step(model.train(), batch, step(), 0)


def test_words_come_first_then_each_stage_with_a_critic_of_its_own():
    model = made()
    phases = model.phases()
    assert [(phase.name, phase.share) for phase in phases] == [("text", 0.04), ("stage-1", 0.4), ("stage-2", 0.56)]
    assert sum(phase.share for phase in phases) == pytest.approx(1)
    assert [[turn.name for turn in phase.turns] for phase in phases] == [["matching"], *[["critic", "generator"]] * 2]
    assert list(phases[0].turns[0].learns) == [model.words]
    for place, phase in enumerate(phases[1:]):
        assert list(phase.turns[0].learns) == [model.critics[place]]
        assert list(phase.turns[1].learns) == [model.stages[place]]


@pytest.mark.parametrize("average", [0.0, 0.99])
def test_stage_two_leaves_stage_one_as_it_was_down_to_its_statistics(average):
    model = made(average=average)
    before = copy.deepcopy(model.state_dict())
    learned(model, model.phases()[2].turns, told())
    after = model.state_dict()
    kept = [name for name in before if name.startswith(("stages.0", "averages.0", "critics.0", "words"))]
    assert any("running_mean" in name for name in kept)
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert not torch.equal(before["stages.1.layers.0.weight"], after["stages.1.layers.0.weight"])
    assert model.stages[0].training


def test_stage_two_is_taught_on_what_the_average_of_stage_one_makes():
    model = louder(made()).train()
    vectors = model.told(told())[1]
    found = model._made(1, vectors, step())[0]
    u = model.draw_noise(6, step().generator)
    with evaluation(model.averages):
        small, _ = model.averages[0].copies["stage"](u[:, :6], u[:, 6:11], vectors)
    torch.testing.assert_close(model.stages[1](small, u[:, 11:], vectors)[0], found)
    for parameter in model.stages[0].parameters():
        parameter.data.zero_()
    torch.testing.assert_close(model._made(1, model.told(told())[1], step())[0], found)
    model.averages[0].copies["stage"].network.project.weight.data.zero_()
    assert not torch.allclose(model._made(1, model.told(told())[1], step())[0], found)


def test_small_reals_are_means_of_four_pixels(monkeypatch):
    model, seen = made(), []
    for place in (0, 1):
        monkeypatch.setattr(model.critics[place], "critic_loss", lambda real, *rest: seen.append(real) or {})
        model.critic_loss(place, told(), step())
    whole = told().images.float() / 8 - 1
    torch.testing.assert_close(seen[1], whole)
    torch.testing.assert_close(seen[0], down(whole))


def test_each_noise_changes_a_sample_and_none_that_is_augmentation_where_it_has_no_deviation():
    model = louder(made(average=0.0))
    assert model.latents == 6 + 5 + 5
    u, words = model.draw_noise(4, gen()), captions(4)
    one = drawn(model, u, words)

    def moved(part):
        other = u.clone()
        other[:, part] += 1
        return (drawn(model, other, words) - one).abs().amax((1, 2, 3)).min()

    z, first, second = slice(0, 6), slice(6, 11), slice(11, 16)
    assert min(moved(z), moved(first), moved(second)) > 1e-3
    for stage in model.stages:
        stage.augmentation.layer.weight.data[5:] = 0
        stage.augmentation.layer.bias.data[5:] = -200
    one = drawn(model, u, words)
    assert moved(first) == moved(second) == 0 < moved(z)


def test_the_order_of_words_changes_no_sample_and_another_adjective_does():
    model = louder(made(average=0.0))
    u, words = model.draw_noise(6, gen()), captions()
    torch.testing.assert_close(drawn(model, u, shuffled(words)), drawn(model, u, words), atol=1e-3, rtol=0)
    other = words.clone()
    other[words == 1] = 2
    changed = (drawn(model, u, other) - drawn(model, u, words)).abs().amax((1, 2, 3)) > 1e-2
    assert changed.tolist() == [bool((row == 1).any()) for row in words]


def test_samples_are_the_second_stage_on_the_first_by_averages():
    model = louder(made())
    for parameter in model.stages.parameters():
        parameter.data.zero_()
    u, given = model.draw_noise(3, gen()), told(3)
    with evaluation(model):
        small, whole = model.drawn(u, given)
        torch.testing.assert_close(model.decode(u, given), (whole + 1) * 8)
        copies = [average.copies["stage"] for average in model.averages]
        vectors = model.words(given.fields["caption"])
        torch.testing.assert_close(small, copies[0](u[:, :6], u[:, 6:11], vectors)[0])
        torch.testing.assert_close(whole, copies[1](small, u[:, 11:], vectors)[0])
    assert (small.shape, whole.shape) == ((3, 1, 8, 8), (3, 1, 16, 16))


def test_averages_move_with_their_own_stage():
    model = made()
    before = copy.deepcopy(model.averages.state_dict())
    learned(model, model.phases()[1].turns, told())
    moved = {n.split(".")[0] for n, v in model.averages.state_dict().items() if not torch.equal(v, before[n])}
    assert moved == {"0"}
    learned(model, model.phases()[2].turns, told())
    assert not torch.equal(model.averages[1].steps, before["1.steps"])


@pytest.mark.parametrize("place", [0, 1])
def test_the_generators_loss_has_twice_the_divergence(place):
    torch.manual_seed(0)
    model, free = louder(made()), louder(made(weight=0))
    free.load_state_dict(model.state_dict())
    logs, without = (one.train().generator_loss(place, told(), step()) for one in (model, free))
    _, divergences = model._made(place, model.told(told())[1], step())
    torch.testing.assert_close(logs["divergence"], 2 * divergences.mean())
    torch.testing.assert_close(logs["loss"], without["loss"] + 2 * divergences.mean())
    assert without["divergence"] == 0 < logs["divergence"]


@pytest.mark.parametrize("place", [0, 1])
def test_both_sides_of_a_stage_see_what_has_been_augmented(place, monkeypatch):
    model = made(augment="translation")
    seen = []
    monkeypatch.setattr(type(model.rules), "shown", lambda self, images, step: seen.append(images.shape) or images)
    model.critic_loss(place, told(), step())
    model.generator_loss(place, told(), step())
    side = 8 if place == 0 else 16
    assert seen == [(6, 1, side, side)] * 3


@pytest.mark.parametrize(
    ("shape", "small"), [((1, 28, 28), 14), ((3, 8, 8), 4), ((1, 13, 17), 13), ((3, 32, 32), 16), ((1, 2, 2), 2)]
)
def test_sizes_follow_the_shape(shape, small):
    model = made(DataSpec(shape, 17, fields=SPEC.fields), width=4)
    given = told(3, spec=model.spec)
    with evaluation(model):
        first, second = model.drawn(model.draw_noise(3, gen()), given)
    assert first.shape[2] == small
    assert second.shape[1:] == shape
    for place in (0, 1):
        assert torch.isfinite(model.generator_loss(place, given, step())["loss"])


def test_it_learns_to_draw_what_captions_say():
    """Two captions, of which one is dark images and the other bright ones."""
    torch.manual_seed(0)
    data = splits(64, COLOUR)
    bright = torch.arange(64) % 2
    words = torch.tensor([[1, 4, 7, 10], [3, 4, 7, 10]])[bright]
    for part in (data.train, data.validation):
        part.images.copy_(
            (torch.rand(part.images.shape, generator=gen()) * 4 + 12 * bright[: len(part)].view(-1, 1, 1, 1)).byte()
        )
        part.fields["caption"].copy_(words[: len(part)])
    model = made(COLOUR, lr=4e-3)
    model.fit(data, FitConfig(Budget(steps=150), batch_size=16))
    drawn = model.sample(40, fields={"caption": words[:40]}, generator=gen()).float().mean((1, 2, 3))
    assert (drawn[bright[:40] == 1].mean() - drawn[bright[:40] == 0].mean()) > 6


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"needs a caption with each image"):
        made(DataSpec((1, 8, 8)))
    for options, message in (
        ({"weight": -1.0}, "weight=-1.0: give a positive number, or 0"),
        ({"augmented": 0}, "augmented=0: give a whole number, 1 or more"),
        ({"width": 0}, "width=0"),
        ({"latents": 0}, "latents=0"),
    ):
        with pytest.raises(ValueError, match=message):
            made(**options)
    with pytest.raises(ValueError, match="caption: this model needs one for each"):
        made().sample(2, generator=gen())
    for recipe in (stackgan, stackgan_pp):
        with pytest.raises(ValueError, match=r"fields: no caption, .*; say captions: in front of the data set"):
            recipe(DataSpec((1, 8, 8)))
    with pytest.raises(ValueError, match="caption=None: this model is given a caption for each image"):
        made().critic_loss(0, Batch(told().images), step())
