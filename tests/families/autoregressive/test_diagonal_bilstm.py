import pytest
import torch

from families.autoregressive import diagonal_bilstm
from families.autoregressive.diagonal_bilstm import DiagonalBiLSTM, diagonals, pixelrnn_diagonal_bilstm
from families.autoregressive.masked import group_of
from families.autoregressive.sampling import draw_cached, draw_naive
from genbench import DataSpec
from genbench.seed import generator
from tests.families.autoregressive.test_every import influences, randomised, task


@pytest.mark.parametrize(("height", "width"), [(3, 4), (4, 2), (1, 3), (3, 1), (1, 1)])
def test_diagonals_are_the_skewed_maps_columns_without_their_empty_places(height, width):
    order, counts = diagonals(height, width, torch.device("cpu"))
    skewed = torch.full((height, height + width - 1), -1)
    for y in range(height):
        skewed[y, y : y + width] = y * width + torch.arange(width)
    columns = [column[column >= 0] for column in skewed.T]
    assert torch.equal(order, torch.cat(columns))
    assert counts == [len(column) for column in columns]


def one_pass(x, inputs, bias, state):
    """The left pass, pixel by pixel: on from the state above, and from state and memory beside."""
    height, columns, n, _ = x.shape
    width = state.shape[-1] // 4
    zero = torch.zeros(n, width, dtype=x.dtype)
    h, c = {}, {}
    for y in range(height):
        for x_ in range(columns):
            above, beside = h.get((y - 1, x_), zero), h.get((y, x_ - 1), zero)
            o, f, i, g = (x[y, x_] @ inputs.T + bias + above @ state[:width] + beside @ state[width:]).chunk(4, 1)
            c[y, x_] = f.sigmoid() * c.get((y, x_ - 1), zero) + i.sigmoid() * g.tanh()
            h[y, x_] = o.sigmoid() * c[y, x_].tanh()
    return torch.stack([torch.stack([h[y, x_] for x_ in range(columns)]) for y in range(height)])


@pytest.mark.parametrize(("height", "columns"), [(4, 6), (5, 2), (1, 3), (3, 1)])
@pytest.mark.parametrize("groups", [1, 3])
def test_a_layer_is_the_left_pass_and_the_mirrored_one_a_row_further_down(height, columns, groups):
    torch.manual_seed(0)
    width = 4
    layer = DiagonalBiLSTM(width, groups, 0).double()
    x = torch.randn(height, columns, 2, 2 * width, dtype=torch.float64)
    may = group_of(width, groups).repeat(4)[:, None] >= group_of(2 * width, groups)
    weights = [conv.weight[:, :, 0, 0] * may for conv in layer.inputs]
    for conv in layer.inputs:
        torch.nn.init.normal_(conv.bias)
    left = one_pass(x, weights[0], layer.inputs[0].bias, layer.state[0])
    right = one_pass(x.flip(1), weights[1], layer.inputs[1].bias, layer.state[1]).flip(1)
    right = torch.cat([torch.zeros_like(right[:1]), right[:-1]])
    assert torch.allclose(layer(x, None), left + right)


@pytest.mark.parametrize("place", [(3, 2), (0, 3), (4, 0), (2, 5)])
def test_a_layer_sees_its_pixel_all_to_the_left_and_all_above_and_nothing_else(place):
    torch.manual_seed(0)
    layer = DiagonalBiLSTM(3, 1, 0).double()
    x = torch.randn(5, 6, 1, 6, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x, None)[place].sum(), x)
    seen = (gradient.abs().sum((2, 3)) > 0).flatten()
    assert torch.equal(seen, torch.arange(30) <= 6 * place[0] + place[1])


@pytest.mark.parametrize("shape", [(1, 3, 12), (1, 12, 3), (3, 2, 7)])
def test_a_single_layer_leaves_no_blind_spot_up_to_the_last_value_of_the_row_above(shape):
    seen = sum(
        influences(randomised(pixelrnn_diagonal_bilstm(DataSpec(shape, 3), width=6, depth=1), seed), seed)
        for seed in range(4)
    )
    assert torch.equal(seen > 0, torch.ones_like(seen).tril(-1).bool())


@pytest.mark.parametrize("shape", [(1, 6, 2), (1, 2, 6), (1, 1, 4), (2, 4, 1), (3, 1, 1)])
@pytest.mark.parametrize("conditional", [False, True])
def test_any_sides_are_sampled_alike(shape, conditional):
    model = pixelrnn_diagonal_bilstm(DataSpec(shape, 4, classes=3), width=3, depth=2, conditional=conditional)
    drawing = task(randomised(model), 5, labels=conditional)
    with torch.no_grad():
        assert torch.equal(draw_cached(drawing), draw_naive(drawing))


def test_sampling_makes_the_right_pass_once_a_finished_row_in_all_layers_at_once(monkeypatch):
    calls, one = [], diagonal_bilstm.lstm_step
    monkeypatch.setattr(diagonal_bilstm, "lstm_step", lambda *sums: calls.append(sums[0].dim()) or one(*sums))
    height, width, depth = 3, 4, 2
    model = randomised(pixelrnn_diagonal_bilstm(DataSpec((1, height, width), 3), width=2, depth=depth))
    model.sample(2, generator=generator(0))
    visited = height * width + height - 1  # with the column beyond the image, but for the last row
    assert calls.count(2) == depth * visited
    assert calls.count(3) == (height - 1) * (width + 1)
