import pytest
import torch
from torch.nn import functional as F

from families.autoregressive.columns import FEW, ColumnConvolution, RowConvolution, in_turn


@pytest.mark.parametrize("taps", [1, 2, 4])
def test_a_product_over_slots_used_in_turn_is_the_sum_over_the_last_columns(taps):
    weight = torch.randn(5, 3, taps, dtype=torch.float64)
    columns = torch.randn(9, 3, dtype=torch.float64)
    slots, products = torch.zeros(taps, 3, dtype=torch.float64), in_turn(weight)
    for i, column in enumerate(columns):
        slots[i % taps] = column
        padded = F.pad(columns, (0, 0, taps - 1, 0))[i : i + taps]  # oldest first
        assert torch.allclose(slots.flatten() @ products[i % taps], torch.einsum("oit,ti->o", weight, padded))


@pytest.mark.parametrize("inputs", [2, FEW])
@pytest.mark.parametrize(("rows", "kernel"), [(1, 3), (2, 3), (3, 7), (2, 1)])
def test_rows_answer_what_a_convolution_over_the_last_rows_does(rows, kernel, inputs):
    n, width, height = 3, 5, 6
    weight = torch.randn(4, inputs, rows, kernel, dtype=torch.float64)
    image = torch.randn(n, inputs, height, width, dtype=torch.float64)
    expected = F.conv2d(F.pad(image, (kernel // 2, kernel // 2, rows - 1, 0)), weight)
    convolution = RowConvolution(weight, n, width)
    base, out = torch.randn(width * n, 4, dtype=torch.float64), torch.empty(width * n, 4, dtype=torch.float64)
    for y in range(height):
        convolution.push(image[:, :, y].permute(2, 0, 1))
        convolution.answer(base, out)
        assert torch.allclose(out - base, expected[:, :, y].permute(2, 0, 1).flatten(0, 1))


def test_a_row_begins_with_nothing_to_its_left():
    weight = torch.randn(4, 2, 3, dtype=torch.float64)
    convolution = ColumnConvolution(weight, [torch.arange(4)], [slice(0, 2)], 1)
    row, base = torch.randn(5, 1, 2, dtype=torch.float64), torch.zeros(1, 4, dtype=torch.float64)
    for _ in range(2):
        convolution.begin()
        for x, values in enumerate(row):
            convolution.slot(x, 0).copy_(values)
            padded = F.pad(row[:, 0].T, (2, 0))[:, x : x + 3]
            assert torch.allclose(convolution.answer(x, 0, base)[0], torch.einsum("oit,it->o", weight, padded))
