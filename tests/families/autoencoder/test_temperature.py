"""Pixels are drawn at a temperature, codes are not."""

from dataclasses import replace

import pytest
import torch

import genbench
from genbench import Batch, DataSpec
from genbench.seed import generator
from tests.families.autoencoder.tiny import BOUNDED, randomised, tiny

SPEC = DataSpec((1, 4, 4), 256, classes=2, labelled=12)
COLD = 1e-9


def codes(model, n, seed):
    """The codes of ``sample`` under a seed, drawn as it draws them, and what they are given."""
    source = generator(seed)
    given = model.conditions(n, generator=source)
    return model.prior(given).draw(source), given


@pytest.mark.parametrize("name", BOUNDED)
def test_cold_samples_are_the_medians_of_the_codes_that_warm_ones_have(name):
    model = randomised(name, SPEC, scale=0.4, pixels="drawn")
    warm = model.sample(50, generator=generator(3))
    model.temperature = COLD
    medians = model.show(*codes(model, 50, 3), None)
    assert torch.equal(model.sample(50, generator=generator(3)), medians)
    assert not torch.equal(warm, medians)
    assert len({tuple(image.flatten().tolist()) for image in medians}) > 3, "the prior's codes are as far as ever"


@pytest.mark.parametrize("output", ["categorical", "bernoulli"])
def test_cold_samples_of_levels_are_the_likeliest(output):
    model = randomised("vae", replace(SPEC, levels=2 if output == "bernoulli" else 9), output=output, pixels="drawn")
    model.temperature = COLD
    logits = model.decoder(*codes(model, 50, 3))
    likeliest = logits > 0 if output == "bernoulli" else logits.argmax(1, keepdim=True)
    assert torch.equal(model.sample(50, generator=generator(3)), likeliest.to(torch.uint8))


def test_noise_of_a_logistic_shrinks_with_the_temperature():
    model = randomised("vae", SPEC, scale=0.1)  # a scale of one about, where black and white are 2 apart
    batch = Batch(torch.full((400, 1, 4, 4), 128, dtype=torch.uint8))
    spreads = []
    for temperature in (0.2, 0.1):
        model.temperature = temperature
        away = model.reconstruct(batch, generator=generator(0)).float() - model.reconstruct(batch).float()
        spreads.append(away.abs().median().item())
    assert spreads[1] == pytest.approx(spreads[0] / 2, rel=0.1)


@pytest.mark.parametrize("name", BOUNDED)
def test_one_changes_nothing_and_neither_likelihood_nor_what_is_shown_depends_on_it(name):
    model = randomised(name, SPEC, pixels="drawn")
    cold = randomised(name, SPEC, pixels="drawn", temperature=0.3)
    assert (model.temperature, cold.temperature) == (1.0, 0.3)
    samples = model.sample(20, generator=generator(1))
    assert torch.equal(
        samples, randomised(name, SPEC, pixels="drawn", temperature=1.0).sample(20, generator=generator(1))
    )
    assert not torch.equal(samples, cold.sample(20, generator=generator(1)))
    batch = Batch(samples, torch.arange(20) % 2 if model.given else None)
    for ask in (
        lambda m: m.log_likelihood(batch, generator=generator(0)).nats,
        lambda m: m.reconstruct(batch),
        lambda m: m.interpolate(batch, batch, 2),
        lambda m: m.traverse(2, 3, generator=generator(0)),
    ):
        assert torch.equal(ask(model), ask(cold))


def test_a_saved_model_keeps_it_and_none_at_or_below_zero_is_taken(tmp_path):
    genbench.save(
        tmp_path / "model.safetensors",
        genbench.build("vae", DataSpec((1, 4, 4)), width=4, pixels="drawn", temperature=0.5),
    )
    assert genbench.load(tmp_path / "model.safetensors").temperature == 0.5
    for name in BOUNDED:
        for temperature in (0, -1.0):
            with pytest.raises(ValueError, match=f"^temperature={temperature}: give a positive number$"):
                tiny(name, SPEC, temperature=temperature)


@pytest.mark.parametrize("name", BOUNDED)
def test_samples_are_medians_unless_they_are_asked_to_be_drawn(name, tmp_path):
    model, drawn = randomised(name, SPEC, scale=0.4), randomised(name, SPEC, scale=0.4, pixels="drawn")
    assert (model.pixels, drawn.pixels) == ("median", "drawn")
    medians = model.sample(50, generator=generator(3))
    assert torch.equal(medians, model.show(*codes(model, 50, 3), None))
    assert not torch.equal(medians, drawn.sample(50, generator=generator(3)))
    batch = Batch(medians, torch.arange(50) % 2 if model.given else None)
    bounds = [m.log_likelihood(batch, generator=generator(0)).nats for m in (model, drawn)]
    assert torch.equal(*bounds), "the likelihood counts the noise either way"
    with pytest.raises(ValueError, match=r"^temperature=0.5: pixels are medians, .* give pixels='drawn' too$"):
        tiny(name, SPEC, temperature=0.5)
    with pytest.raises(ValueError, match=r"^pixels='mode': give median, drawn$"):
        tiny(name, SPEC, pixels="mode")
