import pytest
import torch
from torch import nn

from families.translation.dropout import NoiseDropout
from families.translation.unet import UNet
from genbench.seed import normal


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("sides", "times"),
    [((28, 28), 2), ((32, 32), 4), ((8, 8), 2), ((4, 4), 1), ((13, 17), 1), ((26, 30), 2), ((33, 35), 3), ((5, 7), 0)],
)
def test_it_halves_down_to_four_at_least_and_skips_meet_maps_of_their_own_sides(sides, times):
    net = UNet(1, (3, *sides), 4, 0.5)
    assert len(net.down) == times
    assert sum(isinstance(m, nn.ConvTranspose2d) for m in net.modules()) == times
    source = torch.randn(3, 1, *sides, generator=gen())
    images = net(source, normal((3, net.latents), gen()))
    assert images.shape == (3, 3, *sides)
    (images - 1).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in net.parameters())


def test_without_dropout_there_is_no_noise_and_all_units_are_kept():
    quiet, noisy = UNet(1, (1, 32, 32), 4, 0.0).eval(), UNet(1, (1, 32, 32), 4, 0.5).eval()
    assert quiet.latents == 0
    assert not any(isinstance(module, NoiseDropout) for module in quiet.modules())
    noisy.load_state_dict(quiet.state_dict())
    source = torch.randn(2, 1, 32, 32, generator=gen())
    kept = 2 * torch.ones(2, noisy.latents)  # of every unit, so that only the factor 1/(1 - p) is left
    for module in noisy.modules():
        if isinstance(module, NoiseDropout):
            module.scale = 1.0
    assert torch.equal(quiet(source, torch.empty(2, 0)), noisy(source, kept))
