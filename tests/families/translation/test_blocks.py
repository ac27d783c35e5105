import pytest
import torch
from torch import nn

from families.adversarial.dcgan import unnormalised
from families.layers.instance_norm import instance
from families.translation.blocks import convolution, inverted, residual, separable, shuffle
from families.translation.dropout import NoiseDropout
from families.translation.resnet import Decoder, Encoder, Translator, coarsest, end_kernel


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=gen(seed))


def translator(shape=(1, 8, 8), blocks=1, **options):
    ends = {name: options.pop(name) for name in ("conditions", "skip") if name in options}
    source = (shape[0] + ends.get("conditions", 0), *shape[1:])
    encoder = Encoder(source, 4, blocks, instance, "reflect", **options)
    return Translator(encoder, Decoder(shape, 4, 0, instance, "reflect"), **ends)


def zero(layer):
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def count(layer, kind):
    return sum(isinstance(one, kind) for one in layer.modules())


def test_a_convolution_keeps_or_halves_and_has_a_bias_where_no_normalisation_takes_it_away():
    x = randn(2, 3, 7, 8)
    assert convolution(3, 5, 3, instance, "reflect")(x).shape == (2, 5, 7, 8)
    assert convolution(3, 5, 3, stride=2)(x).shape == (2, 5, 4, 4)
    assert convolution(3, 5, 3, instance)[0].bias is None
    assert convolution(3, 5, 3)[0].bias is not None
    assert convolution(3, 5, 7, pad="reflect")[0].padding_mode == "reflect"


@pytest.mark.parametrize("block", [residual(4, instance, "reflect"), inverted(4, 2, instance)])
def test_residual_blocks_add_to_what_they_are_given(block):
    x = randn(2, 4, 6, 6)
    out = block(x)
    zero(block.second)
    assert torch.equal(block(x), x)
    assert out.shape == x.shape
    assert not torch.equal(out, x)


def test_dropout_is_behind_a_residual_block_s_first_convolution():
    block = residual(2, dropout=NoiseDropout((2, 4, 4), 0.5))
    x, u = randn(3, 2, 4, 4), randn(3, 32, seed=1)
    kept = (u > 0).view(3, 2, 4, 4) * 2
    torch.testing.assert_close(block(x, u), x + block.second(block.first(x) * kept))
    assert (block.latents, residual(2).latents) == (32, 0)


def test_separable_and_inverted_blocks_look_at_places_a_channel_at_a_time():
    layer = separable(4, 6, instance)
    assert layer(randn(2, 4, 6, 6)).shape == (2, 6, 6, 6)
    assert separable(4, 6, stride=2)(randn(2, 4, 6, 6)).shape == (2, 6, 3, 3)
    assert [one.weight.shape[1:] for one in layer.modules() if isinstance(one, nn.Conv2d)] == [(1, 3, 3), (4, 1, 1)]
    assert [one.weight.shape for one in inverted(4, 3).modules() if isinstance(one, nn.Conv2d)] == [
        (12, 4, 1, 1),
        (12, 1, 3, 3),
        (4, 12, 1, 1),
    ]


def test_a_shuffle_lays_channels_1_2_3_4_side_by_side_in_squares():
    layer = shuffle(1, 1, 2)
    with torch.no_grad():
        layer[0][0].weight.zero_()
        layer[0][0].bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert layer(torch.zeros(1, 1, 1, 2))[0, 0].tolist() == [[1, 2, 1, 2], [3, 4, 3, 4]]
    assert shuffle(2, 5, 3)(randn(1, 2, 2, 4)).shape == (1, 5, 6, 12)


@pytest.mark.parametrize(
    ("shape", "coarse"),
    [
        ((1, 28, 28), (16, 7, 7)),
        ((3, 32, 32), (16, 8, 8)),
        ((1, 8, 8), (8, 4, 4)),
        ((3, 13, 17), (8, 7, 9)),
        ((1, 18, 20), (16, 5, 5)),
        ((1, 3, 3), (4, 3, 3)),
        ((1, 2, 2), (4, 2, 2)),
    ],
)
@pytest.mark.parametrize("kernel", [3, 4])
def test_a_translator_halves_twice_at_most_and_comes_back_to_its_own_sides(shape, coarse, kernel):
    source = (2, *shape[1:])
    encoder = Encoder(source, 4, 2, instance, "reflect", kernel=kernel)
    net = Translator(encoder, Decoder(shape, 4, 1, instance, "reflect", kernel=kernel))
    assert coarsest(shape, 4) == coarse
    assert encoder(randn(3, *source)).shape == (3, *coarse)
    images = net(randn(3, *source))
    assert images.shape == (3, *shape)
    assert float(images.detach().abs().max()) <= 1
    assert (net.latents, end_kernel(shape)) == (0, 7 if min(shape[1:]) >= 4 else 3)
    (images - 1).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in net.parameters())


def test_no_bias_stands_in_front_of_a_normalisation_and_one_stands_where_there_is_none():
    net = translator((1, 16, 16))
    convolutions = [one for one in net.modules() if isinstance(one, (nn.Conv2d, nn.ConvTranspose2d))]
    assert [one.bias is not None for one in convolutions] == [False] * (len(convolutions) - 1) + [True]
    bare = Translator(
        Encoder((1, 8, 8), 4, 0, unnormalised, "zeros", kernel=4), Decoder((1, 8, 8), 4, 0, unnormalised, "zeros")
    )
    assert all(one.bias is not None for one in bare.modules() if isinstance(one, (nn.Conv2d, nn.ConvTranspose2d)))


def test_a_skip_adds_the_source_and_cuts_off():
    net, source = translator(skip=True), randn(2, 1, 8, 8).clamp(-1, 1)
    zero(net.decoder.last)
    assert torch.equal(net(source), source)
    nn.init.constant_(net.decoder.last[0].bias, 9.0)
    torch.testing.assert_close(net(source), (source + 1).clamp(max=1))


def test_a_condition_is_told_as_a_map_for_each_value():
    net, source = translator(conditions=3), randn(2, 1, 8, 8)
    told = torch.tensor([2, 0])
    maps = torch.zeros(2, 3, 8, 8)
    maps[0, 2] = maps[1, 0] = 1
    torch.testing.assert_close(net(source, None, told), net.decoder(net.encoder(torch.cat([source, maps], 1))))
    assert not torch.allclose(net(source, None, told), net(source, None, told.flip(0)))


def test_each_block_has_its_own_share_of_the_noise():
    net, source = translator(blocks=3, dropout=0.5), randn(2, 1, 8, 8)
    share = 8 * 4 * 4
    assert net.latents == 3 * share
    u = randn(2, net.latents, seed=1)
    image = net(source, u)
    for block in range(3):
        other = u.clone()
        other[:, block * share : (block + 1) * share] *= -1
        assert not torch.equal(net(source, other), image), block
    assert count(net, NoiseDropout) == 3
