"""The meta device holds shapes and no numbers: any tensor left on the CPU beside it is an error, as it is on a GPU."""

import pytest
import torch

from genbench import Batch, DataSpec, Step, build
from genbench.seed import generator


@pytest.mark.slow  # torch takes many seconds to load what it knows of meta tensors
@pytest.mark.parametrize("recipe", ["pixelcnn", "gated-pixelcnn", "pixelcnn-pp", "vae", "realnvp", "nice"])
def test_training_scoring_and_sampling_stay_on_the_model_s_device(recipe):
    model = build(recipe, DataSpec((3, 4, 4), 9), width=4).to("meta")
    batch = Batch(torch.zeros(5, 3, 4, 4, dtype=torch.uint8, device="meta"))
    loss = model.train().phases()[0].turns[0].loss(batch, Step(0, 0.0, generator(0)))["loss"]
    loss.backward()
    nats = model.log_likelihood(batch, draws=3, generator=generator(0)).nats
    images = model.sample(4, generator=generator(0))
    assert {loss.device.type, nats.device.type, images.device.type} == {"meta"}
    assert images.shape == (4, 3, 4, 4)
