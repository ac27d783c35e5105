import inspect
from dataclasses import replace

import pytest
import torch
from torch import nn

import genbench
from families.adversarial.losses import NON_SATURATING
from families.gan import biggan
from families.gan.biggan import ADAM_OF_BIGGAN
from families.gan.builder import ADAM, COMMON, GANBuilder, gan_recipe
from families.gan.codes import Code
from families.gan.model import GAN
from families.gan.objectives import ADAM_WITHOUT_MOMENTUM
from genbench import Budget, DataSpec, FitConfig, Step
from genbench.training.batches import Stream
from tests.families.gan.test_objectives import SPEC, build, data, gen, shapes

SETTINGS = {
    "gan": "critic: batch norm, 1 step; Adam 0.0002, β 0.5 0.999",
    "wgan": "critic: batch norm, 5 steps; RMSprop 5e-05; weights ±0.01",
    "wgan-gp": "critic: no norm, 5 steps; Adam 0.001, β 0 0.9; gradient penalty 10",
    "wgan-lp": "critic: no norm, 5 steps; Adam 0.001, β 0 0.9; one sided penalty 10",
    "wgan-div": "critic: no norm, 5 steps; Adam 0.001, β 0 0.9; divergence penalty 2, power 6",
    "dragan": "critic: no norm, 1 step; Adam 0.0002, β 0.5 0.999; local penalty 10, spread 0.5",
    "sngan": "critic: spectral norm, 1 step; Adam 0.0002, β 0.5 0.999",
    "ragan penalised": "critic: no norm, 1 step; Adam 0.0002, β 0.5 0.999; gradient penalty 10",
}


@pytest.mark.parametrize("case", SETTINGS)
def test_the_setting_says_what_the_objective_prescribes(case):
    assert build(case).setting == SETTINGS[case]


def test_the_setting_follows_the_options():
    said = build("wgan", critic_steps=2, critic_lr=1e-3, bound=0.1, network="dense").setting
    assert said == (
        "critic: no norm, 2 steps; generator's RMSprop 5e-05; critic's RMSprop 0.001; weights ±0.1; dense networks"
    )


@pytest.mark.parametrize("network", ["convolutional", "residual", "dense"])
@pytest.mark.parametrize("spec", [DataSpec((3, 2, 2), 9), DataSpec((1, 8, 8), 17), DataSpec((3, 28, 28))])
def test_every_network_trains_on_every_shape(network, spec):
    for case in ("gan", "wgan-gp", "sngan"):
        model = genbench.build(case, spec, network=network, width=4, latents=5)
        batch = Stream(data(spec, 8).train, spec, 4, 0).batch(0)
        for turn in (model.critic_loss, model.generator_loss):
            assert torch.isfinite(turn(batch, Step(0, 0.0, gen()))["loss"])
        assert model.sample(2, generator=gen()).shape == (2, *spec.shape)


def test_augmentation_reaches_the_critic_by_the_option():
    spec = replace(SPEC, levels=16)  # of which none is 0 on [-1, 1], as what is cut out is
    model, seen = build("gan", spec, augment="cutout"), []
    model.critic.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].detach()))
    batch = Stream(data(spec).train, spec, 4, 0).batch(0)
    model.critic_loss(batch, Step(0, 0.0, gen()))
    assert [len(images) for images in seen] == [4, 4]
    assert all((image == 0).any() for images in seen for image in images), "cut in all, real and fake"
    build("gan", augment="color,translation,cutout").fit(data(), FitConfig(Budget(steps=2), batch_size=4))
    with pytest.raises(ValueError, match="augment='flip'"):
        build("gan", augment="flip")


def test_two_time_scales_give_the_critic_its_own_rate():
    critic, generator = build("gan", lr=1e-4, critic_lr=4e-4).phases()[0].turns
    rates = [turn.optimizer([nn.Parameter(torch.zeros(1))]).defaults["lr"] for turn in (critic, generator)]
    assert rates == [4e-4, 1e-4]


@gan_recipe(lr=3e-3, average=0.5)
def toy(builder: GANBuilder, *, strength: float = 2.0) -> GAN:
    """A recipe of two own defaults and one own option."""
    model = builder.build(NON_SATURATING, optimizer=ADAM)
    model.strength = strength
    return model


def test_a_recipe_has_the_builders_options_with_its_own_defaults():
    parameters = inspect.signature(toy).parameters
    assert list(parameters) == ["spec", *COMMON, "strength"]
    defaults = {name: p.default for name, p in parameters.items() if name != "spec"}
    assert defaults == COMMON | {"lr": 3e-3, "average": 0.5, "strength": 2.0}
    assert toy.__doc__.startswith("A recipe")
    model = toy(SPEC, width=4)
    assert (model.average.decay, model.strength, model.latents) == (0.5, 2.0, 64)
    assert toy(SPEC, width=4, average=0.0, strength=1.0, latents=3).average is None
    with pytest.raises(TypeError, match="power"):
        toy(SPEC, power=1)


def test_parts_that_are_not_given_are_the_shared_ones():
    builder = GANBuilder(spec=SPEC, width=4, latents=5)
    model = builder.build(NON_SATURATING, optimizer=ADAM)
    parts = builder.build(NON_SATURATING, optimizer=ADAM, critic=builder.critic(), code=Code(7))
    assert shapes(model.critic) == shapes(parts.critic)
    assert (model.code.latents, parts.code.latents, parts.latents) == (5, 7, 7)
    assert ADAM.keywords == {"betas": (0.5, 0.999)}


def test_no_optimiser_is_chosen_for_a_recipe_and_betas_that_differ_have_names_that_differ():
    parameter = inspect.signature(GANBuilder.build).parameters["optimizer"]
    assert parameter.default is inspect.Parameter.empty
    named = [ADAM, ADAM_WITHOUT_MOMENTUM, ADAM_OF_BIGGAN]
    assert [optimizer.keywords["betas"] for optimizer in named] == [(0.5, 0.999), (0.0, 0.9), (0.0, 0.999)]
    assert not hasattr(biggan, "ADAM")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "unet"}, "network='unet': give convolutional, residual, dense"),
        ({"lr": 0}, "lr=0"),
        ({"critic_lr": -1.0}, "critic_lr=-1.0"),
        ({"critic_steps": 0}, "critic_steps=0"),
        ({"average": 1.0}, "average=1.0: give a number, at least 0 and less than 1"),
        ({"width": 0}, "width=0"),
        ({"latents": 0}, "latents=0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        genbench.build("gan", SPEC, **options)


def test_data_without_labels_are_refused_by_what_needs_them():
    with pytest.raises(ValueError, match="classes=0"):
        GANBuilder(spec=SPEC).classes()
    assert GANBuilder(spec=DataSpec((1, 8, 8), classes=3)).classes() == 3
