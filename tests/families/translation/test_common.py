"""What holds of every translator of the catalogue: a new recipe says its weights here, and falls under all of it."""

import inspect
from dataclasses import replace

import pytest
import torch
from torch import nn

import genbench
from families.layers import perceptual
from families.translation import model as of_translators
from genbench import Budget, Field, FitConfig, ImplicitModel, Step, catalog, implicit, load, pretrained, save
from genbench.likelihood.observation import discretised_gaussian
from genbench.seed import normal
from genbench.training.batches import Stream
from tests.contract.recipes import SPEC, conditions, data, spec_for

# The weights beside the game's, by option: a value under which each counts, and the name that it is logged by.
WEIGHTS = {
    "pix2pix": {"weight": (100.0, "l1")},
    "srgan": {"content": (1.0, "content")},
    "simgan": {"regularisation": (0.1, "regularisation")},
    "cyclegan": {"cycle": (10.0, "cycle"), "identity": (0.5, "identity")},
    "tp-gan": {
        "weight": (1.0, "pixels"),
        "symmetry": (0.3, "symmetry"),
        "parts": (3.0, "parts"),
        "identity": (3e-3, "identity"),
        "classes": (1e-3, "classes"),
        "smoothness": (1e-3, "smoothness"),
    },
    "deblurgan": {"content": (100.0, "content")},
    "st-cgan": {"mask": (1.0, "mask"), "weight": (5.0, "l1")},
    "pan": {"weight": (1.0, "features")},
    "gln": {"weight": (1.0, "l2")},
    "pix2pix-hd": {"features": (10.0, "features")},
    "discogan": {"start": (0.01, "cycle"), "features": (0.9, "features")},
    "dualgan": {"cycle": (500.0, "cycle")},
    "cartoongan": {"content": (10.0, "content")},
    "animegan": {"content": (5.0, "content"), "style": (1.0, "style"), "colour": (10.0, "colour")},
    "xgan": {"reconstruct": (10.0, "reconstruct"), "domain": (1.0, "domain"), "semantic": (1.0, "semantic")},
    "stargan": {"reconstruct": (10.0, "reconstruct"), "classify": (1.0, "classes")},
    "combogan": {"reconstruct": (10.0, "reconstruct"), "identity": (1.0, "identity")},
}
PENALISED = {"dualgan": {"lipschitz": "penalty"}}  # options under which a critic that is clipped is penalised
RECIPES = sorted(name for name, entry in catalog.recipes().items() if entry.family == "translation")
GAMES = [name for name in RECIPES if "game" in catalog.recipe(name).options()]
UNPAIRED = [name for name in RECIPES if "unpaired" in catalog.recipe(name).needs]
WEIGHTED = [(name, option) for name in RECIPES for option in WEIGHTS.get(name, {})]


def build(name, **options):
    small = {"width": 8} if "width" in catalog.recipe(name).options() else {}
    model = genbench.build(name, spec_for(name, SPEC), **small, **options)
    splits = data(model.spec)
    for phase in model.phases():  # what a phase's beginning sets, such as scales of features
        if phase.enter is not None:
            phase.enter(splits, step())
    return model, Stream(splits.train, model.spec, 8, 0).batch(0)


def spec_with(spec, field):
    """The spec with a field of four values."""
    return replace(spec, fields={**spec.fields, field: Field((), 4)})


def step(seed=0):
    return Step(0, 0.0, torch.Generator().manual_seed(seed))


def turns(model, critics):
    """The critics' turns of every phase, or the generators' of the last: all that a game is played in."""
    phases = model.phases() if critics else model.phases()[-1:]
    return [turn for phase in phases for turn in phase.turns if ("critic" in turn.name) == critics]


def shaken(model, amount=0.3):
    """The model with weights at which all that it could read counts."""
    noise = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += amount * torch.randn(parameter.shape, generator=noise)
    return model.eval()


def largest(seen):
    """The largest number among what a module is given."""
    numbers = [one.detach() for one in seen if isinstance(one, torch.Tensor) and one.is_floating_point()]
    return max(float(one.abs().max()) for one in numbers)


def test_every_translator_says_its_weights():
    assert sorted(WEIGHTS) == RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_an_image_depends_on_its_own_source_alone(name):
    model = shaken(build(name)[0])
    batch, told = data(model.spec).validation.rows(slice(4)), conditions(model, 4)
    given = replace(batch, sources=told["sources"].clone())
    u = model.draw_noise(4, torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = model.decode(u, given)
        given.sources[2] = 255 - given.sources[2]
        after = model.decode(u, given)
        given.images.zero_()
        assert torch.equal(after, model.decode(u, given)), "a decoder must not read the images"
    moved = (before != after).flatten(1).any(1)
    assert moved.tolist() == [False, False, True, False]


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_critic_is_shown_is_on_the_range_of_images(name):
    model, batch = build(name)
    generators = [module for turn in turns(model, critics=False) for module in turn.learns]
    with torch.no_grad():
        for parameter in (one for module in generators for one in module.parameters()):
            parameter *= 30
    shown: list[float] = []
    critics = {id(module): module for turn in turns(model, critics=True) for module in turn.learns}
    hooks = [one.register_forward_pre_hook(lambda _, seen: shown.append(largest(seen))) for one in critics.values()]
    for turn in turns(model, critics=True):
        turn.loss(batch, step())
    assert hooks
    assert 0.5 < max(shown) <= 1, "or a critic would tell them by what no stored image has"


@pytest.mark.parametrize("name", RECIPES)
def test_the_critics_turns_give_generators_no_gradient(name):
    model, batch = build(name)
    for turn in turns(model, critics=True):
        own = {id(parameter) for module in turn.learns for parameter in module.parameters()}
        model.zero_grad(set_to_none=True)
        turn.loss(batch, step())["loss"].backward()
        touched = [key for key, one in model.named_parameters() if one.grad is not None and id(one) not in own]
        assert touched == []
    assert turns(model, critics=True)


@pytest.mark.parametrize("name", RECIPES)
def test_with_all_other_weights_at_0_the_generators_still_learn_through_their_critics(name):
    model, batch = build(name, **dict.fromkeys(WEIGHTS[name], 0.0))
    for turn in turns(model, critics=False):
        model.zero_grad(set_to_none=True)
        turn.loss(batch, step())["loss"].backward()
        for module in turn.learns:
            own = [one.grad for one in module.parameters()]
            assert not own or any(bool(grad.any()) for grad in own if grad is not None), type(module)


@pytest.mark.parametrize(("name", "option"), WEIGHTED)
def test_a_doubled_weight_doubles_its_term_in_the_log(name, option):
    value, logged = WEIGHTS[name][option]
    one, two = (
        sum(turn.loss(batch, step())[logged] for turn in turns(model, critics=False))
        for model, batch in (build(name, **{option: factor * value}) for factor in (1, 2))
    )
    assert float(one.detach()) != 0
    torch.testing.assert_close(2 * one, two)


@pytest.mark.parametrize("name", GAMES)
def test_a_doubled_game_doubles_its_part_of_the_loss_and_the_setting_says_it(name):
    alone = dict.fromkeys(WEIGHTS[name], 0.0)
    losses = []
    for game in (0.25, 0.5):
        model, batch = build(name, game=game, **alone)
        losses.append(sum(turn.loss(batch, step())["loss"] for turn in turns(model, critics=False)))
        assert f"{game} game" in model.setting
    assert float(losses[0].detach()) != 0
    torch.testing.assert_close(2 * losses[0], losses[1])


@pytest.mark.parametrize("name", ["animegan", "cartoongan", "deblurgan", "srgan", "xgan"])
def test_a_trained_model_loads_where_the_weights_of_a_package_s_network_are_missing(name, tmp_path, monkeypatch):
    model, _ = build(name, perceptual="efficientnet-lite0")
    model.fit(data(model.spec), FitConfig(Budget(steps=4), batch_size=8))
    save(tmp_path / "model.safetensors", model)
    told = conditions(model, 4)
    wanted = model.sample(4, generator=torch.Generator().manual_seed(0), **told)

    def missing(name):
        raise ValueError(f"{name} has no weights")

    monkeypatch.setattr(pretrained, "weights", missing)
    perceptual._package.cache_clear()
    found = load(tmp_path / "model.safetensors")
    assert torch.equal(found.sample(4, generator=torch.Generator().manual_seed(0), **told), wanted)
    scales = [{key: one for key, one in each.state_dict().items() if key.endswith("scale")} for each in (model, found)]
    assert scales[0] == scales[1]
    assert all(float(scale) != 1 for scale in scales[0].values())
    with pytest.raises(ValueError, match="efficientnet-lite0 has no weights"):
        found.fit(data(model.spec), FitConfig(Budget(steps=4), batch_size=8))


@pytest.mark.parametrize("name", RECIPES)
def test_data_that_it_cannot_use_are_refused_in_one_line(name):
    entry = catalog.recipe(name)
    good = spec_for(name, SPEC)
    bad = {
        "source=None|needs a source": replace(good, source=None, fields={}),
        f"source={(1, 5, 8)}".replace("(", r"\(").replace(")", r"\)"): replace(good, source=(1, 5, 8)),
    }
    if {"pairs", "unpaired"} & set(entry.needs):
        bad[f"paired={not good.paired}"] = replace(good, paired=not good.paired)
    if "unpaired" in entry.needs:
        said = rf"\['domain'\]: {name} learns from .* of 4 here; take stargan or combogan"
        bad[said] = spec_with(spec_with(good, "domain"), "source_domain")
    for field in set(good.fields) & set(entry.needs):
        bad[field] = replace(good, fields={key: one for key, one in good.fields.items() if key != field})
    for message, spec in bad.items():
        for make in (lambda spec: genbench.build(name, spec), entry.function()):
            with pytest.raises(ValueError, match=message) as caught:
                make(spec)
            assert "\n" not in str(caught.value)
    assert inspect.signature(entry.function()).parameters


@pytest.mark.parametrize("name", UNPAIRED)
def test_nothing_compares_a_translation_with_a_target(name, monkeypatch):
    """The generators' loss stays as it is when images are permuted: evaluation mode, one noise for all rows."""

    def alike(shape, source, device=None):
        return normal((1, *shape[1:]), source, device).expand(tuple(shape))

    for module in (of_translators, implicit):
        monkeypatch.setattr(module, "normal", alike)
    model, batch = build(name)
    for layer in (one for one in model.modules() if isinstance(one, nn.BatchNorm2d)):
        layer.momentum = None  # so that evaluation normalises by what one pass has seen
    with torch.no_grad():
        for turn in turns(model, critics=False):
            turn.loss(batch, step())
    model.eval()
    other = replace(batch, images=batch.images.flip(0))
    for turn in turns(model, critics=False):
        one, two = (turn.loss(given, step())["loss"] for given in (batch, other))
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)
        moved = replace(batch, images=255 - batch.images)
        assert name in BLIND_TO_TARGETS or not torch.allclose(one, turn.loss(moved, step())["loss"])


BLIND_TO_TARGETS = ("cartoongan", "simgan")  # recipes whose generators read no image of the target domain at all


@pytest.mark.parametrize("name", RECIPES)
def test_without_noise_the_likelihood_is_the_gaussian_round_the_output_and_all_samples_are_equal(name):
    model = shaken(build(name)[0], 0.05)
    assert isinstance(model, ImplicitModel)
    if model.latents:
        return
    batch, told = data(model.spec).validation.rows(slice(4)), conditions(model, 4)
    draws = [model.sample(4, generator=torch.Generator().manual_seed(seed), **told) for seed in (0, 1)]
    assert torch.equal(*draws)
    mean = model.decode(torch.empty(4, 0), batch).detach()
    logs = discretised_gaussian(batch.images, mean, float(model.variance.sqrt()), model.spec.levels)
    answer = model.log_likelihood(batch, draws=3, effort="paper")
    torch.testing.assert_close(answer.nats, logs.flatten(1).sum(1, dtype=torch.float64))
    assert (answer.method, answer.draws, answer.kind, answer.observation) == ("direct", 1, "estimate", "added")


def test_no_normalisation_of_the_batch_stands_in_a_critic_under_a_penalty():
    penalised = []
    for name in RECIPES:
        model, _ = build(name, **PENALISED.get(name, {}))
        if getattr(model, "penalty", None) is not None:
            penalised.append(name)
            critics = [getattr(model, side) for side in ("critic", "back_critic") if hasattr(model, side)]
            assert not any(isinstance(one, nn.BatchNorm2d) for critic in critics for one in critic.modules()), name
    assert penalised == ["deblurgan", "dualgan", "stargan"]
