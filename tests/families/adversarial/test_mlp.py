import pytest
import torch
from torch import nn

import genbench
from families.adversarial.dcgan import unnormalised
from families.adversarial.mlp import Critic, Generator
from families.adversarial.spectral import spectrally_normalised
from genbench import Budget, DataSpec, FitConfig, Split, Splits

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 8), (1, 2, 2), (3, 5, 7)]


def seeded(make):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return make()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_logit_is_read_from_the_features(shape):
    critic = Critic(shape, 8)
    logit, features = critic(torch.randn(3, *shape))
    torch.testing.assert_close(logit, features @ critic.logit.weight[0])


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 2, 5)])
def test_the_critic_by_hand(shape):
    critic = seeded(lambda: Critic(shape, 8, unnormalised)).double()
    images = torch.randn(5, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    hidden = images.flatten(1)
    layers = [m for m in critic.layers if isinstance(m, nn.Linear)]
    assert len(layers) == 2, "two hidden layers"
    for layer in layers:
        hidden = hidden @ layer.weight.T + layer.bias
        hidden = torch.where(hidden > 0, hidden, 0.2 * hidden)
    logit, features = critic(images)
    torch.testing.assert_close(features, hidden)
    torch.testing.assert_close(logit, hidden @ critic.logit.weight[0])


def test_the_generator_by_hand():
    generator = seeded(lambda: Generator((3, 2, 5), 4, 8)).double()
    code = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    layers = [m for m in generator.modules() if isinstance(m, nn.Linear)]
    assert len(layers) == 3, "two hidden layers"
    hidden = code
    for layer in layers[:2]:
        hidden = (hidden @ layer.weight.T + layer.bias).clamp(min=0)
    wanted = (hidden @ layers[2].weight.T + layers[2].bias).tanh().view(5, 3, 2, 5)
    torch.testing.assert_close(generator(code), wanted)


def test_any_normalisation_of_maps_fits_behind_the_second_hidden_layer():
    for norm in (nn.BatchNorm2d, lambda n: nn.GroupNorm(2, n)):
        critic = Critic((1, 4, 4), 8, norm)
        assert critic(torch.randn(3, 1, 4, 4))[0].shape == (3,)
    kinds = [type(m) for m in Critic((1, 4, 4), 8, nn.BatchNorm2d).layers]
    assert kinds.count(nn.BatchNorm2d) == 1
    assert kinds.index(nn.BatchNorm2d) > kinds.index(nn.LeakyReLU), "none behind the first"
    normed = spectrally_normalised(Critic((1, 4, 4), 8, unnormalised))
    assert sum(nn.utils.parametrize.is_parametrized(m) for m in normed.modules()) == 3


def test_the_critic_judges_each_image_by_itself_where_nothing_is_said():
    critic = seeded(lambda: Critic((1, 4, 4), 8)).double()
    images = torch.randn(4, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(critic(images)[0][2], images)
    assert [bool(row.any()) for row in gradient] == [False, False, True, False]


def test_the_signal_keeps_its_size_through_the_layers():
    generator = seeded(lambda: Generator((1, 28, 28), 64, 128))
    critic = seeded(lambda: Critic((1, 28, 28), 128, unnormalised))
    images = generator(torch.randn(200, 64, generator=torch.Generator().manual_seed(0)))
    assert 0.4 < float(images.std().detach()) < 0.9, "neither grey nor at the ends"
    assert 0.3 < float(critic(images)[0].std().detach()) < 3


@pytest.mark.parametrize("name", ["gan", "wgan-gp"])
def test_dense_networks_learn_two_clusters(name):
    spec = DataSpec((1, 2, 2), levels=9)
    bright = (torch.arange(128) % 2).view(-1, 1, 1, 1) * torch.tensor([[[[6, 6], [0, 0]]]])
    images = (1 + bright).to(torch.uint8)
    data = Splits(Split(images), Split(images[:16]))
    model = genbench.build(name, spec, network="dense", width=32, latents=4, lr=2e-3)
    model.fit(data, FitConfig(Budget(steps=300), batch_size=32))
    drawn = model.sample(400, generator=torch.Generator().manual_seed(0)).double()
    top, bottom = drawn[:, 0, 0].mean(1), drawn[:, 0, 1].mean(1)
    assert float((bottom - 1).abs().mean()) < 1.5
    near = [float(((top - level).abs() < 1.5).double().mean()) for level in (1, 7)]
    assert min(near) > 0.15, near
    assert sum(near) > 0.7, near


def test_a_width_of_zero_is_refused():
    for network in (lambda: Generator((1, 8, 8), 4, 0), lambda: Critic((1, 8, 8), 0)):
        with pytest.raises(ValueError, match="width=0"):
            network()
