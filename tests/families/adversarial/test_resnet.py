from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from families.adversarial import dcgan
from families.adversarial.conditional_norm import ClassBatchNorm, Conditional
from families.adversarial.dcgan import unnormalised
from families.adversarial.resnet import Critic, Generator, down, up
from families.layers.attention import Attention
from families.layers.scaling import halved, scales

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 8), (1, 4, 4), (1, 2, 2), (3, 5, 7), (3, 13, 17)]


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES)
def test_channels_double_with_each_halving_but_the_last(shape):
    generator, critic = Generator(shape, 6, 4), Critic(shape, 4)
    assert generator.base[0] == critic.features == 4 * 2 ** max(scales(*shape[1:]) - 1, 0)


def seen(network, kind, x):
    """Sizes of the maps that layers of ``kind`` take."""
    sizes = []
    hooks = [
        m.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(inputs[0].shape[1:])))
        for m in network.modules()
        if isinstance(m, kind)
    ]
    network(x)
    for hook in hooks:
        hook.remove()
    return sizes


def test_blocks_of_28_pixels_go_7_14_28_and_back():
    from families.adversarial.resnet import Residual

    generator, critic = Generator((1, 28, 28), 6, 4), Critic((1, 28, 28), 4)
    assert seen(generator, Residual, torch.randn(2, 6)) == [(8, 7, 7), (8, 14, 14)]
    assert seen(critic, Residual, torch.randn(2, 1, 28, 28)) == [(1, 28, 28), (4, 14, 14), (8, 7, 7)]


def test_a_generators_block_is_the_papers():
    block, x = up(3, 2, nn.BatchNorm2d, (8, 8)).double().eval(), normal(2, 3, 4, 4)
    one, two = (layer for layer in block.path if isinstance(layer, nn.Conv2d))
    shrink = (1 + 1e-5) ** 0.5  # batch normalisation that has seen nothing

    def doubled(x):
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    path = F.conv2d(doubled((x / shrink).relu()), one.weight, padding=1)
    path = F.conv2d((path / shrink).relu(), two.weight, padding=1)
    torch.testing.assert_close(block(x), path + F.conv2d(doubled(x), block.skip[0].weight))


def test_odd_sides_are_halved_with_rounding_up_and_doubled_but_for_the_last_place():
    x = normal(2, 3, 5, 7)
    half = down(3, 2, unnormalised, halve=True).double().skip[0](x)
    torch.testing.assert_close(half[:, :, :2, :3], F.avg_pool2d(x, 2))
    torch.testing.assert_close(half[:, :, 2, 3], x[:, :, 4, 6])
    torch.testing.assert_close(half[:, :, 2, 0], x[:, :, 4, :2].mean(2))
    doubled = half.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(up(3, 2, nn.BatchNorm2d, (5, 7)).path[2](half), doubled[:, :, :5, :7])


@pytest.mark.parametrize("first", [True, False])
def test_a_critics_block_is_the_papers(first):
    block, x = down(3, 2, unnormalised, halve=True, first=first).double(), normal(2, 3, 4, 4)
    one, two = (layer for layer in block.path if isinstance(layer, nn.Conv2d))

    def mean(x):
        return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4

    path = F.conv2d(x if first else x.relu(), one.weight, one.bias, padding=1)
    path = mean(F.conv2d(path.relu(), two.weight, two.bias, padding=1))
    skip = F.conv2d(mean(x), block.skip[1].weight, block.skip[1].bias)
    torch.testing.assert_close(block(x), path + skip)


def test_a_block_of_one_size_passes_x_itself():
    block, x = down(3, 3, unnormalised, halve=False).double(), normal(2, 3, 4, 4)
    torch.testing.assert_close(block(x), block.path(x) + x)


def test_the_critics_logit_is_linear_in_the_sum_over_places_of_what_is_positive():
    critic, images = Critic((1, 8, 8), 4, unnormalised).double(), normal(3, 1, 8, 8)
    last = critic.layers[:-1](images)
    logit, features = critic(images)
    torch.testing.assert_close(features, last.clamp(min=0).flatten(2).sum(2))
    torch.testing.assert_close(logit, features @ critic.logit.weight[0])


def test_normalisation_stands_before_all_of_the_blocks_convolutions_but_the_first():
    critic = Critic((1, 28, 28), 4)
    convolutions = [m for m in critic.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(convolutions) == 6
    assert sum(isinstance(m, nn.BatchNorm2d) for m in critic.modules()) == 5
    assert isinstance(critic.layers[0].path[0], nn.Conv2d)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in Critic((1, 8, 8), 4, unnormalised).modules())
    assert isinstance(Generator((1, 8, 8), 6, 4).layers[-4], nn.BatchNorm2d)


def test_an_unnormalised_critic_judges_each_image_by_itself():
    critic = Critic((1, 8, 8), 4, unnormalised).double()
    images = normal(4, 1, 8, 8).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(images)[0][2], images)
    assert [bool(row.any()) for row in gradient] == [False, False, True, False]


NETWORKS = {"residual": (Generator, Critic), "convolutional": (dcgan.Generator, dcgan.Critic)}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shape", SHAPES)
def test_both_networks_attend_at_half_the_resolution_and_at_full_where_there_is_no_half(network, shape):
    generator, critic = (
        make(shape, *args, attention=True) for make, args in zip(NETWORKS[network], [(6, 4), (4,)], strict=True)
    )
    half = halved(shape[1:], min(scales(*shape[1:]), 1))
    for net, x in ((generator, torch.randn(2, 6)), (critic, torch.randn(2, *shape))):
        assert [size[1:] for size in seen(net, Attention, x)] == [half]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_generator_has_a_conditional_layer_for_each_doubling_and_all_of_them_hear(network, shape):
    generator = NETWORKS[network][0](shape, 6, 4, partial(ClassBatchNorm, classes=3)).double()
    first = [layer for layer in generator.layers if isinstance(layer, Conditional)]
    assert len(first) == max(scales(*shape[1:]), 1)
    conditions = [torch.tensor([k % 3, (k + 1) % 3]) for k in range(len(first))]
    heard = []
    for layer in generator.modules():
        if isinstance(layer, ClassBatchNorm):
            layer.register_forward_hook(lambda module, inputs, output: heard.append(inputs[1]))
    generator((normal(2, 6), *conditions))
    blocks = len(heard) // len(first)
    assert all(heard[k] is conditions[k // blocks] for k in range(len(heard)))


def test_a_width_of_zero_is_refused():
    for network in (lambda: Generator((1, 8, 8), 4, 0), lambda: Critic((1, 8, 8), 0)):
        with pytest.raises(ValueError, match="width=0"):
            network()


@pytest.mark.parametrize("network", [Generator((3, 32, 32), 64, 32), Critic((3, 32, 32), 32)])
def test_weights_begin_as_glorots_wider_before_a_rectifier_and_biases_at_0(network):
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(layers) > 5
    for layer in layers:
        places, gain = layer.weight[0, 0].numel(), 2 if layer.weight[0, 0].numel() > 1 else 1
        bound = (gain * 6 / (places * sum(layer.weight.shape[:2]))) ** 0.5
        assert float(layer.weight.detach().abs().max()) == pytest.approx(bound, rel=0.1)
        assert layer.bias is None or not layer.bias.any()
