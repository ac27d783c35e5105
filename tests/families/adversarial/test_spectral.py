import copy

import pytest
import torch
from torch import nn

from families.adversarial.spectral import spectrally_normalised

LAYERS = {
    "convolution": lambda: nn.Conv2d(3, 5, 3, stride=2),
    "transposed": lambda: nn.ConvTranspose2d(3, 5, 4, stride=2),
    "dense": lambda: nn.Linear(6, 4),
    "embedding": lambda: nn.Embedding(7, 4),
}


def made(name):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        layer = LAYERS[name]().double()
        layer.weight.data *= 5
        return layer


def normalised(name):
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        return spectrally_normalised(nn.Sequential(made(name)))


def matrix(name, weight):
    """(out, in · k · k), by the paper."""
    return weight.transpose(0, 1).flatten(1) if name == "transposed" else weight.flatten(1)


def values(network):
    return {key: value.clone() for key, value in network.state_dict().items()}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_divided_by_its_largest_singular_value(name):
    network = normalised(name)
    for _ in range(300):
        _ = network[0].weight  # each look is one power iteration
    weight = made(name).weight
    largest = torch.linalg.svdvals(matrix(name, weight.detach()))[0]
    assert float(largest) > 1.5
    torch.testing.assert_close(network[0].weight, weight / largest)
    assert float(torch.linalg.svdvals(matrix(name, network[0].weight.detach()))[0]) == pytest.approx(1.0)


@pytest.mark.parametrize("name", LAYERS)
def test_iterations_run_in_training_alone_and_their_vectors_are_saved(name):
    network = normalised(name)
    network[0].parametrizations.weight.original.data.copy_(torch.randn_like(made(name).weight, dtype=torch.float64))
    vectors = {key for key in network.state_dict() if key.endswith(("._u", "._v"))}
    assert len(vectors) == 2
    before = values(network)
    _ = network[0].weight
    moved = values(network)
    assert all(not torch.equal(before[key], moved[key]) for key in vectors)
    assert all(torch.equal(before[key], moved[key]) for key in before.keys() - vectors)
    network.eval()
    looks = [network[0].weight.detach() for _ in range(3)]
    assert all(torch.equal(moved[key], value) for key, value in network.state_dict().items())
    assert torch.equal(looks[0], looks[2])
    twin = normalised(name)
    twin.load_state_dict(moved)
    assert torch.equal(twin.eval()[0].weight, looks[0])


def test_every_layer_of_a_network_is_normalised_and_nothing_else():
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.ConvTranspose2d(2, 2, 3), nn.Flatten()), nn.Linear(8, 1)
    )
    before = copy.deepcopy(network.state_dict())
    assert spectrally_normalised(network) is network
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    assert len(layers) == 3
    assert all(nn.utils.parametrize.is_parametrized(layer, "weight") for layer in layers)
    assert torch.equal(network[1].weight, before["1.weight"])
    assert torch.equal(network[0].parametrizations.weight.original, before["0.weight"])
    assert torch.equal(network[0].bias, before["0.bias"])


def test_the_gradient_is_that_of_the_quotient_with_the_vectors_held():
    layer = normalised("dense")
    u, v = (getattr(layer[0].parametrizations.weight[0], name).clone() for name in ("_u", "_v"))
    layer.eval()
    raw = made("dense").weight.detach().requires_grad_()
    x = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    (x @ (raw / (u @ raw @ v)).T).square().sum().backward()
    (layer(x) - layer[0].bias).square().sum().backward()
    torch.testing.assert_close(layer[0].parametrizations.weight.original.grad, raw.grad)
