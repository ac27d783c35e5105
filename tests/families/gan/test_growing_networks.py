"""What stands in the networks that grow: pixel norm behind each rectifier, deviations, gains, blurs."""

import math
import re

import pytest
import torch

from families.layers.equalised import EqualisedConv2d, EqualisedLinear
from families.layers.growing import Blur
from genbench import DataSpec
from tests.families.gan.tiny import build, gen

SPEC = DataSpec((1, 16, 16), levels=17)  # three levels: 4, 8, 16


def made(name="pggan"):
    return build(name, SPEC, width=4)


def seen_by(network, kind, *inputs):
    """What modules of a kind are given while the network runs."""
    seen = []
    for module in network.modules():
        if isinstance(module, kind):
            module.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    network(*inputs)
    return seen


def test_all_that_the_generator_of_pggan_convolves_has_a_mean_square_of_one():
    network = made().generator
    code = 5 * torch.randn(8, 6, generator=gen())
    maps = seen_by(network, EqualisedConv2d, code, 2, 1.0)
    assert len(maps) == 1 + 2 + 2 + 1  # and the end
    (start,) = seen_by(network, EqualisedLinear, code, 2, 1.0)
    for given in (start, *maps):
        torch.testing.assert_close(given.square().mean(1), torch.ones_like(given[:, 0]), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["pggan", "stylegan"])
def test_an_image_is_judged_beside_the_others_of_its_four(name):
    critic, images = made(name).critic, torch.randn(8, 1, 16, 16, generator=gen())
    for parameter in critic.parameters():
        parameter.data.mul_(2)
    other = images.clone()
    other[5] *= 3
    before, after = critic(images, 2, 1.0), critic(other, 2, 1.0)
    torch.testing.assert_close(before[:4], after[:4])
    assert not torch.isclose(before[4:], after[4:]).any()


def gain(name, network, where, layer):
    """What a layer's constant is multiplied by: √2 where a rectifier follows (1710.10196, 1812.04948)."""
    if re.fullmatch(r"ends\.\d+|.*style", where) or len(layer.weight) == 1:  # to colours, to styles, to the logit
        return 1.0
    if where.startswith("mapping"):
        return 0.01 * math.sqrt(2)
    return math.sqrt(2) / 4 if (name, network, where) == ("pggan", "generator", "blocks.0.0") else math.sqrt(2)


@pytest.mark.parametrize("name", ["pggan", "stylegan"])
def test_gains_are_a_rectifier_s_and_one_where_none_follows(name):
    model = made(name)
    for network in ("generator", "critic"):
        for where, layer in getattr(model, network).named_modules():
            if isinstance(layer, EqualisedConv2d | EqualisedLinear):
                wanted = gain(name, network, where, layer) / math.sqrt(layer.weight[0].numel())
                assert layer.scale == pytest.approx(wanted), (network, where)


@pytest.mark.parametrize(("name", "count"), [("pggan", 0), ("stylegan", 1)])
def test_only_stylegan_blurs_whenever_sides_change(name, count):
    model = made(name)
    blurred = seen_by(model.generator, Blur, model.draw_noise(4, gen()), 2, 1.0)
    assert [len(maps) for maps in blurred] == [4] * 2 * count
    assert [maps.shape[2] for maps in blurred] == [8, 16][: 2 * count]
    shown = seen_by(model.critic, Blur, torch.randn(4, 1, 16, 16, generator=gen()), 2, 1.0)
    assert [maps.shape[2] for maps in shown] == [16, 8][: 2 * count]
