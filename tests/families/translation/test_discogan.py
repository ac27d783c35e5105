import math

import pytest
import torch
from torch import nn

import genbench
from families.adversarial.terms import GameStep, Scored
from families.translation.discogan import DiscoGAN, EncoderDecoder, MatchedFeatures
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits
from tests.families.translation.toy import UNPAIRED, Times, adam, batch, gen, integers, ones, step

LN2 = math.log(2)


class Shown(nn.Module):
    """The logit 0, and four hidden layers: ``(1 + image) / 2``, the first of them much larger."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, images, given=None):
        half = self.factor * (1 + images) / 2
        return Scored(images, 0 * half.mean((1, 2, 3)), half.flatten(1), hidden=(100 * half, half, half, half))


def disco(there=1.0, back=1.0, critics=None, **options):
    options = {"cycle": 0.5, "start": 0.01, "features": 0.9, "optimizer": adam} | options
    return DiscoGAN(UNPAIRED, Times(there), Times(back), *(critics or (Shown(), Shown())), **options)


def apart():
    """Sources of -1 and images of 1: a translator that changes nothing makes features of 0 where 1 is right."""
    given = ones()
    given.sources.fill_(0)
    return given


def test_a_doubled_share_doubles_the_way_back_once_it_counts():
    one, two = (disco(there=0.5, cycle=cycle).generator_loss(apart(), step(fraction=0.2)) for cycle in (0.25, 0.5))
    assert float(one["cycle"].detach()) > 0
    torch.testing.assert_close(2 * one["cycle"], two["cycle"])


@pytest.mark.parametrize(("fraction", "r"), [(0.05, 0.01), (0.2, 0.5)])
def test_features_a_unit_apart_on_three_layers_cost_nine_tenths_each_beside_a_tenth_of_the_game(fraction, r):
    logs = disco().generator_loss(apart(), step(fraction=fraction))
    assert [logs[name].item() for name in ("features", "back_features")] == pytest.approx([2.7 * (1 - r)] * 2)
    assert logs["loss"].item() == pytest.approx(2 * (1 - r) * (0.1 * LN2 + 2.7))
    assert logs["cycle"].item() == 0


@pytest.mark.parametrize(("fraction", "r"), [(0.0, 0.01), (0.0999, 0.01), (0.1, 0.5), (0.9, 0.5)])
def test_the_way_back_is_a_mean_square_on_0_to_1_whose_share_rises_at_a_tenth(fraction, r):
    """G(x) = x/2 and F = id at x = y = 1: a quarter of ½² both ways."""
    logs = disco(there=0.5, features=0.0).generator_loss(ones(), step(fraction=fraction))
    assert [logs[name].item() for name in ("cycle", "back_cycle")] == pytest.approx([r / 16] * 2)
    assert logs["loss"].item() == pytest.approx(2 * ((1 - r) * 0.1 * LN2 + r / 16))


def test_critics_minimise_half_of_the_logistic_game_and_no_features():
    logs = disco().critic_loss(apart(), step(fraction=0.5))
    assert logs["loss"].item() == pytest.approx(2 * LN2)
    assert "features" not in logs


def test_features_are_matched_in_the_mean_over_the_batch_and_never_row_by_row():
    def scored(*rows):
        layer = torch.tensor(rows).view(-1, 1)
        return Scored(layer, layer[:, 0], layer, hidden=(layer,) * 3)

    term = MatchedFeatures(1.0)

    def distance(fake, real):
        return term.generator(disco().games[""], GameStep(step(), scored(*fake), scored(*real)))["features"].item()

    assert distance((1.0, -1.0), (0.0, 0.0)) == 0
    assert distance((3.0, 5.0), (5.0, 3.0)) == 0
    assert distance((3.0, 1.0), (0.0, 1.0)) == pytest.approx(3 * 1.5**2)
    with pytest.raises(ValueError, match="real=None"):
        term.generator(disco().games[""], GameStep(step(), scored(1.0, 1.0)))


def test_features_teach_the_translators():
    model = disco(there=0.5)
    model.generator_loss(batch(), step())["features"].backward()
    assert float(model.generator.factor.grad) != 0
    assert model.back.factor.grad is None


def test_critics_learn_on_every_third_batch_ahead_of_the_translators_and_weights_decay():
    critics, generators = genbench.build("discogan", UNPAIRED, width=4, lr=3e-4).phases()[0].turns
    assert (critics.name, critics.every, generators.name, generators.every) == ("critics", 3, "generators", 1)
    for turn in (critics, generators):
        rule = turn.optimizer([nn.Parameter(torch.zeros(1))]).defaults
        assert (rule["lr"], rule["betas"], rule["weight_decay"]) == (3e-4, (0.5, 0.999), 1e-5)


@pytest.mark.parametrize("bottleneck", [0, 100])
def test_nothing_passes_by_the_coarsest_maps_or_the_bottleneck(bottleneck):
    net = EncoderDecoder((1, 28, 28), (3, 28, 28), 4, bottleneck).eval()
    sources = torch.randn(2, 1, 28, 28, generator=gen())
    with torch.no_grad():
        one, other = net(sources)
        assert not torch.equal(one, other)
        last = [layer for layer in net.encoder if isinstance(layer, nn.Conv2d)][-1]
        assert last.out_channels == (bottleneck or 8)
        last.weight.zero_()
        one, other = net(sources)
    assert torch.equal(one, other)


def test_maps_halve_twice_at_28_and_batches_are_normalised_but_at_the_ends():
    net = EncoderDecoder((1, 28, 28), (3, 28, 28), 4)
    assert net.encoder(torch.zeros(2, 1, 28, 28)).shape == (2, 8, 7, 7)
    assert [type(layer).__name__ for layer in net.encoder] == [
        "Conv2d",
        "LeakyReLU",
        "Conv2d",
        "BatchNorm2d",
        "LeakyReLU",
    ]
    up = ["ConvTranspose2d", "BatchNorm2d", "ReLU", "ConvTranspose2d", "Tanh"]
    assert [type(layer).__name__ for layer in net.decoder] == up
    assert [type(layer).__name__ for layer in EncoderDecoder((1, 28, 28), (3, 28, 28), 4, 9).decoder] == up[:3] + up


@pytest.mark.parametrize("sides", [(64, 64), (32, 32), (13, 17), (8, 8), (5, 9), (2, 2), (1, 1)])
@pytest.mark.parametrize("bottleneck", [0, 6])
def test_images_of_any_sides_are_translated_and_every_weight_learns(sides, bottleneck):
    net = EncoderDecoder((2, *sides), (3, *sides), 2, bottleneck)
    images = net(torch.randn(4, 2, *sides, generator=gen()))
    assert images.shape == (4, 3, *sides)
    assert float(images.detach().abs().max()) < 1
    (images - 1).square().sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_the_recipe_s_parts_are_the_paper_s():
    model = genbench.build("discogan", DataSpec((3, 16, 16), source=(1, 16, 16), paired=False), width=4, bottleneck=9)
    assert (model.generator.encoder[0].in_channels, model.generator.decoder[-2].out_channels) == (1, 3)
    assert (model.back.encoder[0].in_channels, model.back.decoder[-2].out_channels) == (3, 1)
    assert [net.encoder[-2].out_channels for net in (model.generator, model.back)] == [9, 9]
    shown = model.critic(torch.zeros(2, 3, 16, 16))
    assert (shown.logits.shape, len(shown.hidden)) == ((2,), 2)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in model.back_critic.modules())
    assert model.latents == 0
    assert model.setting == "0.01 then 0.5 cycle, 0.9 features"
    given = Batch(integers(4, (3, 16, 16)), sources=integers(4, (1, 16, 16)))
    assert model.reconstruct(given).shape == given.images.shape


@pytest.mark.parametrize(
    ("option", "value"),
    [("cycle", 1.0), ("start", -0.1), ("features", -1.0), ("width", 0), ("bottleneck", -1), ("lr", 0.0)],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(ValueError, match=rf"{option}={value}: give"):
        genbench.build("discogan", UNPAIRED, **{option: value})


def test_samples_are_normalised_by_the_training_sources_and_the_way_back_by_the_images():
    spec = DataSpec((1, 16, 16), source=(1, 16, 16), paired=False)
    model = genbench.build("discogan", spec, width=4)
    shape = (1, 16, 16)
    train = Split(integers(6, shape), sources=integers(9, shape, seed=1) // 2)
    data = Splits(train, Split(integers(4, shape), sources=integers(4, shape, seed=2) // 2))
    model.fit(data, FitConfig(Budget(steps=3), batch_size=4))
    for net, given in ((model.generator, model.source(train)), (model.back, model.target(train))):
        first, norm = net.encoder[:3], net.encoder[3]
        maps = first(given).detach()
        torch.testing.assert_close(norm.running_mean, maps.mean((0, 2, 3)))
        torch.testing.assert_close(norm.running_var, maps.var((0, 2, 3)))
        assert norm.momentum == 0.1
    assert float(model.variance) != (256**2 - 1) / 12, "and what every model finishes by is done too"
