import math

import pytest
import torch
from torch import nn

import genbench
from families.autoencoder.ae import ae
from families.autoencoder.deterministic import PointAutoencoder
from families.autoencoder.distributions import Gaussian
from families.autoencoder.networks import Decoder, PointEncoder
from families.autoencoder.priors import StandardNormal
from genbench import Batch, Budget, DataSpec, FitConfig, Step
from genbench.seed import generator
from tests.families.autoencoder.test_vae import UnitGaussian
from tests.families.autoencoder.tiny import PIXELS, randomised, tiny, toy, trained
from tests.families.helpers import every_image


def test_the_loss_is_the_reconstruction_from_the_code_itself():
    model, batch = randomised("ae", output="categorical").double(), Batch(every_image(PIXELS))
    (turn,) = model.phases()[0].turns
    logits = model.decoder.network(model.encoder.network(2 * batch.images.double() - 1)).log_softmax(1)
    expected = -logits.gather(1, batch.images.long()).sum((1, 2, 3)).mean() / 4
    first, again = (turn.loss(batch, Step(0, 0.0, generator(seed)))["loss"] for seed in (0, 1))
    assert first.item() == pytest.approx(expected.item(), rel=1e-6)
    assert first.item() == again.item(), "no noise between encoder and decoder"
    assert set(turn.learns) == {model.encoder, model.decoder}


def test_the_mixture_is_fitted_to_the_codes_of_the_training_images():
    data = toy(DataSpec((1, 2, 2), 2), n=200)
    model = trained("ae", DataSpec((1, 2, 2), 2), steps=20, data=data, components=3)
    with torch.no_grad():
        codes = model.encode(data.train)
    its = model.prior(data.train)
    assert torch.allclose(its.mean[0], codes.mean(0), atol=1e-3)
    assert torch.allclose(its.spread[0], codes.std(0), rtol=0.02)
    standard = Gaussian(torch.zeros_like(codes), torch.zeros_like(codes))
    assert its.log_prob(codes).mean() > standard.log_prob(codes).mean() + 1


def test_samples_decode_draws_from_the_mixture():
    model = trained("ae", components=3)
    model.pixels = "drawn"
    far = 50 + torch.zeros_like(model.prior.means)
    before = model.sample(200, generator=generator(0))
    decoded = model.show(far[:1].expand(200, -1), Batch(before), generator(1)).float().mean(0)
    model.prior.means.copy_(far)
    after = model.sample(200, generator=generator(0)).float().mean(0)
    assert (after - decoded).abs().max() < 0.15
    assert (after - before.float().mean(0)).abs().max() > 0.15


def test_mixture_and_width_are_saved_with_the_model(tmp_path):
    model = genbench.build("ae", PIXELS, width=4, latents=2, components=3)
    model.fit(toy(), FitConfig(Budget(steps=5), batch_size=10))
    genbench.save(tmp_path / "model.safetensors", model)
    again = genbench.load(tmp_path / "model.safetensors")
    batch = Batch(every_image(PIXELS))
    for name in ("prior.means", "prior.factors", "prior.log_weights", "encoder.log_std"):
        assert torch.equal(model.state_dict()[name], again.state_dict()[name])
        assert not torch.equal(model.state_dict()[name], tiny("ae", components=3).state_dict()[name])
    nats = [its.log_likelihood(batch, draws=3, generator=generator(0)).nats for its in (model, again)]
    assert torch.equal(*nats)


def test_the_width_found_is_the_posterior_s_where_that_is_known():
    gains = torch.tensor([2.0, 0.5, 0.1])
    encoder, decoder = nn.Linear(4, 3), nn.Linear(3, 4)
    basis = torch.linalg.qr(torch.randn(4, 4, generator=generator(0)))[0][:, :3]
    precision = 1 + gains.square() / 0.25  # of the posterior under x = W z + ½ ε, columns orthogonal
    decoder.weight.data, decoder.bias.data = basis * gains, torch.zeros(4)
    encoder.weight.data = (basis * gains / 0.25 / precision).T.contiguous()
    encoder.bias.data = torch.zeros(3)
    model = PointAutoencoder(
        DataSpec((1, 2, 2)),
        PointEncoder(nn.Sequential(nn.Flatten(), encoder), 3),
        Decoder(nn.Sequential(decoder, nn.Unflatten(1, (1, 2, 2)))),
        StandardNormal(3),
        UnitGaussian(256),
        lr=1e-3,
    )
    weights = {name: value.clone() for name, value in model.state_dict().items() if name != "encoder.log_std"}
    images = torch.randint(256, (64, 1, 2, 2), generator=generator(1)).to(torch.uint8)
    model.find_width(Batch(images), generator(2))
    assert torch.allclose(model.encoder.log_std, -0.5 * precision.log(), atol=0.05)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in weights.items())
    assert not model.encoder.log_std.requires_grad
    assert "encoder.log_std" in model.state_dict()


def test_the_width_found_bounds_better_than_narrower_and_wider_ones():
    data = toy(n=100)
    model = trained("ae", steps=100, data=data)
    found = model.encoder.log_std.clone()
    nats = []
    for shift in (-1.5, 0, 1.5):
        model.encoder.log_std.copy_(found + shift)
        nats.append(model.log_likelihood(data.train, draws=1, generator=generator(0)).nats.mean())
    assert nats[1] > max(nats[0], nats[2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": 0}, "components=0: give a whole number, 1 or more"),
        ({"latents": 0}, "latents=0: give a whole number, 1"),
        ({"depth": -1}, "depth=-1: give a whole number, 0 or more"),
        ({"lr": math.nan}, "lr=nan: give a positive"),
        ({"output": "gauss"}, "output='gauss': give one of"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ae(DataSpec((1, 8, 8)), **options)
