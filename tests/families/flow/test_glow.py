import math

import pytest
import torch
from torch import nn

from families.flow.convolution import InvertibleConv
from families.flow.couplings import ChannelCoupling
from families.flow.multiscale import FactorOut, Flatten, Squeeze
from families.flow.networks import PriorNetwork
from families.flow.normalisation import ActNorm
from families.flow.priors import LabelPrior
from families.layers.convolutional import ResidualBlock
from genbench import Batch, Budget, DataSpec, FitConfig, build
from genbench.seed import generator
from genbench.spec import Split, Splits
from tests.families.flow.helpers import batch_of, check_bijection, images_of, randomise, randomised


def parts(model, *kinds):
    return [part for part in model.modules() if isinstance(part, kinds)]


def test_a_step_is_actnorm_then_convolution_then_coupling_and_scales_follow_the_shape():
    model = build("glow", DataSpec((1, 28, 28)), width=2, depth=3)
    kinds = (Squeeze, ActNorm, InvertibleConv, ChannelCoupling, FactorOut, Flatten)
    step = ["ActNorm", "InvertibleConv", "ChannelCoupling"]
    prior = ["ChannelCoupling", "FactorOut"]
    wanted = ["Squeeze", *3 * step, *prior, "Squeeze", *3 * step, "Flatten"]
    assert [type(part).__name__ for part in parts(model, *kinds)] == wanted
    assert [len(part.learned) for part in parts(model, InvertibleConv)] == [4] * 3 + [8] * 3
    assert [part.shape for part in parts(model, FactorOut, Flatten)] == [(4, 14, 14), (8, 7, 7)]


@pytest.mark.parametrize(
    ("shape", "scales", "canvas", "squeezes"),
    [
        ((1, 28, 28), None, (1, 28, 28), 2),
        ((3, 32, 32), None, (3, 32, 32), 3),
        ((1, 4, 4), None, (1, 4, 4), 1),
        ((1, 7, 9), None, (1, 8, 10), 1),
        ((3, 7, 9), None, (3, 7, 9), 0),
        ((3, 13, 17), None, (3, 14, 18), 1),
        ((3, 30, 30), None, (3, 32, 32), 2),
        ((1, 30, 30), 2, (1, 32, 32), 2),
        ((2, 8, 8), 0, (2, 8, 8), 0),
    ],
)
def test_scales_derive_from_the_shape_and_padding_from_the_scales(shape, scales, canvas, squeezes):
    model = build("glow", DataSpec(shape), width=2, depth=1, scales=scales)
    assert model.dequantiser.shape == canvas
    assert len(parts(model, Squeeze)) == squeezes


def test_the_network_inside_couplings_is_the_paper_s_or_residual():
    spec = DataSpec((1, 8, 8))
    paper, residual = (build("glow", spec, width=4, depth=1, **given) for given in ({}, {"network": "residual"}))
    kernels = [layer.kernel_size for layer in paper.modules() if isinstance(layer, nn.Conv2d)]
    assert kernels == [(3, 3), (1, 1), (3, 3)]
    assert not parts(paper, ResidualBlock)
    assert len(parts(residual, ResidualBlock)) == 1
    assert len(parts(build("glow", spec, width=4, depth=2, network="residual", blocks=3), ResidualBlock)) == 6


@pytest.mark.parametrize("shape", [(1, 3, 2), (3, 2, 2)])
def test_a_label_s_prior_is_a_normal_of_its_own_for_each_value(shape):
    prior, x, labels = randomise(LabelPrior(shape, 3), scale=0.4), batch_of(shape), torch.tensor([2, 0, 2])
    y, log_det = check_bijection(prior, x, labels)
    mean, log_std = prior.table(labels).unflatten(1, (2, *shape)).unbind(1)
    wanted = torch.distributions.Normal(mean, log_std.exp()).log_prob(x).sum((1, 2, 3))
    standard = torch.distributions.Normal(0, 1).log_prob(y).sum((1, 2, 3))
    assert torch.allclose(standard + log_det, wanted)
    assert torch.equal(LabelPrior(shape, 3).double()(x, labels)[0], x)


def test_every_prior_is_told_the_label_and_without_it_none_is():
    told = build("glow", DataSpec((1, 8, 8), classes=3), width=2, depth=1, scales=2, conditional=True)
    assert len(parts(told, LabelPrior)) == 1
    assert all(network.label is not None for network in parts(told, PriorNetwork))
    plain = build("glow", DataSpec((1, 8, 8), classes=3), width=2, depth=1, scales=2)
    assert not parts(plain, LabelPrior)
    assert plain.given == ()
    for prior in parts(told, PriorNetwork):  # the split's alone: the finished half follows the label
        torch.nn.init.normal_(prior.label.weight)
    batch = images_of(told.spec, 4)
    nats = [
        told.log_likelihood(Batch(batch.images, torch.full((4,), k)), generator=generator(0)).nats for k in range(2)
    ]
    assert (nats[0] != nats[1]).all()


def test_the_split_s_prior_is_counted():
    model = randomised("glow", DataSpec((1, 8, 8), 17), width=4, depth=1, scales=2)
    (prior,) = [part for part in parts(model, ChannelCoupling) if isinstance(part.network, PriorNetwork)]
    seen = []
    prior.register_forward_hook(lambda part, given, answer: seen.append((given[0], answer)))
    batch = images_of(model.spec)
    v = model.dequantiser(batch.images, generator(0))[0]
    first = model.flow.log_prob(v)
    before = seen[0][0]
    raw, shift = prior.network(before[:, :2], None).chunk(2, 1)
    log_std = -prior.scale * torch.tanh(raw)
    finished = torch.distributions.Normal(-shift * log_std.exp(), log_std.exp()).log_prob(before[:, 2:])
    torch.nn.init.zeros_(prior.scale)  # the same chain, with nothing known of the finished half
    for parameter in prior.network.parameters():
        torch.nn.init.zeros_(parameter)
    plain = model.flow.log_prob(v)
    unknown = torch.distributions.Normal(0, 1).log_prob(before[:, 2:]).sum((1, 2, 3))
    assert torch.allclose(first - plain, finished.sum((1, 2, 3)) - unknown)


def test_priors_of_labels_learn_to_draw_what_the_label_says():
    spec = DataSpec((1, 4, 4), 9, classes=2)
    images = torch.zeros(64, 1, 4, 4, dtype=torch.uint8)
    images[::2, :, :2], images[1::2, :, 2:] = 8, 8
    split = Split(images, torch.arange(64) % 2)
    model = build("glow", spec, width=8, depth=2, conditional=True, lr=1e-2)
    model.fit(Splits(split, split), FitConfig(Budget(steps=120), batch_size=64))
    for label in range(2):
        drawn = model.sample(50, labels=torch.full((50,), label), generator=generator(0)).double()
        bright, dark = drawn[:, :, :2].mean(), drawn[:, :, 2:].mean()
        assert (bright > dark + 2) if label == 0 else (dark > bright + 2), (label, bright, dark)
    right = model.log_likelihood(split, generator=generator(0)).nats
    wrong = model.log_likelihood(Batch(images, 1 - split.labels), generator=generator(0)).nats
    assert (right - wrong).mean() > math.log(100)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((1, 8, 8), {"scales": 0}, "scales=0: give a whole number, 1 or more"),
        ((3, 8, 8), {"scales": -1}, "scales=-1: give a whole number, 0 or more"),
        ((3, 8, 8), {"scales": 4}, "take 0 to 3"),
        ((3, 8, 8), {"network": "dense"}, "network='dense': give pointwise, residual"),
        ((3, 8, 8), {"blocks": -1}, "blocks=-1: give a whole number, 0 or more"),
        ((3, 8, 8), {"conditional": "no"}, "conditional='no': give True or False"),
        ((3, 8, 8), {"depth": 0}, "depth=0: give a whole number, 1 or more"),
    ],
)
def test_silly_options_are_refused(shape, options, message):
    with pytest.raises(ValueError, match=message):
        build("glow", DataSpec(shape), **options)
