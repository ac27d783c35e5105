"""Every recipe that ends in an output begins where the output says, under each output that it takes."""

from dataclasses import replace

import pytest
import torch

import genbench
from families.outputs.start import fitted
from genbench import Budget, DataSpec, FitConfig, catalog
from genbench.interface import Step
from genbench.seed import generator
from genbench.spec import Batch
from tests.contract.recipes import data, spec_for

COLOUR = DataSpec((3, 8, 8), levels=17, classes=4)
BINARY = DataSpec((1, 8, 8), levels=2, classes=4)
SMALL = {"width": 8, "depth": 1, "latents": 2}
ENDING = [
    name
    for name, recipe in catalog.recipes().items()
    if recipe.family in ("autoregressive", "autoencoder") and recipe.likelihood != "estimate"
]
CHOOSING = [name for name in ENDING if "output" in catalog.recipe(name).options()]
CASES = [
    *((name, None, COLOUR) for name in ENDING if name not in CHOOSING),
    *((name, output, COLOUR) for name in CHOOSING for output in ("categorical", "logistic", "mixture")),
    *((name, "bernoulli", BINARY) for name in CHOOSING),
]
MIXTURES = [(name, output, spec) for name, output, spec in CASES if output == "mixture" or name == "pixelcnn-pp"]


def build(name, output, spec):
    """A small model of the recipe."""
    known = catalog.recipe(name).options()
    options = {key: value for key, value in SMALL.items() if key in known}
    return genbench.build(name, spec_for(name, spec), **options, **({"output": output} if output else {}))


def parameters(model):
    """What the model says of every pixel of a few random images or codes, ``(B, P, H, W)``."""
    source = generator(3)
    labels = torch.randint(4, (5,), generator=source)
    with torch.no_grad():
        if hasattr(model, "network"):
            return model.network(2 * torch.rand(5, *model.spec.shape, generator=source) - 1)
        inputs = next(model.decoder.network.parameters()).shape[1] - model.decoder.classes
        return model.decoder(torch.randn(5, inputs, generator=source), Batch(torch.zeros(5), labels))


def silence(model):
    """Take out a decoder's last weights, which are faint; a causal network's are zero of themselves."""
    if hasattr(model, "decoder"):
        *_, last = (each for each in model.decoder.modules() if isinstance(each, torch.nn.Conv2d | torch.nn.Linear))
        torch.nn.init.zeros_(last.weight)


def enter(model, splits, seed=0):
    model.phases()[0].enter(splits, Step(0, 0.0, generator(seed)))


@pytest.mark.parametrize(("name", "output", "spec"), CASES)
def test_a_model_begins_at_the_output_s_start_and_training_at_the_fitted_one(name, output, spec):
    model = build(name, output, spec)
    splits = data(model.spec)
    channels = spec.shape[0]
    alike = name == "wavenet"
    images = splits.train.images
    pixels = images.flatten(0, 1).unsqueeze(1) if alike else images
    expected = [
        model.output.start(channels),
        fitted(model.output, pixels, generator(0)).repeat(channels if alike else 1),
    ]
    silence(model)
    seen = [parameters(model)]
    enter(model, splits)
    seen.append(parameters(model))
    assert not torch.allclose(*expected, atol=1e-3)
    for its, start in zip(seen, expected, strict=True):
        assert its.shape[1:] == (model.output.parameters(channels), *spec.shape[1:])
        assert (its - start[None, :, None, None]).abs().max() < 1e-6


@pytest.mark.parametrize("name", ENDING)
def test_a_second_training_goes_on_from_the_first(name):
    model = build(name, None, COLOUR)
    splits = data(model.spec)
    model.fit(splits, FitConfig(Budget(steps=1), batch_size=8))
    learned = {key: value.clone() for key, value in model.state_dict().items()}
    enter(model, splits)
    assert all(torch.equal(value, learned[key]) for key, value in model.state_dict().items())


def components(model):
    """A mixture's rows at one pixel, ``(R, M)``."""
    return parameters(model)[0, :, 3, 3].view(-1, model.output.components)


@pytest.mark.parametrize(("name", "output", "spec"), MIXTURES)
def test_components_of_a_mixture_differ_after_a_few_steps(name, output, spec):
    model = build(name, output, spec)
    model.fit(data(model.spec), FitConfig(Budget(steps=3), batch_size=8))
    rows = components(model)
    apart = (rows[:, :, None] - rows[:, None]).abs().amax(0)  # of every two components
    assert apart.add(torch.eye(len(apart))).min() > 0.05


@pytest.mark.parametrize("name", ["gated-pixelcnn", "pixelcnn-pp"])
def test_components_that_began_alike_would_stay_alike(name):
    model = build(name, "mixture" if name in CHOOSING else None, COLOUR)
    torch.nn.init.zeros_(model.network.last.bias)
    phases = [replace(phase, enter=None) for phase in model.phases()]
    model.phases = lambda: phases
    model.fit(data(model.spec), FitConfig(Budget(steps=3), batch_size=8))
    rows = components(model)
    assert rows.abs().max() > 1e-4, "nothing was learned"
    assert torch.allclose(rows, rows[:, :1].expand_as(rows), atol=1e-6)
