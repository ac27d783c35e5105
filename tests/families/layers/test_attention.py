import math

import pytest
import torch

from families.layers.attention import Attention, attention_scale


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def attending(channels, gamma):
    layer = Attention(channels).double()
    with torch.no_grad():
        layer.gamma.fill_(gamma)
    return layer


def by_hand(layer, x):
    """Equations 1 to 3 of 1805.08318, a place at a time."""
    f, g, h, v = (part.weight.detach()[:, :, 0, 0] for part in (layer.f, layer.g, layer.h, layer.v))
    out, (rows, columns) = x.clone(), x.shape[2:]
    places = [(r, c) for r in range(rows) for c in range(columns)]
    for image in range(len(x)):
        at = {place: x[image, :, place[0], place[1]] for place in places}
        for j in places:
            weights = {i: math.exp(float((f @ at[i]) @ (g @ at[j]))) for i in places}
            o = v @ sum(weights[i] / sum(weights.values()) * (h @ at[i]) for i in places)
            out[image, :, j[0], j[1]] += layer.gamma.item() * o
    return out


def test_attention_is_what_a_loop_over_places_gives():
    layer, x = attending(16, 0.7), normal(2, 16, 2, 3)
    with torch.no_grad():
        layer.f.weight *= 3  # so that the shares differ
    torch.testing.assert_close(layer(x).detach(), by_hand(layer, x))


def test_it_begins_as_the_identity_and_first_learns_gamma():
    layer, x = Attention(16).double(), normal(2, 16, 3, 3)
    assert torch.equal(layer(x), x)
    layer(x).square().sum().backward()
    assert {name for name, p in layer.named_parameters() if bool(p.grad.any())} == {"gamma"}
    with torch.no_grad():
        layer.gamma.fill_(0.1)
    layer.zero_grad()
    layer(x).square().sum().backward()
    assert all(bool(p.grad.any()) for p in layer.parameters())


def test_every_place_depends_on_every_other():
    layer, x = attending(8, 1.0), normal(1, 8, 3, 3).requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x)[0, :, 0, 0].sum(), x)
    assert bool((gradient != 0).any(1).all())


def test_channels_are_an_eighth_and_a_half_and_never_none():
    layer, small = Attention(32), Attention(2)
    assert [part.out_channels for part in (layer.f, layer.g, layer.h, layer.v)] == [4, 4, 16, 32]
    assert small(torch.ones(1, 2, 2, 2)).shape == (1, 2, 2, 2)


@pytest.mark.parametrize(("side", "scale"), [(2, 0), (8, 1), (28, 1), (32, 1), (64, 1), (128, 2), (256, 3)])
def test_it_stands_at_half_the_resolution_or_at_32(side, scale):
    assert attention_scale(side, side) == scale
