import pytest
import torch
from torch import nn

from families.adversarial.virtual_norm import VirtuallyNormalised, VirtualNorm
from families.gan.heads import Head
from genbench import Budget, FitConfig
from tests.families.gan.tiny import build, gen, only, randn, splits


def virtual(rows=4, channels=3):
    norm = nn.BatchNorm2d(channels).double()
    with torch.no_grad():
        norm.weight.copy_(randn(channels, seed=8))
        norm.bias.copy_(randn(channels, seed=9))
    return VirtualNorm(norm, rows), norm


@pytest.mark.parametrize("places", [(), (2, 5)])
def test_a_row_is_normalised_by_the_reference_and_itself_as_one_batch(places):
    net, norm = virtual()
    x = (3 * randn(4 + 3, 3, *places) + 2).requires_grad_()
    got = net(x)

    def by_hand(row, rows):
        axes = [0, *range(2, x.dim())]
        mean, variance = rows.mean(axes), rows.var(axes, unbiased=False)
        shape = (-1, *[1] * len(places))
        scaled = (row - mean.view(shape)) / (variance + norm.eps).sqrt().view(shape)
        return scaled * norm.weight.view(shape) + norm.bias.view(shape)

    wanted = [by_hand(x[i], x[:4]) for i in range(4)] + [
        by_hand(x[i], torch.cat([x[:4], x[i : i + 1]])) for i in (4, 5, 6)
    ]
    torch.testing.assert_close(got, torch.stack(wanted))
    for mine, theirs in zip(
        torch.autograd.grad(got[5].sin().sum(), [x, norm.weight, norm.bias], retain_graph=True),
        torch.autograd.grad(wanted[5].sin().sum(), [x, norm.weight, norm.bias]),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("training", [True, False])
def test_a_sample_does_not_depend_on_its_neighbours_in_either_mode(training):
    model = only(virtual_batch_normalisation=True).double().train(training)
    codes = randn(5, 6)
    images = model.generator(codes)
    for i in range(5):
        torch.testing.assert_close(model.generator(codes[i : i + 1]), images[i : i + 1])
    torch.testing.assert_close(model.generator(codes.flip(0)).flip(0), images)
    plain = build("gan").double().train()
    assert not torch.allclose(plain.generator(codes)[:1], plain.generator(codes[:2])[:1])


def test_virtual_batch_normalisation_alone_changes_the_generators_normalisation():
    model, gan = only(virtual_batch_normalisation=True), build("gan")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.generator.modules())
    norms = [module for module in model.generator.modules() if isinstance(module, VirtualNorm)]
    assert len(norms) == sum(isinstance(module, nn.BatchNorm2d) for module in gan.generator.modules())
    assert (type(model.head), len(model.terms), model.loss.generator) == (Head, 0, gan.loss.generator)
    assert [type(module) for module in model.critic.modules()] == [type(module) for module in gan.critic.modules()]
    scores = torch.zeros(2)
    torch.testing.assert_close(model.loss.critic(scores, scores), gan.loss.critic(scores, scores))


def test_the_reference_is_fixed_at_construction_and_what_it_says_counts():
    model = only(virtual_batch_normalisation=True)
    reference = model.generator.reference.clone()
    assert reference.shape == (64, 6)
    assert float(reference.std()) == pytest.approx(1, abs=0.2)
    assert not torch.equal(reference, only(seed=1, virtual_batch_normalisation=True).generator.reference)
    codes = torch.randn(3, 6, generator=gen())
    before = model.generator(codes)
    model.fit(splits(), FitConfig(Budget(steps=3), batch_size=8))
    assert torch.equal(model.generator.reference, reference)
    assert torch.equal(model.average.copies["generator"].reference, reference)
    other = only(virtual_batch_normalisation=True)
    other.generator.reference.mul_(3)
    assert not torch.allclose(other.generator(codes), before)


def test_a_network_without_normalisation_is_refused_by_name():
    with pytest.raises(ValueError, match="virtual_batch_normalisation=True: this network has none to replace"):
        only(network="dense", virtual_batch_normalisation=True)
    assert only(network="dense").latents == 6
    with pytest.raises(ValueError, match="rows=1"):
        VirtuallyNormalised(nn.BatchNorm1d(3), 3, rows=1)
