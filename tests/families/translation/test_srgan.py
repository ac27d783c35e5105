import math

import pytest
import torch
from torch import nn

import genbench
from families.layers.distances import l2
from families.layers.perceptual import Perceptual
from families.translation.model import copy_of
from families.translation.srgan import Critic, SRResNet, late_tenth, primes
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits
from genbench.runs.simple_translators import copy
from tests.families.translation.toy import gen, integers, step

SPEC = DataSpec((1, 8, 8), 256, classes=4, source=(1, 4, 4))


def build(spec=SPEC, **options):
    return genbench.build("srgan", spec, width=4, blocks=1, **options)


def splits(n=32):
    def split(seed):
        small = integers(n, (1, 4, 4), seed)
        images = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return Split(images, torch.arange(n) % 4, small)

    return Splits(split(0), split(1))


def entered(model, data=None):
    for phase in model.phases():
        if phase.enter is not None:
            phase.enter(data or splits(), step())
    return model


@pytest.mark.parametrize(("number", "factors"), [(1, []), (2, [2]), (4, [2, 2]), (7, [7]), (12, [2, 2, 3])])
def test_a_factor_is_taken_apart_into_primes(number, factors):
    assert primes(number) == factors
    net = SRResNet(2, 3, number, 4, 1)
    assert sum(isinstance(one, nn.PixelShuffle) for one in net.modules()) == len(factors)
    assert net(torch.randn(2, 2, 4, 3)).shape == (2, 3, 4 * number, 3 * number)


def test_zeroed_blocks_leave_the_long_skip():
    net, source = SRResNet(1, 1, 2, 4, 2).eval(), torch.randn(2, 1, 4, 4)
    for parameter in net.inner.parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(net(source), net.last(net.larger(net.first(source))).clamp(-1, 1))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 13, 17), (1, 4, 4), (1, 2, 2)])
def test_the_critic_gives_one_logit_an_image_and_halves_every_second_time(shape):
    critic = Critic(shape, 4)
    assert critic(torch.randn(3, *shape)).shape == (3,)
    strides = [one.stride[0] for one in critic.modules() if isinstance(one, nn.Conv2d)]
    assert strides == [1, *([2, 1] * len(strides))][: len(strides)]
    norms = sum(isinstance(one, nn.BatchNorm2d) for one in critic.modules())
    assert norms == len(strides) - 1


def test_phases_are_the_features_then_squared_errors_alone_then_the_game():
    model = build()
    features, mse, game = model.phases()
    assert [phase.name for phase in (features, mse, game)] == ["features", "mse", "adversarial"]
    assert [phase.share for phase in (features, mse, game)] == pytest.approx([0.05, 0.665, 0.285])
    assert (features.enter, game.enter) == (None, None), "scales are set once the features have learned"
    assert mse.enter is not None
    (turn,) = mse.turns
    assert list(turn.learns) == [model.generator]
    batch = splits().train.rows(slice(8))
    logs = turn.loss(batch, step())
    assert logs.keys() == {"loss", "l2"}
    torch.testing.assert_close(logs["loss"], l2(model.translate(batch, step()), model.target(batch)))
    assert [one.name for one in game.turns] == ["critic", "generator"]
    assert (game.turns[1].schedule(0.4), game.turns[1].schedule(0.6)) == (1.0, 0.1)
    assert late_tenth(0.5) == 0.1


def test_the_generator_minimises_features_and_a_thousandth_of_the_game():
    model = entered(build()).eval()
    batch = splits().train.rows(slice(8))
    logs = model.generator_loss(batch, step())
    fake, target = model.translate(batch, step()), model.target(batch)
    phi = model.perception
    content = phi.factor * l2(phi(fake), phi(target))
    played = nn.functional.softplus(-model.critic(fake)).mean()
    torch.testing.assert_close(logs["content"], content)
    torch.testing.assert_close(logs["loss"], content + 1e-3 * played)
    for parameter in model.critic.parameters():
        nn.init.zeros_(parameter)
    logs = model.critic_loss(batch, step())
    assert float(logs["loss"]) == pytest.approx(2 * math.log(2)), "the critic's side is whole, of images alone"


def test_a_page_that_is_white_all_over_still_learns():
    net = SRResNet(1, 1, 2, 4, 1)
    nn.init.constant_(net.last[0].bias, 9.0)
    (net(torch.randn(2, 1, 4, 4, generator=gen())) + 1).square().mean().backward()
    assert float(net.last[0].bias.grad) > 0


@pytest.mark.parametrize(("layer", "maps"), [("low", (16, 8, 8)), ("middle", (32, 4, 4)), ("high", (64, 2, 2))])
def test_features_are_those_of_the_layer_that_is_asked_for(layer, maps):
    model = build(layer=layer)
    assert model.perception(torch.zeros(3, *SPEC.shape)).shape == (3, *maps)
    assert model.perception.calibrated


def test_content_is_calibrated_by_the_enlarged_sources_of_the_first_training_images():
    data, model = splits(), build()
    model = entered(model, data)
    target = model.target(data.train)
    enlarged = copy_of(model.source(data.train), SPEC.shape)
    assert float(model.perception.compared(l2)(enlarged, target).detach()) == pytest.approx(
        float(l2(enlarged, target)), rel=1e-4
    )
    assert float(model.perception(target).detach().square().mean()) == pytest.approx(1, rel=1e-4)


def test_a_copy_is_bicubic_and_keeps_to_the_range_and_goes_into_every_channel():
    small = torch.full((2, 1, 2, 2), 0.5)
    torch.testing.assert_close(copy_of(small, (1, 4, 4)), torch.full((2, 1, 4, 4), 0.5))
    edge = torch.tensor([[[[-1.0, -1.0, 1.0, 1.0]] * 4]])
    assert float(copy_of(edge, (1, 8, 8)).abs().max()) == 1
    assert copy_of(edge, (3, 4, 4)).shape == (1, 3, 4, 4)
    same = torch.randn(1, 3, 4, 4, generator=gen())
    assert copy_of(same, (3, 4, 4)) is same


def test_a_copy_is_that_of_the_anchor():
    sources = torch.randint(0, 256, (5, 1, 4, 4), generator=gen(), dtype=torch.uint8)
    copied = (copy_of(sources.double() / 127.5 - 1, (1, 8, 8)) + 1) * 127.5
    assert torch.equal(copied.round().to(torch.uint8), copy(sources, DataSpec((1, 8, 8), source=(1, 4, 4))))


def test_without_the_second_phase_it_is_srresnet_with_neither_critic_nor_features():
    model = build(adversarial=0.0)
    (phase,) = model.phases()
    assert (phase.name, phase.share, phase.enter) == ("mse", 1.0, None)
    assert (model.perception, model.perceptual, model.setting) == (None, None, "")
    assert {key.split(".")[0] for key, _ in model.named_parameters()} == {"generator"}


def test_what_it_was_trained_on_is_said():
    assert build().perceptual == "classifier"
    model = build(perceptual="efficientnet-lite0")
    assert model.perceptual == "efficientnet-lite0"
    assert model.setting.startswith("1 content, 0.001 game, efficientnet-lite0 high ")
    assert build(game=0.5).setting == "1 content, 0.5 game, classifier high"
    assert [phase.name for phase in model.phases()] == ["mse", "adversarial"]
    assert [phase.share for phase in model.phases()] == pytest.approx([0.7, 0.3])
    assert not any(key.startswith("perception.classifier") for key in model.state_dict())


def test_it_learns_to_enlarge_and_moves_no_critic_before_the_game():
    model, data = build(lr=1e-2), splits()
    begun = {key: value.clone() for key, value in model.critic.named_parameters()}
    seen = []

    def watch(progress):
        still = all(torch.equal(begun[key], value) for key, value in model.critic.named_parameters())
        seen.append((progress.phase, still))

    model.fit(data, FitConfig(Budget(steps=100), batch_size=16), callbacks=[watch])
    assert all(still for phase, still in seen if phase != "adversarial")
    assert not seen[-1][1]
    drawn = model.sample(32, sources=data.train.sources, generator=gen())
    assert float((drawn.float() - data.train.images.float()).abs().mean()) < 40


def test_unlabelled_data_take_the_network_of_a_package():
    assert build(DataSpec((1, 8, 8), source=(1, 4, 4))).perceptual == "efficientnet-lite0"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("adversarial", 1.0),
        ("adversarial", -0.1),
        ("content", -1.0),
        ("game", -1.0),
        ("lr", 0.0),
        ("perceptual", "vgg"),
        ("layer", "lowest"),
    ],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(ValueError, match=f"{option}={value!r}"):
        genbench.build("srgan", SPEC, **{option: value})


def test_sources_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"source=\(1, 3, 4\): srgan enlarges by a whole number"):
        build(DataSpec((1, 8, 8), source=(1, 3, 4)))
    with pytest.raises(ValueError, match="paired=False"):
        build(DataSpec((1, 8, 8), source=(1, 4, 4), paired=False))
    assert isinstance(build().perception, Perceptual)
    with pytest.raises(ValueError, match="sources=None"):
        build().generator_loss(Batch(integers(2)), step())
