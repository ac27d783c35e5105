import itertools

import pytest
import torch
from torch import nn

from families.flow.couplings import AdditiveCoupling, AffineCoupling, ChannelCoupling, channelwise, checkerboard
from families.flow.networks import CouplingNetwork, PointwiseNetwork, PriorNetwork
from families.layers.convolutional import silent
from families.layers.dense import dense
from tests.families.flow.helpers import batch_of, check_bijection, randomise

COUPLINGS = {
    "checkerboard": (
        (2, 4, 6),
        lambda: AffineCoupling(checkerboard((2, 4, 6), 1), 2, CouplingNetwork(2, 4, 3, 1)),
    ),
    "channel mask": ((3, 2, 2), lambda: AffineCoupling(channelwise((3, 2, 2), 0), 3, CouplingNetwork(3, 6, 3, 1))),
    "channels": ((5, 2, 3), lambda: ChannelCoupling(3, 2, PointwiseNetwork(3, 4, 6))),
    "learned prior": ((4, 2, 3), lambda: ChannelCoupling(2, 2, PriorNetwork(2, 4))),
    "learned prior of labels": ((4, 2, 3), lambda: ChannelCoupling(2, 2, PriorNetwork(2, 4, 3))),
    "even dimensions pass": ((7,), lambda: AdditiveCoupling(0, dense(4, 6, 2, 3, last=silent))),
    "odd dimensions pass": ((7,), lambda: AdditiveCoupling(1, dense(3, 6, 2, 4, last=silent))),
}
LABELS = torch.arange(3)


@pytest.mark.parametrize(("shape", "make"), COUPLINGS.values(), ids=COUPLINGS)
def test_log_determinants_are_autograd_s_and_inverses_undo(shape, make):
    coupling, x = randomise(make(), scale=0.4), batch_of(shape)
    y, _ = check_bijection(coupling, x, LABELS)
    moved = (y != x).flatten(1).all(0)
    assert 0 < moved.sum() < moved.numel()


@pytest.mark.parametrize(("shape", "make"), COUPLINGS.values(), ids=COUPLINGS)
def test_a_new_coupling_is_the_identity(shape, make):
    coupling, x = make().double(), batch_of(shape)
    assert torch.equal(coupling(x, LABELS)[0], x)


@pytest.mark.parametrize(("shape", "make"), COUPLINGS.values(), ids=COUPLINGS)
def test_every_weight_learns(shape, make):
    coupling = randomise(make())
    y, log_det = coupling(batch_of(shape), LABELS)
    (y.square().sum() + log_det.sum()).backward()
    assert all(p.grad.abs().sum() > 0 for p in coupling.parameters())


def test_additive_couplings_keep_volume_and_move_every_other_dimension():
    for passes in (0, 1):
        coupling, x = randomise(AdditiveCoupling(passes, dense(3, 4, 1, 3))), batch_of((6,))
        y, log_det = coupling(x)
        assert torch.equal(log_det, torch.zeros(3, dtype=torch.float64))
        assert torch.equal(y[:, passes::2], x[:, passes::2])
        shift = coupling.network(x[:, passes::2])
        assert torch.allclose(y[:, 1 - passes :: 2], x[:, 1 - passes :: 2] + shift)


def test_a_started_additive_coupling_centres_what_it_moves():
    coupling, x = randomise(AdditiveCoupling(1, dense(2, 4, 1, 3))), 5 + batch_of((5,), n=20)
    coupling.start(x)
    y, _ = coupling(x)
    assert y[:, ::2].mean(0).abs().max() < 1e-12
    assert torch.equal(y[:, 1::2], x[:, 1::2])


def test_a_learned_prior_is_the_density_of_the_finished_half_given_the_other():
    coupling, x = randomise(ChannelCoupling(2, 3, PriorNetwork(2, 6, 3)), scale=0.4), batch_of((5, 2, 3))
    y, log_det = coupling(x, LABELS)
    raw, shift = coupling.network(x[:, :2], LABELS).chunk(2, 1)
    log_std = -coupling.scale * torch.tanh(raw)
    mean = -shift * log_std.exp()
    wanted = torch.distributions.Normal(mean, log_std.exp()).log_prob(x[:, 2:]).sum((1, 2, 3))
    standard = torch.distributions.Normal(0, 1).log_prob(y[:, 2:]).sum((1, 2, 3))
    assert torch.allclose(standard + log_det, wanted)
    others = coupling(x, LABELS.flip(0))[0]
    assert torch.equal(others[1], y[1])
    assert not torch.allclose(others[0], y[0])


def test_networks_in_half_precision_move_whole_values():
    x = batch_of((2, 2, 2)).float()
    couplings = [
        ChannelCoupling(1, 1, PointwiseNetwork(1, 2, 2)),
        AffineCoupling(checkerboard((2, 2, 2), 0), 2, CouplingNetwork(2, 4, 2, 0)),
    ]
    for coupling in couplings:
        coupling = randomise(coupling).float()
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            y, log_det = coupling(x)
            back, _ = coupling.inverse(y)
            masked = isinstance(coupling, AffineCoupling)
            raw = coupling.network(x * coupling.mask if masked else x[:, :1]).float().chunk(2, 1)[0]
            log_scale = coupling.scale * torch.tanh(raw) * ((1 - coupling.mask) if masked else 1)
        # tanh and sum of what the network said in half precision, themselves taken whole
        assert torch.allclose(log_det, log_scale.sum((1, 2, 3), dtype=torch.float64), atol=1e-6, rtol=1e-6)
        assert y.dtype == torch.float32
        assert log_det.dtype == torch.float64
        assert (back - x).abs().max() < 1e-5


def test_checkerboards_alternate_and_channel_masks_halve():
    squares = checkerboard((3, 4, 5), 0) + checkerboard((3, 4, 5), 1)
    assert torch.equal(squares, torch.ones(1, 4, 5))
    assert all(checkerboard((3, 4, 5), 1)[0, y, x] == (y + x) % 2 for y, x in itertools.product(range(4), range(5)))
    assert channelwise((4, 1, 1), 0).flatten().tolist() == [1, 1, 0, 0]
    assert channelwise((4, 1, 1), 1).flatten().tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("masks", [checkerboard, channelwise])
@pytest.mark.parametrize("passes", [0, 1])
def test_what_a_mask_passes_stays_and_the_rest_scales_and_shifts(masks, passes):
    shape = (4, 4, 4)
    mask = masks(shape, passes).expand(shape).bool()
    coupling, x = randomise(AffineCoupling(masks(shape, passes), 4, CouplingNetwork(4, 8, 3, 1))), batch_of(shape)
    y, log_det = coupling(x)
    assert torch.equal(y[:, mask], x[:, mask])
    assert (y[:, ~mask] != x[:, ~mask]).all()
    assert (log_det != 0).all()
    doubled = coupling(torch.where(mask, x, 2 * x))[0]  # s and t do not see what moves
    scale = (doubled - y)[:, ~mask] / x[:, ~mask]
    assert torch.allclose(scale.log().sum(1), log_det)


def test_a_coupling_s_scale_is_a_tanh_of_learned_height():
    network = nn.Conv2d(2, 4, 1)
    coupling = AffineCoupling(checkerboard((2, 2, 2), 0), 2, network).double()
    nn.init.constant_(network.bias, 1e6)
    nn.init.constant_(coupling.scale, 1.7)
    assert torch.allclose(coupling(batch_of((2, 2, 2)))[1], torch.tensor(4 * 1.7, dtype=torch.float64))
