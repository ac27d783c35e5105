import itertools

import pytest
import torch
from torch.nn import functional as F

from families.autoregressive.masked import MaskedColumns, MaskedConv2d, group_of, group_slices


@pytest.mark.parametrize("mask", ["A", "B"])
@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_half_a_kernel_is_the_masked_whole_one(mask, kernel):
    layer = MaskedConv2d(3, 6, kernel, mask, groups=3).double()
    torch.nn.init.normal_(layer.bias)
    reach, x = kernel // 2, torch.randn(2, 3, 8, 9, dtype=torch.float64)
    whole = torch.randn(6, 3, kernel, kernel, dtype=torch.float64)
    whole[:, :, : reach + 1] = layer.weight.detach()
    for out, inp, y, x_ in itertools.product(range(6), range(3), range(kernel), range(kernel)):
        at_the_middle, colour = (y, x_) == (reach, reach), out // 2
        allowed = colour > inp if mask == "A" else colour >= inp
        if y > reach or (y == reach and x_ > reach) or (at_the_middle and not allowed):
            whole[out, inp, y, x_] = 0
    assert torch.allclose(layer(x), F.conv2d(x, whole, layer.bias, padding=reach))


@pytest.mark.parametrize(("features", "groups", "chunks"), [(8, 3, 1), (14, 3, 2), (20, 3, 4), (8, 2, 2)])
def test_every_chunk_of_a_gate_has_the_same_groups(features, groups, chunks):
    first, *others = group_of(features, groups, chunks).chunk(chunks)
    assert all(torch.equal(first, other) for other in others)
    assert torch.equal(first, group_of(features // chunks, groups))
    assert first.unique().tolist() == list(range(groups))
    assert (first.diff() >= 0).all()
    for group, own in enumerate(group_slices(features // chunks, groups)):
        assert (first[own] == group).all()


def test_without_rows_above_only_the_row_itself_is_seen():
    layer = MaskedConv2d(1, 2, 5, "B", above=0, bias=False).double()
    x = torch.randn(1, 1, 3, 7, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[0, :, 1, 4].sum(), x)
    seen = torch.zeros(3, 7, dtype=torch.bool)
    seen[1, 2:5] = True
    assert torch.equal(gradient[0, 0] != 0, seen)
    assert layer.weight.shape == (2, 1, 1, 5)
    assert layer.bias is None


def test_an_output_begins_with_the_variance_of_what_it_sees():
    layer = MaskedConv2d(48, 480, 3, "B", groups=3)
    x = torch.randn(64, 48, 9, 9).relu() * 2**0.5  # variance 1 round zero, as He's initialisation has it
    assert layer(x)[:, :, 4, 4].var().item() == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("above", [None, 0, 1])
@pytest.mark.parametrize(("kernel", "mask"), [(1, "B"), (3, "B"), (7, "A")])
@pytest.mark.parametrize(("groups", "chunks"), [(1, 1), (3, 1), (3, 2)])
def test_columns_answer_what_the_whole_layer_does(groups, chunks, kernel, mask, above):
    inputs, outputs, width = 4, 5 * chunks, 6
    layer = MaskedConv2d(inputs, outputs, kernel, mask, groups, above=above, chunks=chunks).double()
    torch.nn.init.normal_(layer.bias)
    x, label = torch.randn(3, inputs, 5, width, dtype=torch.float64), torch.randn(3, outputs, dtype=torch.float64)
    full = layer(x) + label[:, :, None, None]
    columns, own, its = (
        MaskedColumns(layer, 3, width, label),
        group_slices(inputs, groups),
        group_of(outputs, groups, chunks),
    )
    for y, x_, group in itertools.product(range(5), range(width), range(groups)):
        if mask == "B":
            columns.write(y, x_, group, x[:, own[group], y, x_])
        assert torch.allclose(columns.read(y, x_, group), full[:, its == group, y, x_])
        if mask == "A":
            columns.write(y, x_, group, x[:, own[group], y, x_])


@pytest.mark.parametrize(
    ("features", "kernel", "mask", "options", "message"),
    [
        (1, 4, "A", {}, "kernel=4"),
        (1, 3, "C", {}, "mask='C'"),
        (2, 3, "A", {"groups": 3}, "2 to 2 features for 3 channels"),
        (4, 3, "A", {"groups": 3, "chunks": 2}, "4 to 4 features in 2 chunks for 3 channels"),
        (5, 3, "A", {"chunks": 2}, "5 to 5 features in 2 chunks"),
    ],
)
def test_masked_convolutions_refuse_what_has_no_middle_mask_or_group(features, kernel, mask, options, message):
    with pytest.raises(ValueError, match=message):
        MaskedConv2d(features, features, kernel, mask, **options)
