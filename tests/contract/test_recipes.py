"""Every recipe of the catalogue, through fit, sample, log_likelihood, save, load and resume."""

import copy
from dataclasses import replace

import pytest
import torch

import genbench
from genbench import Budget, DataSpec, FitConfig, catalog
from genbench.interface import Split, Splits, Step
from genbench.player import Player, restored
from genbench.stream import Stream
from tests.contract.test_toys import Cut, same

RECIPES = list(catalog.recipes())
SPEC = DataSpec((1, 8, 8), levels=256, classes=4, source=(1, 8, 8))
COLOUR = DataSpec((3, 8, 8), levels=17, classes=4, source=(1, 8, 8))


def data(spec, train=48, validation=16):
    source = torch.Generator().manual_seed(0)

    def split(n):
        smooth = torch.rand(n, spec.shape[0], 2, 2, generator=source).repeat_interleave(4, 2).repeat_interleave(4, 3)
        noise = torch.rand(n, *spec.shape, generator=source)
        images = ((0.7 * smooth + 0.3 * noise) * spec.levels).to(torch.uint8)
        edges = (images[:, :1] > spec.levels // 2).to(torch.uint8) * 255
        return Split(images, torch.arange(n) % spec.classes, edges)

    return Splits(split(train), split(validation))


def build(name, spec=SPEC, seed=0):
    small = {"width": 8} if "width" in catalog.recipe(name).options() else {}
    return genbench.build(name, spec, seed=seed, **small)


def conditions(name, n):
    given, test = catalog.recipe(name).given, data(SPEC).validation
    out = {}
    if "label" in given:
        out["labels"] = torch.arange(n) % SPEC.classes
    if "source" in given:
        out["sources"] = test.sources[:n]
    return out


def draw(model, name, n=6, seed=1):
    return model.sample(n, generator=torch.Generator().manual_seed(seed), **conditions(name, n))


@pytest.fixture(scope="module", params=RECIPES)
def trained(request):
    model = build(request.param)
    model.fit(data(SPEC), FitConfig(Budget(steps=6), batch_size=8))
    return request.param, model


def test_samples_are_levels_and_depend_on_the_generator_alone(trained):
    name, model = trained
    images = draw(model, name)
    assert images.shape == (6, *SPEC.shape)
    assert images.dtype == torch.uint8
    assert images.device == model.device
    assert int(images.max()) < SPEC.levels
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(5)
    model.train()
    state = torch.get_rng_state()
    again = draw(model, name)
    assert model.training, "sampling must leave the mode as it was"
    model.eval()
    assert torch.equal(images, again)
    assert torch.equal(state, torch.get_rng_state()), "sampling must not touch the global generator"
    assert same(before, model.state_dict()), "sampling must not change the model"
    assert not torch.equal(images, draw(model, name, seed=2))


def test_likelihood_is_what_the_catalogue_says(trained):
    name, model = trained
    batch = data(SPEC).validation.rows(slice(0, 5))
    before = copy.deepcopy(model.state_dict())
    requires = [p.requires_grad for p in model.parameters()]

    def ask(training=False):
        model.train(training)
        state = torch.get_rng_state()
        answer = model.log_likelihood(batch, draws=2, generator=torch.Generator().manual_seed(3))
        assert torch.equal(state, torch.get_rng_state())
        assert model.training == training
        model.eval()
        return answer

    answer = ask()
    assert answer.kind == catalog.recipe(name).likelihood
    assert answer.given == catalog.recipe(name).given
    assert answer.method
    assert answer.nats.dtype == torch.float64
    assert answer.nats.shape == (5,)
    assert torch.isfinite(answer.nats).all()
    assert (answer.nats < 0).all()
    assert torch.equal(answer.nats, ask(training=True).nats), "a likelihood is taken in evaluation mode"
    assert same(before, model.state_dict())
    assert requires == [p.requires_grad for p in model.parameters()]


def test_a_saved_model_answers_the_same(trained, tmp_path):
    name, model = trained
    genbench.save(tmp_path / "model.safetensors", model)
    again = genbench.load(tmp_path / "model.safetensors")
    assert same(model.state_dict(), again.state_dict())
    assert torch.equal(draw(model, name), draw(again, name))


@pytest.mark.parametrize("name", RECIPES)
def test_each_parameter_moves_in_exactly_the_turns_that_learn_it(name):
    model, splits = build(name), data(SPEC)
    stream = Stream(splits.train, SPEC, 8, 0)
    noise = torch.Generator().manual_seed(0)
    everywhere = set()
    for phase in model.phases():
        model.train()
        if phase.enter is not None:
            phase.enter(splits, Step(0, 0.0, noise))
        players = [Player.make(replace(turn, after=None)) for turn in phase.turns]
        moved = [set() for _ in players]
        with restored({p: p.requires_grad for p in model.parameters()}):
            for k in range(5):
                for player, seen in zip(players, moved, strict=True):
                    before = {p: p.detach().clone() for p in model.parameters()}
                    player.step(model, stream.batch(k), Step(k, k / 5, noise), k)
                    seen |= {p for p, old in before.items() if not torch.equal(p, old)}
        names = {p: n for n, p in model.named_parameters()}
        for player, seen in zip(players, moved, strict=True):
            learns = set(player.parameters)
            assert {names[p] for p in seen} == {names[p] for p in learns}, player.turn.name
            everywhere |= learns
    rest = {n for n, p in model.named_parameters() if p.requires_grad and p not in everywhere}
    assert not rest, f"no turn learns {rest}"


@pytest.mark.parametrize("name", RECIPES)
def test_resumes_bit_for_bit(name, tmp_path):
    whole = build(name)
    whole.fit(data(SPEC), FitConfig(Budget(steps=7), batch_size=8, seed=2))
    path = tmp_path / "training.pt"
    config = FitConfig(Budget(steps=7), batch_size=8, seed=2, checkpoint=path, checkpoint_seconds=0)

    def cut(progress):
        if progress.step == 5:
            raise Cut

    with pytest.raises(Cut):
        build(name).fit(data(SPEC), config, callbacks=[cut])
    torch.rand(3)
    rest = build(name, seed=9)
    rest.origin = replace(rest.origin, seed=0)  # other weights to begin with: all of it must come from the checkpoint
    rest.fit(data(SPEC), config, resume=path)
    assert same(whole.state_dict(), rest.state_dict())
    assert torch.equal(draw(whole, name), draw(rest, name))


@pytest.mark.parametrize("name", RECIPES)
def test_colour_images_of_few_levels(name):
    model = build(name, COLOUR)
    model.fit(data(COLOUR), FitConfig(Budget(steps=2), batch_size=8))
    assert draw(model, name, 3).shape == (3, *COLOUR.shape)
    batch = data(COLOUR).validation.rows(slice(0, 2))
    nats = model.log_likelihood(batch, draws=1, generator=torch.Generator().manual_seed(3)).nats
    assert torch.isfinite(nats).all()


@pytest.mark.parametrize("name", [n for n in RECIPES if catalog.recipe(n).given])
def test_a_conditional_model_draws_as_its_condition_says(name):
    model = build(name)
    model.fit(data(SPEC), FitConfig(Budget(steps=6), batch_size=8))
    given = conditions(name, 6)
    images = model.sample(6, generator=torch.Generator().manual_seed(1), **given)
    other = {key: value.flip(0) for key, value in given.items()}
    assert not torch.equal(images, model.sample(6, generator=torch.Generator().manual_seed(1), **other))
    with pytest.raises(ValueError, match=r"label|source"):
        model.sample(6, generator=torch.Generator(), **{key: value[:3] for key, value in given.items()})
