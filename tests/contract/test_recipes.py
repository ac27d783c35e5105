"""Every recipe of the catalogue, through fit, sample, log_likelihood, save, load and resume."""

import copy
from dataclasses import replace

import pytest
import torch

from genbench import Budget, FitConfig, ImplicitModel, catalog
from genbench.contract import answers, checks, learning, samples
from genbench.training import precision
from tests.contract.recipes import (
    CASES,
    COLOUR,
    CONDITIONAL,
    RECIPES,
    build,
    conditions,
    data,
    draw,
    noise,
    options,
)
from tests.contract.test_toys import same


def test_samples_are_levels_and_depend_on_the_generator_alone(trained):
    _, model = trained
    batch = data(model.spec).validation.rows(slice(6))
    samples.levels(model, batch)
    samples.generator_alone(model, batch)
    silent = isinstance(model, ImplicitModel) and model.latents == 0
    assert torch.equal(draw(model), draw(model, seed=2)) == silent


def test_a_likelihood_is_of_the_image_alone(trained):
    _, model = trained
    batch = data(model.spec).validation.rows(slice(5))
    answers.repeated(model, batch)
    answers.alone(model, batch)
    answers.untold(model, batch)


def test_likelihood_is_what_the_catalogue_says(trained):
    name, model = trained
    batch = data(model.spec).validation.rows(slice(0, 5))
    before = copy.deepcopy(model.state_dict())
    requires = [p.requires_grad for p in model.parameters()]

    def ask(training=False):
        model.train(training)
        state = torch.get_rng_state()
        answer = model.log_likelihood(batch, draws=2, generator=noise(3))
        assert torch.equal(state, torch.get_rng_state())
        assert model.training == training
        model.eval()
        return answer

    answer = ask()
    assert answer.kind == catalog.recipe(name).likelihood
    assert answer.given == model.given
    assert set(catalog.recipe(name).given) <= set(model.given)
    assert answer.method
    assert answer.nats.dtype == torch.float64
    assert answer.nats.shape == (5,)
    assert torch.isfinite(answer.nats).all()
    assert (answer.nats < 0).all()
    assert torch.equal(answer.nats, ask(training=True).nats), "a likelihood is taken in evaluation mode"
    assert same(before, model.state_dict())
    assert requires == [p.requires_grad for p in model.parameters()]


def test_a_likelihood_refuses_in_one_line_what_the_data_cannot_be(trained):
    _, model = trained
    batch, labels = data(model.spec).validation.rows(slice(0, 4)), torch.arange(4)
    channels = model.spec.shape[0]
    wrong = {
        "images are torch.float32: give uint8 levels from 0 to 255": replace(batch, images=batch.images / 255),
        "images are torch.int64": replace(batch, images=batch.images.long()),
        rf"images have shape \({channels}, 4, 8\): the model is made for \({channels}, 8, 8\)": replace(
            batch, images=batch.images[:, :, :4]
        ),
        "images: there are none": batch.rows(slice(0, 0)),
        "labels: 3 for 4 images": replace(batch, labels=labels[:3]),
        "sources: 3 for 4 images": replace(batch, labels=labels, sources=batch.sources[:3]),
    }
    if "label" in model.given:
        wrong["labels: this model needs one with each image"] = replace(batch, labels=None)
        wrong["labels run from -1 to 2: give 0 to 3"] = replace(batch, labels=labels - 1)
        wrong["labels run from 1 to 4: give 0 to 3"] = replace(batch, labels=labels + 1)
        wrong["labels are torch.int32: give int64 from 0 to 3"] = replace(batch, labels=labels.int())
    for message, refused in wrong.items():
        with pytest.raises(ValueError, match=message):
            model.log_likelihood(refused)


def test_a_saved_model_answers_the_same(trained, tmp_path):
    _, model = trained
    learning.kept(model, data(model.spec).validation.rows(slice(6)), tmp_path)


@pytest.mark.parametrize("case", CASES)
def test_each_parameter_moves_in_exactly_the_turns_that_learn_it(case):
    model = build(case)
    turns = learning.movements(model, data(model.spec))
    assert {turn.turn: turn.moved for turn in turns} == {turn.turn: turn.learns for turn in turns}
    learning.owned(model, turns)


@pytest.mark.parametrize("name", RECIPES)
def test_resumes_bit_for_bit(name, tmp_path):
    learning.resumed(lambda seed: build(name, seed=seed), tmp_path)


def test_colour_images_of_few_levels(coloured):
    model = coloured
    assert draw(model, 3).shape == (3, *COLOUR.shape)
    batch = data(model.spec).validation.rows(slice(0, 2))
    nats = model.log_likelihood(batch, draws=1, generator=noise(3)).nats
    assert torch.isfinite(nats).all()
    with pytest.raises(ValueError, match="images reach level 17: the data set has levels 0 to 16"):
        model.log_likelihood(replace(batch, images=batch.images + 17 - batch.images.max()))


def test_a_conditional_model_draws_as_its_condition_says(trained):
    _, model = trained
    if not model.given:
        with pytest.raises(ValueError, match="label"):
            model.sample(2, labels=torch.zeros(2, dtype=torch.int64), generator=torch.Generator())
        return
    model, given = copy.deepcopy(model), conditions(model, 6)
    for parameter in model.parameters():  # a few steps from zero, a condition hardly counts yet
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=noise())
    images = model.sample(6, generator=noise(), **given)
    other = turned(given, lambda value: value.flip(0))
    assert not torch.equal(images, model.sample(6, generator=noise(), **other))
    with pytest.raises(ValueError, match="|".join(model.given)):
        model.sample(6, generator=torch.Generator(), **turned(given, lambda value: value[:3]))
    for name in set(model.given) - {"label"}:
        bare = {key: value for key, value in given.items() if key != f"{name}s"}
        if "fields" in bare:
            bare["fields"] = {key: value for key, value in given["fields"].items() if key != name}
        with pytest.raises(ValueError, match=f"^{name}s?: this model needs one for each"):
            model.sample(6, generator=torch.Generator(), **bare)


def turned(given, change):
    """Conditions with ``change`` made to each tensor."""
    found = {key: change(value) for key, value in given.items() if key != "fields"}
    if "fields" in given:
        found["fields"] = {key: change(value) for key, value in given["fields"].items()}
    return found


@pytest.fixture
def processor_with_bfloat16(monkeypatch):
    """Autocast works on any processor, if slowly: what a run refuses for its slowness is tested all the same."""
    monkeypatch.setattr(precision, "processor_flags", lambda: precision.FLAGS)


@pytest.mark.parametrize("name", RECIPES)
def test_trains_in_bfloat16_with_losses_and_weights_in_float32(name, processor_with_bfloat16):
    model, logged = build(name), []
    config = FitConfig(Budget(steps=6), batch_size=8, precision="bfloat16")
    model.fit(data(model.spec), config, callbacks=[lambda progress: logged.append(progress.logs)])
    losses = {f"{log}, {value.dtype}": value for logs in logged for log, value in logs.items()}
    assert all(value.dtype in (torch.float32, torch.float64) for value in losses.values()), list(losses)
    assert all(torch.isfinite(value) for value in losses.values())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert all(parameter.is_contiguous() for parameter in model.parameters())
    assert draw(model).shape == (6, *model.spec.shape)


@pytest.mark.parametrize("name", RECIPES)
def test_draws_and_scores_in_float64(name):
    model = build(name).double().eval()
    assert draw(model, 3).shape == (3, *model.spec.shape)
    nats = model.log_likelihood(data(model.spec).validation.rows(slice(0, 1)), generator=noise(3)).nats
    assert torch.isfinite(nats).all()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_passes_every_check_that_others_recipes_have_to(case):
    outcomes = list(checks.check_recipe(CONDITIONAL.get(case, case), options(case)))
    assert {one.check: one.found for one in outcomes if one.result != "passed"} == {}
