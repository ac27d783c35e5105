import pytest
import torch
from torch import nn

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
