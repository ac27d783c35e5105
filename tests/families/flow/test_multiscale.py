import pytest
import torch
from nflows.transforms.reshape import SqueezeTransform

from families.flow.convolution import InvertibleConv
from families.flow.multiscale import (
    Chain,
    FactorOut,
    Flatten,
    Squeeze,
    fitting_scales,
    padding,
    shape_on,
    squeezed,
)
from families.flow.normalisation import ActNorm, BatchNorm
from tests.families.flow.helpers import batch_of, check_bijection, randomise

TRANSFORMS = {
    "squeeze": ((2, 4, 4), Squeeze),
    "flatten": ((2, 3, 4), lambda: Flatten((2, 3, 4))),
    "batch normalisation": ((3, 2, 4), lambda: BatchNorm(3)),
    "chain": ((3, 2, 2), lambda: Chain([ActNorm(3), InvertibleConv(3), ActNorm(3)])),
    "factoring out": ((5, 2, 2), lambda: FactorOut((5, 2, 2), Chain([ActNorm(3), Flatten((3, 2, 2))]))),
}


@pytest.mark.parametrize(("shape", "make"), TRANSFORMS.values(), ids=TRANSFORMS)
def test_log_determinants_are_autograd_s_and_inverses_undo(shape, make):
    transform, x = randomise(make()), batch_of(shape)
    y, log_det = transform(x)
    back, inverse = transform.inverse(y)
    assert (back - x).abs().max() < 1e-10
    assert torch.allclose(inverse, -log_det)
    check_bijection(transform, x)


def test_the_squeeze_is_nflows_and_takes_maps_whose_channels_are_last_in_memory():
    x = batch_of((3, 4, 6))
    y, _ = Squeeze()(x.to(memory_format=torch.channels_last))
    assert torch.equal(y, SqueezeTransform()(x)[0])
    assert y.shape[1:] == squeezed((3, 4, 6)) == (12, 2, 3)
    assert torch.equal(Squeeze().inverse(y.to(memory_format=torch.channels_last))[0], x)


def test_a_chain_adds_up_in_float64():
    class Tiny(Flatten):
        def forward(self, inputs, context=None):
            return inputs, torch.full((len(inputs),), self.nats, dtype=torch.float64)

    steps = [Tiny((1, 1, 1)) for _ in range(3)]
    for step, nats in zip(steps, (1e4, 1e-5, -1e4), strict=True):
        step.nats = nats
    _, total = Chain(steps)(torch.zeros(2, 1, 1, 1))
    assert total.dtype == torch.float64
    assert torch.allclose(total, torch.full((2,), 1e-5, dtype=torch.float64), rtol=1e-6)


def test_half_of_the_channels_is_finished_before_the_next_scale():
    rest = Chain([BatchNorm(2), Flatten((2, 2, 2))])
    rest._transforms[0].running_mean.fill_(100)
    factor, x = FactorOut((4, 2, 2), rest).double().eval(), batch_of((4, 2, 2))
    y, _ = factor(x)
    assert torch.equal(y[:, 8:], x[:, 2:].flatten(1))
    assert (y[:, :8] < -50).all()
    with pytest.raises(ValueError, match="a single channel has no half"):
        shape_on((1, 2, 2))


@pytest.mark.parametrize(
    ("sides", "scales", "rows"),
    [
        ((28, 28), 2, (0, 0)),
        ((32, 32), 3, (0, 0)),
        ((24, 24), 2, (0, 0)),
        ((8, 12), 1, (0, 0)),
        ((4, 4), 0, (0, 0)),
        ((7, 30), 0, (0, 0)),
        ((9, 9), 1, (1, 1)),
        ((13, 17), 1, (1, 1)),
        ((28, 30), 2, (0, 2)),
        ((30, 30), 2, (2, 2)),
        ((33, 33), 2, (3, 3)),  # 40 × 40 would be 47 % more
        ((1, 9), 0, (0, 0)),
    ],
)
def test_scales_follow_the_shorter_side_as_far_as_a_quarter_of_padding(sides, scales, rows):
    shape = (3, *sides)
    assert fitting_scales(shape, None) == scales
    assert padding(shape, scales) == rows


def test_every_side_of_eight_or_more_is_squeezed_once_with_a_quarter_of_padding_at_most():
    for height in range(8, 70):
        for width in range(height, 70):
            scales = fitting_scales((1, height, width), None)
            rows, columns = padding((1, height, width), scales)
            assert scales >= 1
            assert (height + rows) * (width + columns) <= 1.25 * height * width


def test_scales_that_are_asked_for_are_taken_or_refused():
    assert fitting_scales((1, 30, 30), 5) == 5
    assert fitting_scales((1, 30, 30), 0) == 0
    assert fitting_scales((1, 4, 4), None, least=1) == 1
    with pytest.raises(ValueError, match=r"scales=6: images of shape \(1, 30, 30\) take 1 to 5"):
        fitting_scales((1, 30, 30), 6, least=1)
    with pytest.raises(ValueError, match="scales=0: give a whole number, 1 or more"):
        fitting_scales((1, 30, 30), 0, least=1)
