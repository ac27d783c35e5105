import pytest
import torch
from torch import nn

from families.adversarial.dcgan import Critic, Generator, unnormalised
from families.layers.scaling import scales

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 8), (1, 4, 4), (1, 2, 2), (3, 5, 7), (3, 13, 17), (1, 33, 35)]


def test_scales_of_28_pixels_are_7_14_28():
    generator, critic = Generator((1, 28, 28), 6, 8), Critic((1, 28, 28), 8)
    assert generator.base == (16, 7, 7)
    assert critic.features == 16 * 7 * 7


@pytest.mark.parametrize("shape", SHAPES)
def test_both_networks_have_a_strided_layer_for_each_scale_whatever_the_sides(shape):
    for network, kind in ((Generator(shape, 6, 8), nn.ConvTranspose2d), (Critic(shape, 8), nn.Conv2d)):
        strided = [layer for layer in network.layers if isinstance(layer, kind) and layer.stride == (2, 2)]
        assert len(strided) == scales(*shape[1:])


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_the_generator_is_dcgans(shape):
    layers = list(Generator(shape, 6, 8).layers)
    assert isinstance(layers[-1], nn.Tanh)
    ups = [layer for layer in layers if isinstance(layer, nn.ConvTranspose2d)]
    assert isinstance(layers[-2], nn.ConvTranspose2d), "no normalisation behind the last convolution"
    assert all(up.stride == (2, 2) for up in ups)
    norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == len(ups) == sum(isinstance(layer, nn.ReLU) for layer in layers)
    assert all(norm.momentum == 0.1 and norm.eps == 1e-5 for norm in norms)


def test_the_critic_is_dcgans_and_normalises_all_but_its_input():
    layers = list(Critic((3, 32, 32), 8).layers)
    assert isinstance(layers[0], nn.Conv2d)
    assert isinstance(layers[1], nn.LeakyReLU)
    leaks = [layer for layer in layers if isinstance(layer, nn.LeakyReLU)]
    assert len(leaks) == 3
    assert all(leak.negative_slope == 0.2 for leak in leaks)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in layers) == 2
    assert not any(isinstance(m, nn.BatchNorm2d) for m in Critic((3, 32, 32), 8, unnormalised).modules())


def test_an_unnormalised_critic_judges_each_image_by_itself():
    critic = Critic((1, 8, 8), 8, unnormalised).double()
    images = torch.randn(4, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(critic(images)[0][2], images)
    assert [bool(row.any()) for row in gradient] == [False, False, True, False]


def test_a_width_of_zero_is_refused():
    for network in (lambda: Generator((1, 8, 8), 4, 0), lambda: Critic((1, 8, 8), 0)):
        with pytest.raises(ValueError, match="width=0"):
            network()


@pytest.mark.parametrize("network", [Generator((1, 32, 32), 64, 64), Critic((1, 32, 32), 64)])
def test_the_scales_of_batch_normalisation_begin_around_1(network):
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    for norm in norms:
        assert float(norm.weight.detach().std()) == pytest.approx(0.02, rel=0.5)
        assert float(norm.weight.detach().mean()) == pytest.approx(1, abs=0.01)
        assert not norm.bias.any()
