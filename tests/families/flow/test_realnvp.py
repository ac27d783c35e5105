import itertools

import pytest
import torch

from families.flow.couplings import AffineCoupling, channelwise, checkerboard
from families.flow.multiscale import FactorOut, Squeeze
from families.flow.networks import CouplingNetwork
from families.flow.normalisation import BatchNorm
from families.flow.realnvp import couplings, realnvp
from genbench import Batch, DataSpec, Step
from genbench.seed import generator


def test_scales_follow_the_paper():
    def parts(model, kind):
        return [part for part in model.modules() if isinstance(part, kind)]

    model = realnvp(DataSpec((1, 28, 28)), width=2)
    shapes = [tuple((c.mask == 1).float().mean(0, keepdim=True).shape) for c in parts(model, AffineCoupling)]
    spatial = [height > 1 for _, height, _ in shapes]  # a checkerboard
    assert spatial == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3 + [True] * 4
    assert [part.shape for part in parts(model, FactorOut)] == [(4, 14, 14), (8, 7, 7)]
    assert len(parts(model, Squeeze)) == 2
    assert len(parts(model, BatchNorm)) == len(shapes)
    assert not parts(realnvp(DataSpec((1, 7, 9)), width=2), FactorOut)


def test_odd_sides_are_padded_and_keep_a_scale():
    model = realnvp(DataSpec((1, 13, 17)), width=2)
    kinds = [type(part) for part in model.modules() if isinstance(part, Squeeze | FactorOut)]
    assert kinds == [Squeeze, FactorOut]
    assert model.dequantiser.shape == (1, 14, 18)
    masks = [part.mask.shape for part in model.modules() if isinstance(part, AffineCoupling)]
    assert masks == [(1, 14, 18)] * 3 + [(4, 1, 1)] * 3 + [(1, 7, 9)] * 4


def test_training_moves_the_running_averages_and_takes_its_noise_from_the_step():
    model = realnvp(DataSpec((1, 4, 4), 8), width=4).train()
    batch, loss = Batch(torch.randint(8, (6, 1, 4, 4)).to(torch.uint8)), model.phases()[0].turns[0].loss
    first, same, other = (loss(batch, Step(0, 0.0, generator(seed)))["loss"].item() for seed in (1, 1, 2))
    assert first == same != other
    assert all((part.batches == 3).all() for part in model.modules() if isinstance(part, BatchNorm))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 2.5}, "width=2.5: give a whole"),
        ({"width": 0}, "width=0: give a whole number, 1 or more"),
        ({"depth": -1}, "depth=-1: give a whole number, 0 or more"),
        ({"scales": 5}, r"scales=5: images of shape \(1, 8, 12\) take 0 to 4"),
        ({"scales": -1}, "scales=-1: give a whole number, 0 or more"),
        ({"scales": 1.5}, "scales=1.5: give a whole number"),
        ({"scales": True}, "scales=True: give a whole number"),
        ({"scales": "2"}, "scales='2': give a whole number"),
        ({"lr": -1.0}, "lr=-1.0: give a positive"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        realnvp(DataSpec((1, 8, 12)), **options)


@pytest.mark.parametrize("masks", [checkerboard, channelwise])
def test_what_one_coupling_passes_the_next_one_moves(masks):
    steps = couplings((4, 3, 5), 4, masks, lambda channels: CouplingNetwork(channels, 2 * channels, 2, 0))
    passing = [step.mask for step in steps if isinstance(step, AffineCoupling)]
    for before, after in itertools.pairwise(passing):
        assert torch.equal(before + after, torch.ones_like(before))
