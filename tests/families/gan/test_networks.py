"""What holds of every kind of network; what is one's own stands in ``tests/families/layers``."""

import pytest
import torch

from families.gan.networks import NETWORKS

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 8), (1, 4, 4), (1, 2, 2), (3, 5, 7), (3, 13, 17), (1, 33, 35)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_networks_take_their_sizes_from_the_shape(network, shape):
    generator, critic = network.generator(shape, 6, 4), network.critic(shape, 4)
    images = generator(torch.randn(3, 6)).detach()
    assert images.shape == (3, *shape)
    assert float(images.abs().max()) <= 1
    logit, features = critic(images)
    assert logit.shape == (3,)
    assert features.shape == (3, critic.features)
    logit.sum().backward()
    generator(torch.randn(3, 6)).square().sum().backward()
    for part in (generator, critic):
        assert all(parameter.grad is not None for parameter in part.parameters())
