"""Every recipe of the catalogue, through fit, sample, log_likelihood, its abilities, save, load and resume."""

import copy
from dataclasses import replace

import pytest
import torch

import genbench
from genbench import Budget, DataSpec, Field, FitConfig, ImplicitModel, catalog
from genbench.interface import Step
from genbench.spec import Split, Splits
from genbench.training import precision
from genbench.training.batches import Stream
from genbench.training.turns import TurnRunner, restored
from tests.contract.test_toys import Cut, same

RECIPES = list(catalog.recipes())
CONDITIONAL = {f"{name} (conditional)": name for name in RECIPES if "conditional" in catalog.recipe(name).options()}
CASES = [*RECIPES, *CONDITIONAL]
SPEC = DataSpec((1, 8, 8), levels=256, classes=4, source=(1, 8, 8))
COLOUR = DataSpec((3, 8, 8), levels=17, classes=4, source=(1, 8, 8))


def data(spec, train=48, validation=16):
    source = torch.Generator().manual_seed(0)
    values = torch.Generator().manual_seed(1)

    def split(n, more=0):
        smooth = torch.rand(n, spec.shape[0], 2, 2, generator=source).repeat_interleave(4, 2).repeat_interleave(4, 3)
        noise = torch.rand(n, *spec.shape, generator=source)
        images = ((0.7 * smooth + 0.3 * noise) * spec.levels).to(torch.uint8)
        edges = (images[:, :1] > spec.levels // 2).to(torch.uint8) * 255
        edges = edges[torch.arange(n + more).roll(more) % n]  # unpaired training: another number, in another order
        rows = {"image": n, "source": n + more}
        fields = {
            name: torch.randint(one.levels, (rows[one.of], *one.shape), generator=values)
            for name, one in spec.fields.items()
        }
        return Split(images, torch.arange(n) % spec.classes, edges, fields)

    splits = Splits(split(train, 0 if spec.paired else 5), split(validation))
    if spec.labelled is not None:
        splits.train.labels[spec.labelled :] = -1
    return splits


FIELDS = {
    "caption": Field((4,), 9),
    "domain": Field((), 3),
    "source_domain": Field((), 3, "source"),
    "shadow": Field((1, 8, 8), 2),
    "landmarks": Field((4, 2), 8, "source"),
    "identity": Field((), 6),
}


def spec_for(name, spec):
    """``spec`` as the recipe's entry in the catalogue says that it needs it."""
    entry = catalog.recipe(name)
    asked = {*entry.needs, *entry.given}
    fields = {field: FIELDS[field] for field in FIELDS if field in asked}
    labelled = 12 if "labelled" in asked else None
    return replace(spec, labelled=labelled, paired="unpaired" not in asked, fields=fields)


def build(case, spec=SPEC, seed=0):
    name = CONDITIONAL.get(case, case)
    options = {"conditional": True} if case in CONDITIONAL else {}
    options |= {"width": 8} if "width" in catalog.recipe(name).options() else {}
    return genbench.build(name, spec_for(name, spec), seed=seed, **options)


def conditions(model, n):
    batch, out = data(model.spec).validation, {}
    if "label" in model.given:
        out["labels"] = torch.arange(n) % model.spec.classes
    if "source" in model.given:
        out["sources"] = batch.sources[:n]
    if fields := {name: batch.fields[name][:n] for name in model.given if name in batch.fields}:
        out["fields"] = fields
    return out


def noise(seed=1):
    return torch.Generator().manual_seed(seed)


def draw(model, n=6, seed=1):
    return model.sample(n, generator=noise(seed), **conditions(model, n))


@pytest.fixture(scope="module", params=CASES)
def trained(request):
    model = build(request.param)
    model.fit(data(model.spec), FitConfig(Budget(steps=6), batch_size=8))
    return CONDITIONAL.get(request.param, request.param), model


def test_samples_are_levels_and_depend_on_the_generator_alone(trained):
    _, model = trained
    images = draw(model)
    assert images.shape == (6, *SPEC.shape)
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
    wrong = {
        "images are torch.float32: give uint8 levels from 0 to 255": replace(batch, images=batch.images / 255),
        "images are torch.int64": replace(batch, images=batch.images.long()),
        r"images have shape \(1, 4, 8\): the model is made for \(1, 8, 8\)": replace(
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
        players = [TurnRunner.make(replace(turn, after=None)) for turn in phase.turns]
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


@pytest.fixture(scope="module", params=RECIPES)
def coloured(request):
    model = build(request.param, COLOUR)
    model.fit(data(model.spec), FitConfig(Budget(steps=2), batch_size=8))
    return model


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
    assert draw(model).shape == (6, *SPEC.shape)


# Abilities: what a recipe has of them keeps its promise, whatever the recipe.


def unchanged(model, act):
    """What ``act`` answers, the same in training mode, with the model and the global generator as before."""
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    answer = act()
    model.train()
    assert torch.equal(answer, act())
    assert model.training
    model.eval()
    assert same(before, model.state_dict())
    assert torch.equal(state, torch.get_rng_state())
    return answer


def are_levels(images, spec, *n):
    return images.dtype == torch.uint8 and images.shape == (*n, *spec.shape) and int(images.max()) < spec.levels


def reconstructs(model, batch):
    images = unchanged(model, lambda: model.reconstruct(batch))
    assert are_levels(images, model.spec, 5)
    drawn = unchanged(model, lambda: model.reconstruct(batch, generator=noise()))
    assert are_levels(drawn, model.spec, 5)
    alone = torch.cat([model.reconstruct(batch.rows(slice(i, i + 1))) for i in range(5)])
    assert (alone.int() - images.int()).abs().max() <= 1, "an image's reconstruction hangs on its neighbours"


def interpolates(model, batch):
    first, second = batch.rows(slice(0, 2)), batch.rows(slice(2, 4))
    images = unchanged(model, lambda: model.interpolate(first, second, 4))
    assert are_levels(images, model.spec, 2, 4)
    for end, those in ((0, first), (-1, second)):
        assert (images[:, end].int() - model.reconstruct(those).int()).abs().max() <= 1


def traverses(model, batch):
    images = unchanged(model, lambda: model.traverse(3, 5, generator=noise()))
    assert are_levels(images, model.spec, 3, 5)


def completes(model, batch):
    for rows in (0, 3, 8):
        images = unchanged(model, lambda rows=rows: model.complete(batch, rows, generator=noise()))
        assert are_levels(images, model.spec, 5)
        assert torch.equal(images[:, :, :rows], batch.images[:, :, :rows])
        assert torch.equal(images, batch.images) == (rows == model.spec.shape[1])
        again = model.complete(batch, rows, generator=noise(2))
        assert torch.equal(images, again) == (rows == model.spec.shape[1])


def classifies(model, batch):
    odds = unchanged(model, lambda: model.classify(batch))
    assert odds.shape == (5, model.spec.classes)
    assert odds.min() >= 0
    assert torch.allclose(odds.double().sum(1), torch.ones(5, dtype=torch.float64), atol=1e-5)
    for labels in (None, batch.labels.flip(0), torch.full_like(batch.labels, -1)):
        assert torch.equal(odds, model.classify(replace(batch, labels=labels)))


ABILITIES = {
    "reconstruct": reconstructs,
    "interpolate": interpolates,
    "traverse": traverses,
    "complete": completes,
    "classify": classifies,
}


def keeps_its_promises(model):
    for ability, check in ABILITIES.items():
        if hasattr(model, ability):
            check(model, data(model.spec).validation.rows(slice(0, 5)))


def test_abilities_keep_their_promise(trained):
    _, model = trained
    keeps_its_promises(model)


def test_abilities_keep_their_promise_in_colour(coloured):
    keeps_its_promises(coloured)


@pytest.mark.parametrize("name", RECIPES)
def test_draws_and_scores_in_float64(name):
    model = build(name).double().eval()
    assert draw(model, 3).shape == (3, *SPEC.shape)
    nats = model.log_likelihood(data(model.spec).validation.rows(slice(0, 1)), generator=noise(3)).nats
    assert torch.isfinite(nats).all()
