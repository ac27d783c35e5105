import math

import pytest
import torch

from families.autoregressive.gated_network import GatedLayer, GatedPixelCNN, gate
from families.autoregressive.gated_pixelcnn import gated_pixelcnn
from families.autoregressive.sampling import draw_cached, draw_naive
from genbench import Batch, DataSpec
from tests.families.autoregressive.test_every import influences, randomised, task


def seen_by(shape, **options):
    """Influence of every value on every draw, over several weights: a dead relu hides much."""
    return sum(influences(randomised(gated_pixelcnn(DataSpec(shape, 3), **options), seed), seed) for seed in range(6))


@pytest.mark.parametrize("width", [3, 4, 5, 7])
def test_channel_groups_survive_the_gates_whether_or_not_features_divide_by_channels(width):
    seen = seen_by((3, 2, 2), width=width, depth=2)
    assert (seen.triu() == 0).all()
    model = randomised(gated_pixelcnn(DataSpec((3, 3, 4), 4), width=width, depth=3))
    with torch.no_grad():
        assert torch.equal(draw_cached(task(model)), draw_naive(task(model)))


def test_green_sees_red_and_blue_sees_both_in_its_own_pixel():
    seen = seen_by((3, 1, 1), width=12, depth=2)
    assert ((seen > 0) == torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0]]).bool()).all()


def test_nothing_above_is_hidden_within_the_kernels_reach():
    seen = seen_by((1, 3, 8), width=4, depth=5)[2 * 8]  # the last row's first pixel; 3 and 4 columns to either side
    assert torch.equal(seen > 0, torch.arange(24) < 16)


def test_the_vertical_stack_sees_the_rows_above_and_nothing_else():
    network = randomised(gated_pixelcnn(DataSpec((2, 5, 4), 3), width=4, depth=3)).network
    x = torch.randn(1, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    v = h = x
    for layer in network.layers:
        v, h = layer(v, h, None)
        for y in range(5):
            (gradient,) = torch.autograd.grad(v[:, :, y].sum(), x, retain_graph=True, allow_unused=True)
            rows = gradient.abs().sum((0, 1, 3)) > 0
            assert not rows[y:].any()
            assert rows[max(y - 3, 0) : y].all()


def test_kernels_and_masks_are_the_papers():
    first, second = (layer for layer in gated_pixelcnn(DataSpec((1, 9, 9), 4), width=2, depth=2).network.layers)
    assert first.vertical.weight.shape == (4, 1, 3, 7)
    assert first.across.mask[0, 0].tolist() == [[1, 1, 1, 0, 0, 0, 0]]
    assert second.vertical.weight.shape == (4, 2, 2, 3)
    assert second.across.mask[0, 0].tolist() == [[1, 1, 0]]
    assert first.down.weight.shape == second.down.weight.shape == (4, 4, 1, 1)


def test_only_the_horizontal_stack_has_a_residual_and_not_in_the_first_layer():
    x, other = torch.randn(2, 4, 5, 5), torch.randn(2, 4, 5, 5)
    for first in (True, False):
        layer = GatedLayer(4, 4, 3, 1, 0, first=first)
        torch.nn.init.zeros_(layer.out.weight)
        _, h = layer(other, x, None)
        assert torch.equal(h, torch.zeros_like(x) if first else x)
    torch.nn.init.zeros_(layer.vertical.weight)
    v, _ = layer(other, x, None)
    assert torch.equal(v, torch.zeros_like(v))


def test_the_horizontal_gate_is_told_by_the_vertical_stack_before_its_gate():
    layer = GatedLayer(2, 2, 3, 1, 0).double()
    torch.nn.init.normal_(layer.vertical.bias)
    v, h = torch.randn(1, 2, 4, 4, dtype=torch.float64), torch.randn(1, 2, 4, 4, dtype=torch.float64)
    rows = layer.vertical(torch.nn.functional.pad(v, (1, 1, 1, 0)))
    expected = h + layer.out(gate(layer.across(h) + layer.down(rows)))
    above, beside = layer(v, h, None)
    assert torch.allclose(above, gate(rows))
    assert torch.allclose(beside, expected)


@pytest.mark.parametrize("half", range(4))
def test_the_label_is_a_bias_of_its_own_in_both_halves_of_every_gate(half):
    depth, width = 2, 4
    model = randomised(gated_pixelcnn(DataSpec((1, 4, 4), 4, classes=2), width=width, depth=depth, conditional=True))
    x, labels = torch.rand(1, 1, 4, 4, dtype=torch.float64).expand(2, -1, -1, -1), torch.arange(2)
    for told in model.network.layers:
        for layer in model.network.layers:
            layer.label.weight.data.zero_()
        assert torch.equal(*model.network(x, labels))
        told.label.weight.data[:, half * width : (half + 1) * width].normal_()
        assert not torch.allclose(*model.network(x, labels))


def test_the_labels_bias_is_the_same_at_every_pixel():
    layer = GatedLayer(2, 2, 3, 1, 3).double()
    torch.nn.init.normal_(layer.label.weight)
    x = torch.zeros(3, 2, 4, 5, dtype=torch.float64)
    for bias in (layer.vertical.bias, layer.across.bias):
        bias.data.zero_()
    labels = torch.arange(3)
    v, h = layer(x, x, labels)
    above, beside = layer.label(labels).chunk(2, 1)
    beside = beside + above @ layer.down.weight[:, :, 0, 0].T
    assert torch.allclose(v, gate(above[:, :, None, None]).expand_as(v))
    assert torch.allclose(h, layer.out(gate(beside[:, :, None, None])).expand_as(h))


def test_a_new_model_is_uniform_and_its_features_neither_die_nor_explode():
    model = gated_pixelcnn(DataSpec((1, 12, 12), 17), width=32, depth=12)
    images = torch.randint(17, (4, 1, 12, 12)).to(torch.uint8)
    bits = -model.log_likelihood(Batch(images)).nats / (144 * math.log(2))
    assert torch.allclose(bits, torch.full_like(bits, math.log2(17)), rtol=1e-6)
    v = h = images / 8 - 1
    for layer in model.network.layers:
        v, h = layer(v, h, None)
    assert 0.1 < v[:, :, 4:].std() < 1
    assert 0.1 < h.std() < 5


def test_columns_are_what_the_network_was_handed_to_make_them():
    asked, labels = [], torch.tensor([1, 0, 1])
    network = GatedPixelCNN((1, 4, 4), 4, 2, 3, 1, classes=2, cache=lambda *given: asked.append(given) or "columns")
    assert network.columns(3, labels) == "columns"
    ((its, n, told),) = asked
    assert its is network
    assert n == 3
    assert told is labels
