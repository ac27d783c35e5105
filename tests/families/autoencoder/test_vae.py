import math
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from families.autoencoder.distributions import Gaussian
from families.autoencoder.divergences import kl
from families.autoencoder.model import Autoencoder
from families.autoencoder.networks import Decoder, Encoder
from families.autoencoder.priors import StandardNormal
from families.autoencoder.vae import vae
from families.layers.scaling import to_unit
from families.outputs import Categorical, DiscretisedLogistic
from genbench import Batch, DataSpec, Step
from genbench.seed import generator, normal
from tests.families.autoencoder.tiny import randomised
from tests.families.helpers import every_image


def by_quadrature(model, images):
    """log P of each image under a model with one latent number, by a fine sum over it."""
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    log_prior = -0.5 * z.square() - 0.5 * math.log(2 * math.pi) + math.log(16 / 4000)
    answers = []
    with torch.no_grad():
        for image in images:
            batch = Batch(image.expand(len(z), *image.shape))
            answers.append((model.reconstruction(batch, z[:, None]) + log_prior).logsumexp(0))
    return torch.stack(answers)


@pytest.mark.parametrize("output", ["logistic", "categorical"])
@pytest.mark.parametrize(("shape", "levels"), [((1, 1, 2), 5), ((1, 2, 2), 3), ((3, 1, 1), 4)])
def test_importance_weights_sum_to_one_over_all_images(output, shape, levels):
    spec = DataSpec(shape, levels)
    model = randomised("vae", spec, width=4, latents=2, output=output).double()
    images = every_image(spec)
    weights = torch.cat(
        [model.log_weights(Batch(images), 50, generator(0, k)).detach().exp() for k in range(20)]
    )  # (K, images)
    error = (weights.var(0) / len(weights)).sum().sqrt()
    assert error < 0.02
    assert abs(weights.mean(0).sum() - 1) < 3 * error


@pytest.mark.parametrize("output", ["logistic", "categorical"])
def test_the_bound_grows_with_draws_towards_the_probability(output):
    spec = DataSpec((1, 2, 2), 4)
    model = randomised("vae", spec, scale=0.6, width=3, latents=1, output=output).double()
    images = every_image(spec)[::16]
    exact = by_quadrature(model, images).mean()
    bounds = [
        model.log_likelihood(Batch(images.repeat(12, 1, 1, 1)), draws=k, generator=generator(k)).nats.mean()
        for k in (1, 4, 16, 300)
    ]
    assert bounds[0] < bounds[1] < bounds[2] < bounds[3]
    assert bounds[3] == pytest.approx(exact.item(), abs=0.01)
    assert exact - bounds[0] > 0.05


def test_samples_follow_the_probabilities():
    spec = DataSpec((1, 1, 2), 3)
    model = randomised("vae", spec, scale=0.5, width=3, latents=1, pixels="drawn").double()
    n, images = 30_000, every_image(spec)
    expected = by_quadrature(model, images).exp()
    assert expected.sum().item() == pytest.approx(1, abs=1e-9)
    codes = model.sample(n, generator=generator(0)).flatten(1).long() @ torch.tensor([3, 1])
    seen = torch.bincount(codes, minlength=9) / n
    assert ((seen - expected).abs() < 4 * (expected * (1 - expected) / n).sqrt() + 1e-9).all()


@dataclass(frozen=True)
class UnitGaussian:
    """A continuous stand-in for an output: pixels on [-1, 1] with standard deviation ½."""

    levels: int
    joint = False

    def start(self, channels):
        return torch.zeros(channels)

    def log_prob(self, parameters, images):
        distance = (to_unit(images, self.levels).double() - parameters) / 0.5
        return (-0.5 * distance.square() - math.log(0.5) - 0.5 * math.log(2 * math.pi)).sum(1)


def linear_gaussian(exact):
    """``x = W z + b + ½ ε`` with orthogonal columns, so that the posterior is diagonal; and log p(x) in closed form."""
    spec, torch_generator = DataSpec((1, 2, 2), 256), torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(4, 4, generator=torch_generator, dtype=torch.float64))[0]
    weight, bias = basis[:, :2] * torch.tensor([0.7, 0.3]), 0.1 * basis[:, 3]
    precision = 1 + weight.square().sum(0) / 0.25
    decoder, encoder = nn.Linear(2, 4), nn.Linear(4, 4)
    decoder.weight.data = weight
    to_mean = (weight / 0.25 / precision).T
    encoder.weight.data = torch.cat((to_mean, torch.zeros(2, 4)))
    log_std = 10 * torch.atanh(-0.5 * precision.log() / 10)
    encoder.bias.data = torch.cat((-to_mean @ bias, log_std if exact else log_std + 0.3))
    model = Autoencoder(
        spec,
        Encoder(nn.Sequential(nn.Flatten(), encoder)),
        Decoder(nn.Sequential(decoder, nn.Unflatten(1, (1, 2, 2)))),
        StandardNormal(2),
        kl,
        UnitGaussian(256),
        lr=1e-3,
    ).double()
    decoder.bias.data = bias
    covariance = weight @ weight.T + 0.25 * torch.eye(4, dtype=torch.float64)
    return model, torch.distributions.MultivariateNormal(bias, covariance)


def test_with_the_exact_posterior_every_draw_is_the_closed_form():
    model, truth = linear_gaussian(exact=True)
    images = torch.randint(256, (20, 1, 2, 2), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    closed = truth.log_prob(to_unit(images, 256).double().flatten(1))
    for draws in (1, 7):
        nats = model.log_likelihood(Batch(images), draws=draws, generator=generator(1)).nats
        assert torch.allclose(nats, closed, atol=1e-6)


def test_with_a_wrong_posterior_the_bound_nears_the_closed_form_from_below():
    model, truth = linear_gaussian(exact=False)
    images = torch.randint(256, (200, 1, 2, 2), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    closed = truth.log_prob(to_unit(images, 256).double().flatten(1))
    gaps = [
        (closed - model.log_likelihood(Batch(images), draws=k, generator=generator(1)).nats).mean()
        for k in (1, 10, 1000)
    ]
    assert gaps[0] > gaps[1] > gaps[2] > -1e-3
    assert gaps[0] > 0.03
    assert gaps[2] < 1e-3


def test_divergence_is_the_closed_form():
    q = Gaussian(torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64))
    p = Gaussian(torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64))
    normals = [torch.distributions.Normal(g.mean, g.log_std.exp()) for g in (q, p)]
    assert torch.allclose(kl(q, p, q.mean), torch.distributions.kl_divergence(*normals).sum(1))
    z = q.mean + 1
    assert torch.allclose(q.log_prob(z), normals[0].log_prob(z).sum(1))


def test_loss_is_the_elbo_by_hand():
    spec = DataSpec((1, 2, 2), 4)
    model = randomised("vae", spec, width=3, latents=2, output="categorical").double()
    batch = Batch(every_image(spec)[:10])
    noise = normal((10, 2), generator(5)).double()
    mean, raw = model.encoder.network(2 * batch.images.double() / 3 - 1).chunk(2, 1)
    std = (10 * torch.tanh(raw / 10)).exp()
    logits = model.decoder.network(mean + std * noise).log_softmax(1)
    reconstruction = logits.gather(1, batch.images.long()).sum((1, 2, 3))
    divergence = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).sum(1)
    logs = model.phases()[0].turns[0].loss(batch, Step(0, 0.0, generator(5)))
    assert logs["loss"].item() == pytest.approx((divergence - reconstruction).mean().item() / 4, rel=1e-6)
    assert logs["divergence"].item() == pytest.approx(divergence.mean().item() / 4, rel=1e-6)


def test_the_mean_of_single_draws_is_the_elbo():
    spec = DataSpec((1, 1, 2), 4)
    model = randomised("vae", spec, scale=0.5, width=3, latents=2).double()
    many = Batch(every_image(spec)[:1].repeat(40_000, 1, 1, 1))
    answer = model.log_likelihood(many, generator=generator(0))
    with torch.no_grad():
        reconstruction, divergence = model.elbo(many, generator(1))
    error = (answer.nats.var() + reconstruction.var()).sqrt() / 200
    assert abs(answer.nats.mean() - (reconstruction - divergence).mean()) < 4 * error
    assert (answer.kind, answer.method, answer.draws) == ("bound", "elbo", 1)
    assert model.log_likelihood(many.rows(slice(3)), draws=5).method == "iwae"


def test_the_reparameterised_draw_carries_gradients_into_mean_and_spread():
    q = Gaussian(torch.zeros(1, 2, requires_grad=True), torch.zeros(1, 2, requires_grad=True))
    noise = torch.tensor([[0.5, -2.0]])
    q.at(noise).sum().backward()
    assert torch.equal(q.mean.grad, torch.ones(1, 2))
    assert torch.equal(q.log_std.grad, noise)


def test_training_noise_comes_from_the_step_alone():
    model = vae(DataSpec((1, 4, 4), 4), width=4, latents=3)
    batch, loss = Batch(torch.zeros(5, 1, 4, 4, dtype=torch.uint8)), model.phases()[0].turns[0].loss
    first, same, other = (loss(batch, Step(0, 0.0, generator(seed)))["loss"].item() for seed in (1, 1, 2))
    assert first == same != other


def test_samples_and_reconstructions_depend_on_the_generator_alone():
    model = randomised("vae", DataSpec((3, 8, 8), 9), width=4, latents=3)
    batch = Batch(model.sample(300, generator=generator(9)))  # more than are decoded at once
    for answer in (lambda g: model.sample(300, generator=g), lambda g: model.reconstruct(batch, generator=g)):
        torch.manual_seed(0)
        model.train()
        first = answer(generator(3))
        assert model.training
        torch.manual_seed(1)
        model.eval()
        assert torch.equal(first, answer(generator(3)))
        assert not torch.equal(first, answer(generator(4)))
        assert first.shape == (300, 3, 8, 8)


def test_reconstructions_come_from_each_image_s_own_code():
    spec = DataSpec((1, 2, 2), 2)
    model = randomised("vae", spec, scale=1.5, width=6, latents=4).double()
    images = every_image(spec)
    codes = model.posterior(Batch(images)).mean
    parameters = model.decoder(codes, Batch(images))
    expected = parameters[:, 0] > 0  # where the mean lies above the middle the upper level is the likelier
    drawn = torch.stack([model.reconstruct(Batch(images), generator=generator(k)) for k in range(200)]).double().mean(0)
    assert (((drawn[:, 0] > 0.5) == expected) | ((drawn[:, 0] - 0.5).abs() < 0.15)).all()


@pytest.mark.parametrize(
    ("shape", "levels"), [((1, 28, 28), 256), ((3, 32, 32), 256), ((1, 8, 8), 17), ((3, 2, 2), 2), ((2, 5, 7), 9)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_shape_is_bounded_and_sampled(shape, levels, dtype):
    spec = DataSpec(shape, levels)
    model = vae(spec, width=4, latents=3).to(dtype)
    images = model.sample(2, generator=generator(0))
    assert images.shape == (2, *shape)
    answer = model.log_likelihood(Batch(images), draws=3, generator=generator(0))
    assert answer.nats.dtype == torch.float64
    assert torch.isfinite(answer.nats).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 2.5}, "width=2.5: give a whole"),
        ({"width": 0}, "width=0: give a whole number, 1 or more"),
        ({"latents": 0}, "latents=0: give a whole number, 1"),
        ({"depth": -1}, "depth=-1: give a whole number, 0 or more"),
        ({"lr": math.inf}, "lr=inf: give a positive"),
        ({"output": "gauss"}, "output='gauss': give one of categorical"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        vae(DataSpec((1, 8, 8)), **options)


def test_silly_questions_are_refused():
    model = vae(DataSpec((1, 4, 4), 4), width=4)
    with pytest.raises(ValueError, match="draws=0: give at least 1"):
        model.log_likelihood(Batch(torch.zeros(1, 1, 4, 4, dtype=torch.uint8)), draws=0)
    with pytest.raises(ValueError, match="n=-1: give 0 samples or more"):
        model.sample(-1, generator=generator(0))
    assert model.sample(0, generator=generator(0)).shape == (0, 1, 4, 4)


def test_the_output_is_a_discretised_logistic_unless_asked_otherwise():
    spec = DataSpec((1, 4, 4), 7)
    assert vae(spec, width=4).output == DiscretisedLogistic(7)
    assert vae(spec, width=4, output="categorical").output == Categorical(7)
