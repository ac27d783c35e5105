"""Every recipe of the catalogue, through fit, sample, log_likelihood, save, load and resume."""

import copy
from dataclasses import replace

import pytest
import torch

import genbench
from genbench import Budget, FitConfig, ImplicitModel, catalog
from genbench.interface import Step
from genbench.training import precision
from genbench.training.batches import Stream
from genbench.training.turns import TurnRunner, restored
from tests.contract.recipes import CASES, COLOUR, RECIPES, SPEC, build, conditions, data, draw, noise
from tests.contract.test_toys import Cut, same


def test_samples_are_levels_and_depend_on_the_generator_alone(trained):
    _, model = trained
    images = draw(model)
    assert images.shape == (6, *model.spec.shape)
    assert images.dtype == torch.uint8
    assert images.device == model.device
    assert int(images.max()) < SPEC.levels
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(5)
    model.train()
    state = torch.get_rng_state()
    again = draw(model)
    assert model.training, "sampling must leave the mode as it was"
    model.eval()
    assert torch.equal(images, again)
    assert torch.equal(state, torch.get_rng_state()), "sampling must not touch the global generator"
    assert same(before, model.state_dict()), "sampling must not change the model"
    silent = isinstance(model, ImplicitModel) and model.latents == 0
    assert torch.equal(images, draw(model, seed=2)) == silent


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
    genbench.save(tmp_path / "model.safetensors", model)
    again = genbench.load(tmp_path / "model.safetensors")
    assert same(model.state_dict(), again.state_dict())
    assert again.given == model.given
    assert torch.equal(draw(model), draw(again))


@pytest.mark.parametrize("case", CASES)
def test_each_parameter_moves_in_exactly_the_turns_that_learn_it(case):
    model = build(case)
    splits = data(model.spec)
    stream = Stream(splits.train, model.spec, 8, 0)
    noise = torch.Generator().manual_seed(0)
    everywhere = set()
    for phase in model.phases():
        model.train()
        if phase.enter is not None:
            phase.enter(splits, Step(0, 0.0, noise))
        runners = [TurnRunner.make(replace(turn, after=None)) for turn in phase.turns]
        moved = [set() for _ in runners]
        with restored({p: p.requires_grad for p in model.parameters()}):
            for k in range(5):
                for runner, seen in zip(runners, moved, strict=True):
                    before = {p: p.detach().clone() for p in model.parameters()}
                    runner.step(model, stream.batch(k), Step(k, k / 5, noise), k)
                    seen |= {p for p, old in before.items() if not torch.equal(p, old)}
        names = {p: n for n, p in model.named_parameters()}
        for runner, seen in zip(runners, moved, strict=True):
            learns = set(runner.parameters)
            assert {names[p] for p in seen} == {names[p] for p in learns}, runner.turn.name
            everywhere |= learns
    rest = {n for n, p in model.named_parameters() if p.requires_grad and p not in everywhere}
    assert not rest, f"no turn learns {rest}"


@pytest.mark.parametrize("name", RECIPES)
def test_resumes_bit_for_bit(name, tmp_path):
    whole = build(name)
    splits = data(whole.spec)
    whole.fit(splits, FitConfig(Budget(steps=7), batch_size=8, seed=2))
    path = tmp_path / "training.pt"
    config = FitConfig(Budget(steps=7), batch_size=8, seed=2, checkpoint=path, checkpoint_seconds=0)

    def cut(progress):
        if progress.step == 5:
            raise Cut

    with pytest.raises(Cut):
        build(name).fit(splits, config, callbacks=[cut])
    torch.rand(3)
    rest = build(name, seed=9)
    rest.origin = replace(rest.origin, seed=0)  # other weights to begin with: all of it must come from the checkpoint
    rest.fit(splits, config, resume=path)
    assert same(whole.state_dict(), rest.state_dict())
    assert torch.equal(draw(whole), draw(rest))


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
