import pytest
import torch
from torch.nn import functional as F

from families.autoregressive import row_lstm
from families.autoregressive.masked import group_of
from families.autoregressive.row_lstm import RowLSTM, pixelrnn_row_lstm
from genbench import DataSpec
from genbench.seed import generator
from tests.families.autoregressive.test_every import randomised


@pytest.mark.parametrize("groups", [1, 3])
def test_a_layer_is_the_papers_two_convolutions_under_four_gates(groups):
    torch.manual_seed(0)
    width, n, height, columns = 5, 2, 4, 6
    layer = RowLSTM(width, groups, 0).double()
    torch.nn.init.normal_(layer.inputs.bias)
    x = torch.randn(height, columns, n, 2 * width, dtype=torch.float64)

    its, own = group_of(2 * width, groups), group_of(width, groups).repeat(4)
    inputs = layer.inputs.weight[:, :, 0].clone()  # (4h, 2h, 3)
    inputs[:, :, 2] = 0
    inputs[:, :, 1] *= own[:, None] >= its
    state = layer.state.unflatten(0, (3, width)).permute(2, 1, 0)  # (4h, h, 3)
    h = c = torch.zeros(n, width, columns, dtype=torch.float64)
    rows = []
    for row in x:
        sums = F.conv1d(h, state, padding=1) + F.conv1d(row.permute(1, 2, 0), inputs, layer.inputs.bias, padding=1)
        o, f, i, g = sums.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        rows.append(h.permute(2, 0, 1))
    assert torch.allclose(layer(x, None), torch.stack(rows))


def test_a_layer_sees_a_triangle_that_widens_by_one_on_either_side_for_each_row_above():
    torch.manual_seed(0)
    layer = RowLSTM(3, 1, 0).double()
    x = torch.randn(5, 13, 1, 6, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x, None)[4, 6].sum(), x)
    up, right = 4 - torch.arange(5)[:, None], torch.arange(13) - 6
    assert torch.equal(gradient.abs().sum((2, 3)) > 0, (-up - 1 <= right) & (right <= up))


def test_sampling_computes_state_to_state_once_a_row_and_layer(monkeypatch):
    calls, whole = [], row_lstm.beside
    monkeypatch.setattr(row_lstm, "beside", lambda state: calls.append(tuple(state.shape)) or whole(state))
    model = randomised(pixelrnn_row_lstm(DataSpec((3, 4, 5), 3), width=6, depth=2))
    model.sample(7, generator=generator(0))
    assert calls == [(5, 7, 6)] * (2 * 3)
