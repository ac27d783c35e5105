import math

import pytest
import torch

from families.autoregressive.masked import MaskedConv2d
from families.autoregressive.pixelcnn import Residual, pixelcnn
from genbench import Batch, DataSpec
from tests.families.autoregressive.test_every import influences, randomised


def seen_by(shape, **options):
    """Influence of every value on every draw, over several weights: a dead relu hides much."""
    return sum(influences(randomised(pixelcnn(DataSpec(shape, 3), **options), seed), seed) for seed in range(6))


@pytest.mark.parametrize(("levels", "bits"), [(2, 1), (17, math.log2(17)), (256, 8)])
def test_a_new_model_is_uniform(levels, bits):
    spec = DataSpec((3, 8, 8), levels)
    images = torch.randint(levels, (5, 3, 8, 8)).to(torch.uint8)
    nats = pixelcnn(spec, width=6, depth=1).double().log_likelihood(Batch(images)).nats
    assert torch.allclose(-nats / (spec.dimensions * math.log(2)), torch.tensor(bits, dtype=torch.float64), rtol=1e-12)


@pytest.mark.parametrize(("shape", "width"), [((3, 2, 3), 7), ((2, 3, 3), 5)])
def test_no_value_sees_what_comes_later_where_features_do_not_divide_by_channels(shape, width):
    assert (seen_by(shape, width=width, depth=2).triu() == 0).all()


def test_green_sees_red_and_blue_sees_both_in_its_own_pixel():
    seen = seen_by((3, 1, 1), width=6, depth=1)
    assert ((seen > 0) == torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0]]).bool()).all()


def test_there_is_a_blind_spot_to_the_upper_right():
    seen = seen_by((1, 3, 8), width=4, depth=8)[2 * 8]  # the last row's first pixel
    up, right = (2 - torch.arange(24) // 8), torch.arange(24) % 8
    assert torch.equal(seen > 0, (up > 0) & (right <= up + 2))


def test_first_layer_is_seven_wide_under_mask_a_and_the_rest_under_mask_b():
    network = pixelcnn(DataSpec((1, 9, 9), 4), width=2, depth=2).network
    middle = [layer.mask[0, 0, -1, layer.kernel // 2] for layer in network.modules() if isinstance(layer, MaskedConv2d)]
    assert network.first.kernel == 7
    assert network.first.mask[0, 0].sum() == 24
    assert [float(value) for value in middle] == [0] + [1] * 8


def test_blocks_hand_on_twice_the_features_they_work_on_and_add_to_their_input():
    block = Residual(8, 1)
    assert [(layer.inputs, layer.outputs, layer.kernel) for layer in (block.down, block.middle, block.up)] == [
        (16, 8, 1),
        (8, 8, 3),
        (8, 16, 1),
    ]
    torch.nn.init.zeros_(block.up.weight)
    x = torch.randn(2, 16, 5, 5)
    assert torch.equal(block(x), x)


def test_the_softmax_is_over_the_levels_of_each_channel():
    model = randomised(pixelcnn(DataSpec((3, 2, 2), 5), width=6, depth=1))
    images = torch.randint(5, (4, 3, 2, 2)).to(torch.uint8)
    logits = model.network(images.double() / 2 - 1).view(4, 3, 5, 2, 2)
    nats = logits.log_softmax(2).gather(2, images.long().unsqueeze(2)).sum((1, 2, 3, 4))
    assert torch.allclose(model.log_likelihood(Batch(images)).nats, nats)


def test_every_block_is_told_the_label():
    model = randomised(pixelcnn(DataSpec((1, 4, 4), 4, classes=3), width=4, depth=3, conditional=True))
    x, labels = torch.rand(3, 1, 4, 4, dtype=torch.float64), torch.arange(3)
    for told in model.network.blocks:
        for block in model.network.blocks:
            block.label.weight.data.zero_()
        assert torch.equal(*model.network(x[:1].expand(2, -1, -1, -1), labels[:2]))
        told.label.weight.data.normal_()
        first, second = model.network(x[:1].expand(2, -1, -1, -1), labels[:2])
        assert not torch.allclose(first, second)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 2}, "width=2: an image of 3 channels"),
        ({"width": 2.5}, "width=2.5: give a whole"),
        ({"width": 0}, "width=0: give a whole number, 1 or more"),
        ({"depth": -1}, "depth=-1: give a whole number, 0 or more"),
        ({"depth": 0, "conditional": True}, "depth=0: give a whole number, 1 or more"),
        ({"lr": 0.0}, "lr=0.0: give a positive"),
        ({"lr": math.nan}, "lr=nan: give a positive"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        pixelcnn(DataSpec((3, 8, 8), classes=2), **options)
