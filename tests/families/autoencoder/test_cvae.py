import copy
from dataclasses import replace

import pytest
import torch

from families.autoencoder.aae import aae_supervised
from families.autoencoder.cvae import cvae
from families.autoencoder.divergences import kl
from genbench import Batch, Budget, DataSpec, FitConfig, Step
from genbench.seed import generator, normal
from genbench.spec import Split, Splits
from tests.families.autoencoder.tiny import PIXELS, randomised, toy
from tests.families.helpers import every_image

IMAGES = every_image(PIXELS)


def labelled(label):
    return Batch(IMAGES, torch.full((len(IMAGES),), label))


@pytest.fixture
def model():
    return randomised("cvae", scale=0.6).double()


def test_the_encoder_reads_the_label(model):
    x = 2 * IMAGES.double() - 1
    zero, one = (model.encoder(x, labelled(label)).mean for label in (0, 1))
    assert (zero - one).abs().max() > 0.01


def test_the_decoder_reads_the_label(model):
    codes = torch.zeros(len(IMAGES), 2, dtype=torch.float64)
    zero, one = (model.decoder(codes, labelled(label)) for label in (0, 1))
    assert (zero - one).abs().max() > 0.01


def test_the_prior_reads_the_label(model):
    zero, one = (model.prior(labelled(label)) for label in (0, 1))
    assert (zero.mean - one.mean).abs().max() > 0.01
    assert (zero.log_std - one.log_std).abs().max() > 0.01
    assert torch.equal(one.mean[0], model.prior.means[1])


def test_the_loss_is_the_conditional_elbo_by_hand():
    model = randomised("cvae", output="categorical").double()
    labels = torch.arange(len(IMAGES)) % 2
    batch = Batch(IMAGES, labels)
    planes = torch.stack((labels == 0, labels == 1), 1).double()[:, :, None, None].expand(-1, -1, 2, 2)
    mean, raw = model.encoder.network(torch.cat((2 * IMAGES.double() - 1, planes), 1)).chunk(2, 1)
    log_std = 10 * torch.tanh(raw / 10)
    codes = mean + log_std.exp() * normal((16, 2), generator(3)).double()
    logits = model.decoder.network(torch.cat((codes, planes[:, :, 0, 0]), 1)).log_softmax(1)
    reconstruction = logits.gather(1, IMAGES.long()).sum((1, 2, 3))
    q = torch.distributions.Normal(mean, log_std.exp())
    p = torch.distributions.Normal(model.prior.means[labels], model.prior.log_stds[labels].exp())
    divergence = torch.distributions.kl_divergence(q, p).sum(1)
    (turn,) = model.phases()[0].turns
    loss = turn.loss(batch, Step(0, 0.0, generator(3)))["loss"]
    assert loss.item() == pytest.approx((divergence - reconstruction).mean().item() / 4, rel=1e-6)
    assert model.divergence is kl


@pytest.mark.parametrize("recipe", [cvae, aae_supervised])
def test_a_label_is_needed_and_obeyed(recipe):
    with pytest.raises(ValueError, match=r"classes=0: .* needs a label for each image"):
        recipe(DataSpec((1, 4, 4)), width=4)
    model = recipe(PIXELS, width=4, latents=2)
    assert model.given == ("label",)
    with pytest.raises(ValueError, match=r"labels: .* some are unknown"):
        model.decoder(torch.zeros(len(IMAGES), 2), Batch(IMAGES, torch.full((len(IMAGES),), -1)))
    with pytest.raises(ValueError, match="unknown"):
        model.fit(toy(), FitConfig(Budget(steps=1), batch_size=4))


def test_what_is_learned_of_a_label_is_told_by_samples_and_likelihoods():
    """Black images of label 0 and white ones of label 1, three times as many."""
    labels = torch.tensor([0, 1, 1, 1]).repeat(20)
    data = Split((labels[:, None, None, None] * torch.ones(1, 1, 2, 2)).to(torch.uint8), labels)
    torch.manual_seed(0)
    model = cvae(replace(PIXELS, labelled=None), width=8, latents=2, lr=2e-2, output="categorical")
    model.fit(Splits(data, data), FitConfig(Budget(steps=100), batch_size=20))
    asked = torch.arange(200) % 2
    bright = model.sample(200, labels=asked, generator=generator(0)).float().mean((1, 2, 3))
    assert bright[1::2].mean() > bright[::2].mean() + 0.7
    drawn = model.conditions(2000, generator=generator(1)).labels
    assert drawn.double().mean().item() == pytest.approx(0.75, abs=0.04), "labels not given follow the training's"
    right = model.log_likelihood(data, draws=10, generator=generator(0)).nats.mean()
    swapped = Batch(data.images, 1 - data.labels)
    assert right > model.log_likelihood(swapped, draws=10, generator=generator(0)).nats.mean() + 1


def test_the_supervised_aae_tells_only_its_decoder_the_label():
    model = randomised("aae-supervised", scale=0.6).double()
    zero, one = (model.posterior(labelled(label)).mean for label in (0, 1))
    assert torch.equal(zero, one)
    codes = torch.zeros(len(IMAGES), 2, dtype=torch.float64)
    assert (model.decoder(codes, labelled(0)) - model.decoder(codes, labelled(1))).abs().max() > 0.01
    assert torch.equal(model.prior(labelled(0)).mean, model.prior(labelled(1)).mean)


def test_interpolation_and_reconstruction_are_told_the_label_of_each_end():
    model = randomised("cvae", scale=1.5)
    swapped = copy.deepcopy(model)
    batch, others = labelled(0), labelled(1)
    path = swapped.interpolate(batch, others, 4)
    assert torch.equal(path[:, 0], model.reconstruct(batch))
    assert torch.equal(path[:, -1], model.reconstruct(others))
    assert not torch.equal(model.reconstruct(batch), model.reconstruct(others))
