import pytest
from torch import nn

from families.adversarial.conditional_norm import ClassBatchNorm, VectorBatchNorm
from families.adversarial.dcgan import Critic, Generator, unnormalised
from families.adversarial.normalisation import normalisations
from families.adversarial.spectral import spectrally_normalised
from families.adversarial.virtual_norm import VirtuallyNormalised

SHAPE = (1, 16, 16)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Critic(SHAPE, 4), ["batch norm"]),
        (Critic(SHAPE, 4, unnormalised), []),
        (spectrally_normalised(Critic(SHAPE, 4, unnormalised)), ["spectral norm"]),
        (spectrally_normalised(Critic(SHAPE, 4)), ["batch norm", "spectral norm"]),
        (VirtuallyNormalised(Generator(SHAPE, 3, 4), 3, rows=2), ["virtual norm"]),
        (nn.Sequential(ClassBatchNorm(4, 2)), ["batch norm", "class batch norm"]),
        (nn.Sequential(VectorBatchNorm(4, 2)), ["batch norm", "spectral norm", "vector batch norm"]),
        (nn.Sequential(nn.LayerNorm(3), nn.InstanceNorm2d(2), nn.GroupNorm(1, 2), nn.BatchNorm1d(2)),
         ["batch norm", "group norm", "instance norm", "layer norm"]),
    ],
)  # fmt: skip
def test_a_network_says_what_normalises_it(network, words):
    if isinstance(network, nn.Sequential) and isinstance(network[0], VectorBatchNorm):
        spectrally_normalised(network)
    assert normalisations(network) == words
