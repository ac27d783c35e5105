import pytest
import torch
from torch import nn

import genbench
from families.adversarial.losses import NON_SATURATING
from families.gan.dcgan import UniformCode
from families.gan.heads import Head
from genbench import Batch, Budget, DataSpec, FitConfig, Split, Splits

SPEC = DataSpec((1, 8, 8), levels=17)


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def nobody(n):
    return Batch(torch.zeros(n, 0))


def test_a_uniform_code_is_the_noises_distribution_function_stretched_to_minus_1_and_1():
    code, normal = UniformCode(3), torch.distributions.Normal(0.0, 1.0)
    u = torch.randn(500, 3, dtype=torch.float64, generator=gen()).requires_grad_()
    z = code(u, nobody(500))
    torch.testing.assert_close(z, 2 * normal.cdf(u) - 1)
    assert code(torch.tensor([[-9.0, 0.0, 9.0]]), nobody(1)).tolist() == [[-1.0, 0.0, 1.0]]
    (slope,) = torch.autograd.grad(z.sum(), u)
    torch.testing.assert_close(slope, 2 * normal.log_prob(u).exp())
    assert code.features == code.latents == 3


def test_uniform_codes_fill_the_cube_evenly():
    z = UniformCode(100)(torch.randn(400, 100, generator=gen()), nobody(400))
    counts = torch.histc(z, 10, -1, 1) / z.numel()
    assert float((counts - 0.1).abs().max()) < 0.006
    assert float(z.var()) == pytest.approx(1 / 3, abs=0.01)


def test_the_game_is_the_papers():
    model = genbench.build("dcgan", SPEC)
    assert isinstance(model.code, UniformCode)
    assert model.latents == 100
    assert (model.loss, model.penalty, model.critic_steps, model.bound) == (NON_SATURATING, None, 1, None)
    assert (model.average, model.augment, type(model.head), len(model.terms)) == (None, None, Head, 0)
    for turn in model.phases()[0].turns:
        adam = turn.optimizer([nn.Parameter(torch.zeros(1))])
        assert type(adam) is torch.optim.Adam
        assert (adam.defaults["lr"], adam.defaults["betas"], turn.every) == (2e-4, (0.5, 0.999), 1)


def kinds(layers):
    return [type(layer).__name__ for layer in layers]


def test_at_64_pixels_and_width_128_the_networks_are_the_papers():
    model = genbench.build("dcgan", DataSpec((3, 64, 64)), width=128)
    generator, critic = model.generator, model.critic
    assert generator.base == (1024, 4, 4)
    assert generator.project.in_features == 100
    ups = [layer for layer in generator.layers if isinstance(layer, nn.ConvTranspose2d)]
    assert [(up.in_channels, up.out_channels) for up in ups] == [(1024, 512), (512, 256), (256, 128), (128, 3)]
    stage = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    assert kinds(generator.layers) == ["BatchNorm2d", "ReLU", *3 * stage, "ConvTranspose2d", "Tanh"]
    downs = [layer for layer in critic.layers if isinstance(layer, nn.Conv2d)]
    assert [(down.in_channels, down.out_channels) for down in downs] == [(3, 128), (128, 256), (256, 512), (512, 1024)]
    stage = ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds(critic.layers) == ["Conv2d", "LeakyReLU", *3 * stage, "Flatten"]
    assert all(layer.stride == (2, 2) for layer in [*ups, *downs])
    assert all(layer.negative_slope == 0.2 for layer in critic.layers if isinstance(layer, nn.LeakyReLU))
    dense = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    assert dense == ["generator.project", "critic.logit"], "no hidden layer is dense"
    for layer in [*ups, *downs, generator.project, critic.logit]:
        assert float(layer.weight.std()) == pytest.approx(0.02, rel=0.05)
        assert abs(float(layer.weight.mean())) < 1e-3


@pytest.mark.parametrize(
    ("shape", "base"),
    [((1, 28, 28), (16, 7, 7)), ((3, 32, 32), (32, 4, 4)), ((1, 8, 8), (8, 4, 4)), ((1, 2, 2), (8, 2, 2))],
)
def test_smaller_images_start_where_their_sides_no_longer_halve(shape, base):
    model = genbench.build("dcgan", DataSpec(shape), width=8, latents=5)
    assert model.generator.base == base
    assert model.sample(2, generator=gen()).shape == (2, *shape)


def test_samples_come_from_the_network_that_learns_with_its_running_statistics():
    model = genbench.build("dcgan", SPEC, width=8, latents=5)
    images = torch.randint(0, 17, (24, 1, 8, 8), generator=gen(), dtype=torch.uint8)
    model.fit(Splits(Split(images), Split(images[:8])), FitConfig(Budget(steps=4), batch_size=8))
    u, given = torch.randn(4, 5, generator=gen()), nobody(4)
    norm = next(module for module in model.generator.modules() if isinstance(module, nn.BatchNorm2d))
    assert bool((norm.running_mean != 0).any())
    torch.testing.assert_close(model.decode(u, given), (model.generator(torch.erf(u / 2**0.5)) + 1) * 8)
    alone = torch.cat([model.decode(row[None], nobody(1)) for row in u])
    torch.testing.assert_close(model.decode(u, given), alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("option", [{"width": 0}, {"latents": 0}, {"lr": 0}])
def test_bad_values_are_refused(option):
    with pytest.raises(ValueError, match=rf"{next(iter(option))}=0"):
        genbench.build("dcgan", SPEC, **option)
