"""Equalised rates, pixel norm, the minibatch's deviation, fades: by hand."""

import math

import pytest
import torch

from families.layers.equalised import EqualisedConv2d, EqualisedLinear
from families.layers.growing import MinibatchDeviation, down, enlarged, faded, pixel_norm, reduced, up


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_constant_of_an_equalised_convolution_is_hes():
    torch.manual_seed(0)
    layer = EqualisedConv2d(8, 500, 3)
    assert layer.scale == pytest.approx(math.sqrt(2 / 72))
    x = torch.randn(64, 8, 3, 3, generator=gen(1))
    assert float(layer(x)[:, :, 1, 1].std()) == pytest.approx(math.sqrt(2), rel=0.05)
    assert float(layer.weight.std()) == pytest.approx(1, rel=0.02)
    dense = EqualisedLinear(200, 300, gain=1.0)
    assert float(dense(torch.randn(500, 200, generator=gen(1))).std()) == pytest.approx(1, rel=0.05)


def test_a_step_of_adam_moves_what_a_layer_does_by_rate_times_its_constant():
    torch.manual_seed(0)
    x, lr = torch.randn(5, 8, 4, 4, generator=gen()), 1e-3
    for layer in (EqualisedConv2d(8, 4, 3), EqualisedConv2d(8, 4, 1, gain=1.0)):
        before = layer.weight.detach() * layer.scale
        optimizer = torch.optim.Adam(layer.parameters(), lr=lr)
        layer(x).square().sum().backward()
        optimizer.step()
        moved = (layer.weight.detach() * layer.scale - before).abs()
        torch.testing.assert_close(moved, torch.full_like(moved, lr * layer.scale), rtol=1e-3, atol=1e-8)


def test_a_slow_layer_does_as_much_and_learns_so_much_slower():
    torch.manual_seed(0)
    fast, slow = (EqualisedLinear(100, 100, rate=rate) for rate in (1.0, 0.01))
    x = torch.randn(300, 100, generator=gen())
    assert float(slow(x).std() / fast(x).std()) == pytest.approx(1, rel=0.05)
    moved = []
    for layer in (fast, slow):
        before = layer(x).detach()
        weight = (layer.weight * layer.scale).detach()
        optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
        layer(x).square().sum().backward()
        optimizer.step()
        moved.append(float(((layer.weight * layer.scale) - weight).abs().mean()))
        assert not torch.equal(layer(x), before)
    assert moved[1] / moved[0] == pytest.approx(0.01, rel=1e-2)


def test_pixel_norm_leaves_a_mean_square_of_one():
    x = torch.randn(3, 16, 4, 4, generator=gen())
    torch.testing.assert_close(pixel_norm(x).square().mean(1), torch.ones(3, 4, 4), rtol=0, atol=1e-4)
    torch.testing.assert_close(pixel_norm(torch.tensor([[3.0, 4.0]])), torch.tensor([[3.0, 4.0]]) / math.sqrt(12.5))


def test_the_deviation_of_a_group_by_hand():
    layer = MinibatchDeviation()
    values = torch.tensor([0.0, 0, 2, 2]).view(4, 1, 1, 1).expand(-1, 2, 3, 3).clone()
    assert torch.equal(layer(values)[:, :2], values)
    torch.testing.assert_close(layer(values)[:, 2], torch.ones(4, 3, 3))
    equal = torch.ones(4, 2, 3, 3, requires_grad=True)
    torch.testing.assert_close(layer(equal)[:, 2], torch.full((4, 3, 3), 1e-4))
    (slope,) = torch.autograd.grad(layer(equal).sum(), equal)
    assert torch.isfinite(slope).all()
    both = torch.cat([values, torch.ones_like(values)])
    assert layer(both)[:, 2, 0, 0].round(decimals=3).tolist() == [1, 1, 1, 1, 0, 0, 0, 0], "groups do not mix"
    assert layer(torch.tensor([0.0, 2, 1, 1, 1, 1]).view(6, 1, 1, 1))[0, 1] == pytest.approx(math.sqrt(1 / 3))


def test_images_are_reduced_by_means_and_enlarged_by_repetition():
    images = torch.arange(16.0).view(1, 1, 4, 4)
    assert down(images).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert reduced(images, 2).item() == 7.5
    assert torch.equal(reduced(enlarged(images, 2), 2), images)
    assert torch.equal(up(images)[0, 0, :2, :2], torch.zeros(2, 2))
    assert torch.equal(faded(images, -images, 0.25), images / 2)
