import math

import pytest
import torch

import genbench
from genbench import Batch, DataSpec, Step
from genbench.seed import generator
from tests.families.autoencoder.tiny import BOUNDED


def squares(shape):
    """24 images of black and white squares."""
    coarse = torch.rand(24, shape[0], 4, 4, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, shape[1:]).gt(0.7).mul(255).to(torch.uint8)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 16, 16)])
@pytest.mark.parametrize("name", BOUNDED)
def test_no_recipe_begins_beyond_thrice_the_uniforms_nats(name, shape):
    spec = DataSpec(shape, classes=10, labelled=20)
    images, labels = squares(shape), torch.arange(24) % 10
    for seed in range(4):
        model = genbench.build(name, spec, seed=seed)
        first = next(turn for turn in model.phases()[0].turns if turn.name in ("elbo", "reconstruction"))
        loss = first.loss(Batch(images, labels), Step(0, 0.0, generator(seed)))["loss"]
        assert loss < 3 * math.log(256), seed


@pytest.mark.parametrize("name", ["aae", "aae-supervised"])
def test_codes_of_an_adversarial_encoder_begin_within_thrice_the_prior_s_size(name):
    for seed in range(4):
        model = genbench.build(name, DataSpec((1, 28, 28), classes=10), seed=seed)
        with torch.no_grad():
            codes = model.encode(Batch(squares((1, 28, 28)), torch.arange(24) % 10))
        assert 1 / 3 < codes.square().mean().sqrt() < 3, seed
