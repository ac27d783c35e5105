import math

import pytest
import torch
from torch import nn

from families.layers.convolutional import ImageDecoder, ImageEncoder, doubling, faint, halving
from families.layers.dense import dense
from families.layers.scaling import halved, scales
from genbench.seed import fork_rng

SIDES = [(13, 17), (8, 8), (13, 8), (1, 3)]


@pytest.mark.parametrize("sides", SIDES)
def test_a_map_is_halved_with_rounding_up_and_doubled_back_to_its_own_sides(sides):
    x = torch.randn(2, 3, *sides, dtype=torch.float64, requires_grad=True)
    down = halving(3, 4, sides).double()(x)
    assert down.shape[2:] == halved(sides, 1)
    up = doubling(4, 3, sides).double()(down)
    assert up.shape == x.shape
    (gradient,) = torch.autograd.grad(down.square().sum(), x, retain_graph=True)
    assert gradient.all(), "every place is seen"
    for place in ((0, 0), (-1, -1)):
        (gradient,) = torch.autograd.grad(up[:, :, place[0], place[1]].sum(), x, retain_graph=True)
        assert gradient.any(), "every place is made of the map"


@pytest.mark.parametrize(("into", "out"), [(64, 1), (8, 32)])
def test_doubling_starts_by_the_inputs_that_an_output_gathers(into, out):
    with fork_rng(0):
        layer = doubling(into, out, (32, 32))
    bound = math.sqrt(1 / (4 * into))  # PyTorch's of a layer with so many inputs an output
    for parameter in layer.parameters():
        assert float(parameter.detach().abs().max()) <= bound
    assert float(layer.weight.detach().std()) == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_even_sides_have_the_plain_layers():
    x = torch.randn(2, 3, 8, 6)
    for layer, plain in (
        (halving(3, 4, (8, 6)), nn.Conv2d(3, 4, 4, stride=2, padding=1)),
        (doubling(3, 4, (16, 12), bias=False), nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1, bias=False)),
    ):
        assert (layer.bias is None) == (plain.bias is None)
        plain.load_state_dict(layer.state_dict())
        assert torch.equal(layer(x), plain(x))


@pytest.mark.parametrize("shape", [(3, 13, 17), (1, 33, 35), (1, 28, 28), (2, 5, 5), (1, 1, 1), (1, 2, 2)])
@pytest.mark.parametrize("depth", [0, 1])
def test_encoder_and_decoder_have_every_scale_of_the_shape_whatever_its_sides(shape, depth):
    with fork_rng(0):
        encoder = ImageEncoder(shape, 4, depth, 6).double()
        decoder = ImageDecoder(6, shape, 4, depth, 2 * shape[0]).double()
    for network, kind in ((encoder, nn.Conv2d), (decoder, nn.ConvTranspose2d)):
        strided = [m for m in network.modules() if isinstance(m, kind) and m.stride == (2, 2)]
        assert len(strided) == scales(*shape[1:])
        for parameter in network.parameters():  # silent layers would let no gradient by
            nn.init.normal_(parameter, std=0.3)
    codes = encoder(torch.randn(5, *shape, dtype=torch.float64))
    assert codes.shape == (5, 6)
    maps = decoder(codes)
    assert maps.shape == (5, 2 * shape[0], *shape[1:])
    maps.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in (*encoder.parameters(), *decoder.parameters()))


def test_networks_of_codes_begin_with_a_tenth_of_the_signal_at_their_ends():
    with fork_rng(0):
        ends = {
            "encoder": ImageEncoder((1, 8, 8), 16, 0, 8).layers[-1],
            "decoder": ImageDecoder(8, (1, 8, 8), 16, 0, 32).layers[-1],
            "dense": dense(100, 100, 1, 64, last=faint)[-1],
        }
    for name, layer in ends.items():
        he_std = (2 / layer.weight[0].numel()) ** 0.5
        assert layer.weight.std().item() == pytest.approx(0.1 * he_std, rel=0.1), name
        assert not layer.bias.any()
