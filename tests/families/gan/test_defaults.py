"""What each recipe is where nothing is said: a change here changes every table."""

from dataclasses import dataclass, field
from functools import partial

import pytest
import torch
from torch import nn

from families.adversarial import losses, penalties
from families.gan import bigan, biggan, conditional, energy, heads, improved, infogan, pggan
from families.gan.builder import COMMON
from genbench import DataSpec, Field, catalog
from tests.families.gan.tiny import build, normalised

# Two scales: the critic has a layer to normalise.
SPEC = DataSpec((1, 16, 16), 17, 3, source=(1, 16, 16), labelled=6, fields={"caption": Field((4,), 13)})
GANS = {name: entry for name, entry in catalog.recipes().items() if entry.family == "gan"}
OWN = ("lapgan", "pggan", "stylegan", "s2-gan", "stackgan", "stackgan-pp")  # with games and networks of their own
SHARED = [name for name in GANS if name not in OWN]


@dataclass(frozen=True, kw_only=True)
class Expected:
    own: dict = field(default_factory=dict)  # options that the builder has not, or not so
    loss: losses.Loss | None = losses.NON_SATURATING  # None: made for it, proved by tests of its own
    penalty: object = None
    head: type = heads.Head
    terms: tuple = ()
    rule: type = torch.optim.Adam
    betas: tuple | None = (0.5, 0.999)
    normalised: bool = True  # the critic


wasserstein = partial(Expected, loss=losses.WASSERSTEIN, betas=(0.0, 0.9), normalised=False)
hinge = partial(Expected, loss=losses.HINGE, normalised=False)
FIVE = {"lr": 1e-3, "critic_steps": 5}
TWO_TIME_SCALES = {"network": "residual", "width": 16, "lr": 4e-4, "critic_lr": 1.6e-3}
METHODS = {
    "feature_matching": False,
    "minibatch_discrimination": True,
    "historical_averaging": 1e-3,
    "label_smoothing": 0.1,
    "virtual_batch_normalisation": True,
    "kernels": 50,
    "kernel_size": 5,
}
DEEP = TWO_TIME_SCALES | {
    "critic_steps": 2,
    "embedding": 32,
    "weight": 1e-4,
    "attention": False,
    "truncation": None,
}
CODES = {"categories": None, "continuous": 2, "weight": 1.0, "continuous_weight": 0.1, "hidden": 128}
RECIPES = {
    "gan": Expected(),
    "gan-minimax": Expected(loss=losses.MINIMAX),
    "f-gan": Expected(own={"divergence": "kl", "saturating": False, "clip": 10.0}, loss=None),
    "lsgan": Expected(loss=losses.LEAST_SQUARES),
    "wgan": Expected(
        own={"lr": 5e-5, "critic_steps": 5, "bound": 0.01},
        loss=losses.WASSERSTEIN,
        rule=torch.optim.RMSprop,
        betas=None,
    ),
    "wgan-gp": wasserstein(own=FIVE | {"weight": 10.0}, penalty=penalties.GradientPenalty(10.0)),
    "wgan-lp": wasserstein(own=FIVE | {"weight": 10.0}, penalty=penalties.OneSidedPenalty(10.0)),
    "wgan-div": wasserstein(own=FIVE | {"weight": 2.0, "power": 6.0}, penalty=penalties.DivergencePenalty(2.0, 6.0)),
    "dragan": Expected(
        own={"weight": 10.0, "spread": 0.5}, penalty=penalties.LocalPenalty(10.0, 0.5), normalised=False
    ),
    "sngan": hinge(),
    "rgan": Expected(own={"weight": 0.0}, loss=losses.RELATIVISTIC),
    "ragan": Expected(own={"weight": 0.0}, loss=losses.RELATIVISTIC_AVERAGE),
    "ebgan": Expected(own={"lr": 1e-3, "code": 64, "margin": 0.36, "weight": 0.1}, loss=None, terms=(energy.PullAway,)),
    "began": Expected(
        own={"lr": 3e-3, "critic_lr": 5e-4, "code": 64, "gamma": 0.75, "balance_rate": 0.1},
        loss=energy.EQUILIBRIUM,
        terms=(energy.Balance,),
    ),
    "dcgan": Expected(own={"latents": 100, "average": 0.0}),
    "improved-gan": Expected(own=METHODS, loss=None, head=improved.MinibatchHead, terms=(improved.HistoricalAverage,)),
    "sagan": hinge(own=TWO_TIME_SCALES, head=heads.ProjectionHead, betas=(0.0, 0.9)),
    "biggan": hinge(own=DEEP, head=heads.ProjectionHead, terms=(biggan.Orthogonality,), betas=(0.0, 0.999)),
    "cgan": Expected(own={"hidden": 128, "strength": 3.0}, head=heads.JointHead),
    "acgan": Expected(own={"weight": 1.0, "strength": 1.0}, terms=(conditional.AuxiliaryClassifier,)),
    "projection-cgan": hinge(head=heads.ProjectionHead),
    "bigan": Expected(own={"lr": 1e-3, "hidden": 256, "depth": 1}, loss=bigan.EXCHANGED, head=bigan.PairHead),
    "co-gan": Expected(own={"shared": True, "decay": 5e-4}, normalised=False),
    "ano-gan": wasserstein(
        own=FIVE | {"penalty": 10.0, "weight": 0.1, "steps": 200}, penalty=penalties.GradientPenalty(10.0)
    ),
    "lapgan": Expected(own={"lr": 1e-3, "upsampling": "nearest", "consistent": False, "conditional": False}),
    "pggan": Expected(
        own={"lr": 1e-3, "width": 16, "penalty": 10.0, "drift": 1e-3, "growing": True},
        loss=losses.WASSERSTEIN,
        penalty=penalties.GradientPenalty(10.0),
        terms=(pggan.Drift,),
        betas=(0.0, 0.99),
    ),
    "stylegan": Expected(
        own={
            "lr": 2e-3,
            "width": 16,
            "average": 0.995,
            "gamma": 10.0,
            "mixing": 0.9,
            "mapping": 8,
            "slow": 0.01,
            "constant": "ones",
            "noise": True,
            "truncation": 1.0,
            "truncated": None,
        },
        penalty=penalties.R1(10.0),
        betas=(0.0, 0.99),
    ),
    "s3-gan": hinge(
        own={"lr": 1e-3, "critic_lr": 1e-3}
        | {"class_weight": 1.0, "rotation_weight": 1.0, "generator_rotation_weight": 0.2, "soft": False},
        head=heads.ProjectionHead,
        betas=(0.0, 0.999),
    ),
    "triple-gan": Expected(
        own={"lr": 1e-3, "hidden": 128, "noise": 0.3, "pseudo": 0.99, "classifier_lr": 1e-3},
        head=heads.ProjectionHead,
        normalised=False,
    ),
    "stackgan-pp": Expected(own={"lr": 1e-3, "conditional": True, "augmented": 32, "weight": 2.0, "consistency": 50.0}),
    "stackgan": Expected(own={"lr": 1e-3, "augmented": 32, "weight": 2.0}),
    "s2-gan": Expected(own={"lr": 2e-3, "weight": 0.1}),
    "infogan": Expected(own={"lr": 1e-3, "critic_lr": 2e-4} | CODES, terms=(infogan.Information,)),
}


def test_the_builders_options_are_one_for_all():
    assert COMMON == {
        "network": "convolutional",
        "width": 32,
        "latents": 64,
        "lr": 2e-4,
        "critic_lr": None,
        "critic_steps": 1,
        "average": 0.99,
        "augment": "",
    }


@pytest.mark.parametrize("name", GANS)
def test_a_recipe_differs_in_its_own_options_alone(name):
    wanted = COMMON | RECIPES[name].own
    if name in (*OWN, "co-gan"):
        del wanted["network"]
    assert GANS[name].options() == wanted


@pytest.mark.parametrize("name", SHARED)
def test_a_recipe_is_made_of_its_own_parts_and_no_others(name):
    model, wanted = build(name, SPEC), RECIPES[name]
    options = COMMON | wanted.own
    assert wanted.loss in (None, model.loss)
    assert model.penalty == wanted.penalty
    assert (model.bound, model.clip) == (options.get("bound"), options.get("clip"))
    assert type(model.head) is wanted.head
    assert tuple(type(term) for term in model.terms) == wanted.terms
    critic, generator = model.phases()[-1].turns[:2]
    assert (critic.every, generator.every) == (1, options["critic_steps"])
    for turn, lr in ((generator, options["lr"]), (critic, options["critic_lr"] or options["lr"])):
        rule = turn.optimizer([nn.Parameter(torch.zeros(1))])
        assert (type(rule), rule.defaults["lr"], rule.defaults.get("betas")) == (wanted.rule, lr, wanted.betas)


@pytest.mark.parametrize("name", OWN)
def test_a_recipe_of_its_own_networks_learns_by_one_rule_in_every_turn(name):
    wanted = RECIPES[name]
    for phase in build(name, SPEC).phases():
        for turn in phase.turns:
            rule = turn.optimizer([nn.Parameter(torch.zeros(1))])
            found = (type(rule), rule.defaults["lr"], rule.defaults["betas"])
            assert found == (wanted.rule, wanted.own["lr"], wanted.betas), (phase.name, turn.name)


@pytest.mark.parametrize("name", ["pggan", "stylegan"])
def test_a_recipe_that_grows_is_made_of_its_own_parts_and_no_others(name):
    model, wanted = build(name, SPEC), RECIPES[name]
    assert (model.loss, model.penalty) == (wanted.loss, wanted.penalty)
    assert tuple(type(term) for term in model.terms) == wanted.terms


@pytest.mark.parametrize("name", SHARED)
def test_a_critic_is_normalised_by_batches_unless_its_recipe_forbids_it_and_then_as_torch_does(name):
    model = build(name, SPEC)
    assert normalised(model.critic) is RECIPES[name].normalised
    assert name == "improved-gan" or normalised(model.generator), "virtual normalisation is of another kind"
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all((norm.eps, norm.momentum) == (1e-5, 0.1) for norm in norms)


def test_weights_reach_what_they_weigh():
    assert build("biggan", SPEC).terms[0].weight == 1e-4
    assert build("improved-gan", SPEC).terms[0].weight == 1e-3
    assert build("cgan", SPEC).code.strength == 3
    assert infogan.LEAST_VARIANCE == 1e-3
