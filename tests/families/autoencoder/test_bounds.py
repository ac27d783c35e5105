from dataclasses import replace

import pytest
import torch

from genbench import Batch, DataSpec
from genbench.seed import generator
from tests.families.autoencoder.tiny import BOUNDED, PIXELS, randomised, trained, weights_over_all_images
from tests.families.helpers import every_image


@pytest.mark.parametrize("output", ["logistic", "categorical"])
@pytest.mark.parametrize("name", BOUNDED)
def test_importance_weights_sum_to_one_over_all_images_with_random_weights(name, output):
    spec = PIXELS if output == "categorical" else replace(PIXELS, shape=(1, 1, 3), levels=3)
    model = randomised(name, spec, output=output).double()
    for label in range(spec.classes) if model.given else [None]:
        total, error = weights_over_all_images(model, spec, label)
        assert error < 0.02
        assert abs(total - 1) < 3 * error


@pytest.mark.parametrize("name", BOUNDED)
def test_importance_weights_sum_to_one_over_all_images_with_trained_weights(name):
    # sixteen images have no more than sixteen codes, on which more components would stand as spikes
    model = trained(name, **({"components": 2} if name == "ae" else {})).double()
    if hasattr(model.encoder, "log_std"):  # a width that reaches all of the prior's mass, so that few draws tell
        model.encoder.log_std.copy_((2 * model.prior(Batch(every_image(PIXELS))).spread[0, -2:]).log())
    for label in range(PIXELS.classes) if model.given else [None]:
        total, error = weights_over_all_images(model, PIXELS, label)
        assert error < 0.03
        assert abs(total - 1) < 3 * error


@pytest.mark.parametrize("name", BOUNDED)
def test_three_channels_and_two_levels(name):
    spec = DataSpec((3, 1, 2), 2, classes=2, labelled=8)
    model = randomised(name, spec).double()
    total, error = weights_over_all_images(model, spec, 1 if model.given else None)
    assert error < 0.02
    assert abs(total - 1) < 3 * error


@pytest.mark.parametrize("name", BOUNDED)
def test_the_bound_grows_with_draws(name):
    model = randomised(name, scale=0.6).double()
    images = every_image(PIXELS)
    batch = Batch(images, torch.arange(len(images)) % 2 if model.given else None)
    answers = [model.log_likelihood(batch, draws=k, generator=generator(k)) for k in (1, 8, 400)]
    bounds = [answer.nats.mean() for answer in answers]
    assert bounds[0] < bounds[1] < bounds[2]
    assert [answer.method for answer in answers] == ["elbo", "iwae", "iwae"]
    assert all(answer.kind == "bound" and answer.given == model.given for answer in answers)


@pytest.mark.parametrize("name", BOUNDED)
def test_samples_follow_the_probabilities(name):
    spec = DataSpec((1, 1, 2), 3, classes=2, labelled=8)
    model = randomised(name, spec, scale=0.6, pixels="drawn").double()
    images, n = every_image(spec), 20_000
    labels = torch.ones(n, dtype=torch.int64) if model.given else None
    batch = Batch(images, None if labels is None else labels[: len(images)])
    expected = model.log_likelihood(batch, draws=20_000, generator=generator(1)).nats.exp()
    assert expected.sum().item() == pytest.approx(1, abs=0.02)
    drawn = model.sample(n, labels=labels, generator=generator(0)).flatten(1).long() @ torch.tensor([3, 1])
    seen = torch.bincount(drawn, minlength=9) / n
    assert ((seen - expected).abs() < 4 * (expected / n).sqrt() + 0.02 * expected).all()


@pytest.mark.parametrize("name", BOUNDED)
def test_precision_lost_in_a_network_is_regained_before_the_likelihood(name):
    model = randomised(name)
    images = every_image(PIXELS)
    batch = Batch(images, torch.arange(len(images)) % 2)
    with torch.autocast("cpu", torch.bfloat16):
        codes = model.posterior(batch)
        assert codes.mean.dtype == codes.log_prob(codes.mean).dtype == torch.float32
        assert model.decoder(codes.mean, batch).dtype == torch.float32
