import itertools

import pytest
import torch
from torch.nn import functional as F

from families.autoregressive.shifted import DOWN, RIGHT, GatedBlock, GrowingConv2d, ShiftedConv2d, concat_elu
from genbench.seed import fork_rng


def test_a_block_is_two_convolutions_of_concat_elu_with_a_gate_and_shortcuts():
    with fork_rng(0):
        block = GatedBlock(3, RIGHT, shortcuts=2, classes=4, dropout=0.5).double().eval()
        block.second.weight.data.normal_()
        block.second.bias.data.normal_()
        x, *others = torch.randn(3, 2, 3, 5, 4, dtype=torch.float64)

    def both(z):
        return torch.cat((F.elu(z), F.elu(-z)), 1)

    def above_and_left(z):
        return F.pad(z, (1, 0, 1, 0))

    h = F.conv2d(above_and_left(both(x)), block.first.weight, block.first.bias)
    for shortcut, other in zip(block.shortcuts, others, strict=True):
        h = h + F.conv2d(both(other), shortcut.weight, shortcut.bias)
    h = F.conv2d(above_and_left(both(h)), block.second.weight, block.second.bias)
    labels = torch.tensor([3, 1])
    a, gate = (h + block.label.weight[labels][:, :, None, None]).split(3, 1)
    assert torch.allclose(block(x, *others, labels=labels), x + a * torch.sigmoid(gate), rtol=1e-12)


@pytest.mark.parametrize("kernel", [DOWN, RIGHT])
def test_convolutions_of_stride_two_stand_at_even_rows_and_columns(kernel):
    conv = ShiftedConv2d(2, 3, kernel, stride=2)
    whole = ShiftedConv2d(2, 3, kernel)
    whole.load_state_dict(conv.state_dict())
    x = torch.randn(1, 2, 8, 10)
    assert torch.allclose(conv(x), whole(x)[:, :, ::2, ::2], atol=1e-6)


@pytest.mark.parametrize(("kernel", "columns"), [(DOWN, (-1, 0, 1)), (RIGHT, (0, 1))])
def test_growing_speaks_to_the_two_rows_and_columns_behind_a_pixel(kernel, columns):
    conv, x = GrowingConv2d(1, kernel), torch.zeros(1, 1, 4, 4)
    torch.nn.init.ones_(conv.weight)
    x[0, 0, 2, 1] = 1
    expected = torch.zeros(1, 1, 8, 8)
    for row, column in itertools.product((0, 1), columns):
        expected[0, 0, 4 + row, 2 + column] = 1
    assert torch.equal(conv(x), expected)


def test_convolutions_of_concat_elu_begin_with_unit_variance():
    with fork_rng(0):
        block = GatedBlock(32, DOWN, shortcuts=1, classes=0, dropout=0.0)
        x, other = torch.randn(2, 4, 32, 16, 16)
    h = block.first(concat_elu(x)) + block.shortcuts[0](concat_elu(other))
    assert 0.8 < h[:, :, 1:, 1:-1].std() < 1.2
