"""Networks of every kind on images of which no side halves evenly: they learn, draw, and come back from a file."""

import pytest
import torch

import genbench
from genbench import Budget, DataSpec, FitConfig, Split, Splits
from tests.contract.recipes import noise

SHAPE = (3, 13, 17)
NETWORKS = {
    "image autoencoder": ("vae", {}),
    "decoder and critic": ("vae-gan", {}),
    "dcgan": ("dcgan", {}),
    "residual": ("biggan", {"latents": 8}),
    "residual with attention": ("sagan", {}),
    "autoencoding critic": ("began", {}),
    "u-net": ("pix2pix", {}),
}


@pytest.mark.parametrize(("recipe", "options"), NETWORKS.values(), ids=NETWORKS)
def test_odd_sides_are_trained_drawn_saved_and_loaded(recipe, options, tmp_path):
    spec = DataSpec(SHAPE, 17, classes=4, source=SHAPE)

    def split(n):
        images = torch.randint(17, (n, *SHAPE), generator=noise(n), dtype=torch.uint8)
        return Split(images, torch.arange(n) % 4, images.flip(0))

    model = genbench.build(recipe, spec, width=4, **options)
    begun = {name: value.detach().clone() for name, value in model.named_parameters()}
    model.finish = lambda data, generator: None  # what is asked for here is images
    model.fit(Splits(split(16), split(8)), FitConfig(Budget(steps=2), batch_size=8))
    moved = [not torch.equal(value, begun[name]) for name, value in model.named_parameters() if value.requires_grad]
    assert sum(moved) > 0.8 * len(moved)  # some parameters begin at a place without a gradient
    given = {name: value[:5] for name, value in sampled_with(model, split(8)).items()}
    images = model.sample(5, generator=noise(), **given)
    assert images.shape == (5, *SHAPE)
    assert int(images.max()) < 17
    genbench.save(tmp_path / "model.safetensors", model)
    again = genbench.load(tmp_path / "model.safetensors")
    assert torch.equal(images, again.sample(5, generator=noise(), **given))


def sampled_with(model, data):
    """What ``sample`` is told of these images."""
    told = {"label": ("labels", data.labels), "source": ("sources", data.sources)}
    return dict(told[name] for name in model.given)
