from dataclasses import replace

import pytest
import torch
from torch import nn

import genbench
from families.adversarial.terms import GameStep, Scored
from families.layers import perceptual
from families.layers.distances import l1
from families.layers.training import half_then_linear
from families.translation.critics import MultiScale, half_size
from families.translation.terms import FeatureMatching
from genbench import Budget, DataSpec, FitConfig, Split, Splits, pretrained
from genbench.training.turns import TurnRunner, restored
from tests.families.translation.toy import PAIRS, batch, gen, integers, step

COLOUR = DataSpec((3, 13, 18), 17, source=(1, 13, 18))


def build(spec=PAIRS, **options):
    return genbench.build("pix2pix-hd", spec, **{"width": 2, "blocks": 1} | options)


def numbers(logs):
    return {name: float(value.detach()) for name, value in logs.items()}


class Shows(nn.Module):
    """A critic with one logit an image, whose four hidden layers are the image's mean."""

    places = 1

    def forward(self, images, source=None):
        mean = images.flatten(1).mean(1)
        return Scored(images, 0 * mean[:, None], mean.new_empty(len(mean), 0), hidden=(mean[:, None],) * 4)


def test_features_a_unit_apart_on_two_scales_of_four_layers_cost_eighty():
    critic, term = MultiScale([Shows(), Shows()]), FeatureMatching(10.0)
    real, fake = (critic(torch.full((2, 1, 8, 8), value)) for value in (1.0, 0.0))
    assert float(term.generator(None, GameStep(step(), fake, real))["features"]) == 80
    ups_and_downs = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1).expand(2, 1, 8, 8)
    logs = term.generator(None, GameStep(step(), critic(0 * ups_and_downs), critic(ups_and_downs)))
    assert float(logs["features"]) == 80, "differences do not cancel"


def test_features_of_the_real_pair_are_fixed_and_the_critic_s_side_has_nothing_of_them():
    layer, other = (torch.randn(2, 3, generator=gen(seed), requires_grad=True) for seed in (0, 1))
    images, none = torch.zeros(2, 1, 8, 8), torch.zeros(2, 0)
    fake, real = (Scored(images, none, none, hidden=(one,)) for one in (layer, other))
    term = FeatureMatching(1.0)
    term.generator(None, GameStep(step(), fake, real))["features"].backward()
    assert bool(layer.grad.any())
    assert other.grad is None
    assert term.critic(None, GameStep(step(), fake, real)) == {}
    assert build().critic_loss(batch(), step()).keys() == {"loss", "real", "fake", "in_order"}


@pytest.mark.parametrize("scales", [2, 3])
def test_critics_at_zero_cost_the_generator_one_a_scale_and_themselves_half_of_it(scales):
    model = build(features=0.0, scales=scales)
    for critic in model.critic.critics:
        for one in critic.layers[-1].parameters():
            nn.init.zeros_(one)
    assert numbers(model.generator_loss(batch(), step()))["loss"] == scales
    assert numbers(model.critic_loss(batch(), step()))["loss"] == scales / 2
    assert numbers(model.coarse_generator_loss(batch(), step()))["loss"] == scales - 1
    assert numbers(model.coarse_critic_loss(batch(), step()))["loss"] == (scales - 1) / 2


def test_there_is_no_distance_of_pixels_and_a_doubled_weight_doubles_the_features():
    one, two = (numbers(build(features=weight).generator_loss(batch(), step())) for weight in (1.0, 2.0))
    assert one.keys() == {"loss", "features"}
    assert two["features"] == pytest.approx(2 * one["features"])
    assert two["loss"] - one["loss"] == pytest.approx(one["features"])


class Seen(nn.Module):
    """What stands in for a package's network: images behind a bias and a ReLU of the layer's own."""

    def __init__(self, place):
        super().__init__()
        self.place = place

    def forward(self, images):
        return (images + self.place / 20).relu()


@pytest.fixture
def vgg(monkeypatch, tmp_path):
    monkeypatch.setattr(pretrained, "weights", lambda name: (tmp_path / "vgg.pth", "0" * 64))
    monkeypatch.setattr(perceptual, "_package", lambda name, place, device: Seen(place))


def test_features_of_vgg_are_compared_at_both_sizes_beside_the_game(vgg):
    model, plain = build(perceptual="vgg19"), build()
    relus = {"relu1_1": 1 / 32, "relu2_1": 1 / 16, "relu3_1": 1 / 8, "relu4_1": 1 / 4, "relu5_1": 1}
    assert dict(model.perception.weights) == relus
    assert [part.layer for part in model.perception.parts] == list(relus)
    assert model.setting == "10 features, 10 content, vgg19 relu1_1 relu2_1 relu3_1 relu4_1 relu5_1 00000000"
    assert model.perceptual == "vgg19"
    model.generator.load_state_dict(plain.generator.state_dict())
    model.critic.load_state_dict(plain.critic.state_dict())
    given = batch()
    model.phases()[0].enter(Splits(Split(given.images, sources=given.sources), None), step())
    source, target = model.source(given), model.target(given)
    for loss, made, real in (
        ("generator_loss", model.generator(source), target),
        ("coarse_generator_loss", model.generator.coarse(half_size(source)), half_size(target)),
    ):
        seen = [l1(part(made), part(real)) for part in model.perception.parts]
        apart = sum(weight * far for weight, far in zip(relus.values(), seen, strict=True))
        logs, without = (getattr(one, loss)(given, step()) for one in (model, plain))
        torch.testing.assert_close(logs["content"], 10 * apart)
        torch.testing.assert_close(logs["loss"], without["loss"] + logs["content"])
        assert "content" not in without
    logs = build(perceptual="vgg19", content=0.0).generator_loss(given, step())
    assert float(logs["content"].detach()) == 0


def test_critics_see_the_source_beside_the_image_at_every_scale():
    model, given = build().eval(), batch(2)
    swapped = replace(given, sources=given.sources.flip(0))
    images = model.target(given)
    logits, others = (model.scored(images, one).logits for one in (given, swapped))
    first = model.critic.critics[0].places
    assert bool((logits[:, :first] != others[:, :first]).any())
    assert bool((logits[:, first:] != others[:, first:]).any())


@pytest.mark.parametrize(
    ("side", "scales", "patches"), [(28, 2, [16, 16]), (28, 3, [16, 16, 16]), (8, 2, [4, 4]), (16, 3, [16, 4, 4])]
)
def test_critics_have_one_structure_at_every_scale_that_has_room_for_it(side, scales, patches):
    model = build(DataSpec((1, side, side), source=(1, side, side)), width=2, scales=scales)
    assert [critic.patch for critic in model.critic.critics] == patches
    weights = [[p.shape for p in critic.parameters()] for critic in model.critic.critics]
    assert all(shapes == weights[-1] for shapes, patch in zip(weights, patches, strict=True) if patch == patches[-1])


def test_means_of_half_the_size_do_not_count_the_frame():
    block = torch.tensor([[-1.0, -1.0], [-1.0, 1.0]]).view(1, 1, 2, 2)
    assert float(half_size(block)) == -0.5
    assert half_size(torch.zeros(1, 1, 13, 18)).shape == (1, 1, 7, 9)


def test_the_coarse_game_is_of_halved_pairs_and_of_the_critics_from_the_second_scale_on():
    model, given, seen = build(scales=3), batch(2), []
    model.critic.critics[1].register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    source, target = half_size(model.source(given)), half_size(model.target(given))
    model.coarse_critic_loss(given, step())
    assert torch.equal(seen[0][0], target)
    assert torch.equal(seen[1][0], model.generator.coarse(source))
    assert not seen[1][0].requires_grad
    model.coarse_generator_loss(given, step())
    assert seen[2][0].requires_grad or seen[3][0].requires_grad
    assert all(torch.equal(told, source) for _, told in seen)
    assert list(model.coarse_game.critic.critics) == list(model.critic.critics)[1:]


@pytest.mark.parametrize("spec", [PAIRS, COLOUR, DataSpec((1, 28, 28), source=(3, 28, 28))])
def test_the_fine_network_adds_the_coarse_one_s_last_maps(spec):
    model = build(spec).eval()
    source = torch.randn(2, *spec.source, generator=gen())
    network = model.generator
    image = network(source)
    assert image.shape == (2, *spec.shape)
    assert float(image.detach().abs().max()) <= 1
    coarse = network.coarse
    assert coarse(half_size(source)).shape[2:] == half_size(image).shape[2:]
    maps = coarse.decoder.maps(coarse.encoder(half_size(source)))
    assert maps.shape == network.encoder(source).shape
    assert torch.equal(image, network.decoder(network.encoder(source) + maps))
    coarse.decoder.maps = lambda x: torch.zeros_like(maps)
    assert not torch.equal(network(source), image)


def test_sizes_are_the_width_s():
    model = build(DataSpec((1, 28, 28), source=(1, 28, 28)), width=4, blocks=2)
    coarse, network = model.generator.coarse, model.generator
    assert [one.down[0][0].out_channels for one in (coarse.encoder, network.encoder)] == [8, 4]
    assert [len(one.blocks.blocks) for one in (coarse.encoder, coarse.decoder)] == [2, 0]
    assert [len(one.blocks.blocks) for one in (network.encoder, network.decoder)] == [0, 2]
    assert [one.layers[0].out_channels for one in model.critic.critics] == [8, 8]
    assert network.encoder(torch.zeros(1, 1, 28, 28)).shape == (1, 8, 14, 14)
    assert not any(isinstance(one, nn.BatchNorm2d) for one in model.modules())


def moved(model, phase):
    """Names of the weights that a round of a phase moves, which are all that its turns say they learn."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    learnt = {names[one] for turn in phase.turns for module in turn.learns for one in module.parameters()}
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    with restored({parameter: parameter.requires_grad for parameter in model.parameters()}):
        for runner in [TurnRunner.make(turn) for turn in phase.turns]:
            runner.step(model, batch(8), step(), 0)
    found = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert found == learnt, phase.name
    return found


def test_phases_move_the_coarse_network_then_the_fine_one_then_both():
    model = build()
    phases = model.phases()
    assert [(one.name, round(one.share, 9)) for one in phases] == [("global", 0.3), ("enhancer", 0.1), ("joint", 0.6)]
    assert all([turn.name for turn in one.turns] == ["critic", "generator"] for one in phases)
    assert [[turn.schedule for turn in one.turns] for one in phases] == [
        [half_then_linear] * 2,
        [None] * 2,
        [half_then_linear] * 2,
    ]
    coarse, enhancer, joint = (moved(model, one) for one in phases)
    every = {name for name, _ in model.named_parameters()}
    first = {name for name in every if name.startswith("critic.critics.0")}
    critics = {name for name in every if name.startswith("critic")}
    small = {name for name in every if name.startswith("generator.coarse")}
    last = {name for name in every if name.startswith("generator.coarse.decoder.last")}
    assert coarse == small | critics - first
    assert enhancer == every - small, "G1 is left bit for bit"
    assert joint == every - last, "G1's own last layer makes no image any more"


def test_the_generator_learns_from_the_critics_alone_and_gets_nothing_in_their_turn():
    for loss in ("generator_loss", "coarse_generator_loss"):
        model = build(features=0.0)
        getattr(model, loss)(batch(), step())["loss"].backward()
        assert any(one.grad is not None and bool(one.grad.any()) for one in model.generator.parameters()), loss
    for loss in ("critic_loss", "coarse_critic_loss"):
        model = build()
        getattr(model, loss)(batch(), step())["loss"].backward()
        assert all(one.grad is None for one in model.generator.parameters()), loss


def test_it_has_no_noise_and_row_i_depends_on_source_i_alone():
    model, given = build(), batch(5)
    assert model.latents == 0
    drawn = model.sample(5, sources=given.sources, generator=gen(1))
    assert torch.equal(drawn, model.sample(5, sources=given.sources, generator=gen(2)))
    for i in range(5):
        alone = model.sample(1, sources=given.sources[i : i + 1], generator=gen())[0]
        assert int((alone.int() - drawn[i].int()).abs().max()) <= 1


def test_it_learns_to_translate_without_a_distance_of_pixels():
    source = integers(32, (1, 2, 2), seed=3, levels=2).repeat_interleave(4, 2).repeat_interleave(4, 3) * 255
    images = 255 - source
    model = build(width=4, lr=4e-3)
    data = Splits(Split(images, sources=source), Split(images[:8], sources=source[:8]))
    model.fit(data, FitConfig(Budget(steps=60), batch_size=8))
    drawn = model.sample(32, sources=source, generator=gen())
    assert float((drawn.float() - images.float()).abs().mean()) < 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width=0"),
        ({"blocks": -1}, "blocks=-1"),
        ({"scales": 1}, "scales=1: give a whole number, 2 or more"),
        ({"scales": 4}, r"scales=4: the last critic would see sides below 2; give fewer for images of \(8, 8\)"),
        ({"features": -1.0}, r"features=-1\.0: give a positive number, or 0"),
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
        (DataSpec((1, 8, 8), source=(1, 4, 4)), r"source=\(1, 4, 4\)"),
        (DataSpec((1, 8, 8), source=(1, 8, 8), paired=False), "paired=False"),
        (DataSpec((1, 7, 8), source=(1, 7, 8)), r"shape=\(1, 7, 8\): pix2pix-hd needs images of 8 px or more each way"),
    ],
)
def test_data_that_it_cannot_use_are_refused_in_one_line(spec, message):
    with pytest.raises(ValueError, match=message) as caught:
        build(spec)
    assert "\n" not in str(caught.value)
