"""What each recipe is where nothing is said: a change here changes every table."""

import pytest
import torch
from torch import nn

from families.gan import infogan
from families.gan.pair import COMMON
from families.layers.adversarial import (
    HINGE,
    LEAST_SQUARES,
    MINIMAX,
    NON_SATURATING,
    RELATIVISTIC,
    RELATIVISTIC_AVERAGE,
    WASSERSTEIN,
)
from genbench import DataSpec, catalog
from tests.families.gan.tiny import build

SPEC = DataSpec((1, 16, 16), levels=17, classes=3)  # two scales: the critic has a layer to normalise
GANS = {name: entry for name, entry in catalog.recipes().items() if entry.family == "gan"}
PENALISED = {"lr": 1e-3, "critic_steps": 5}
TWO_TIME_SCALES = {"network": "residual", "width": 16, "lr": 4e-4, "critic_lr": 1.6e-3}
OWN = {
    "gan": {},
    "gan-minimax": {},
    "f-gan": {"divergence": "kl", "saturating": False, "clip": 10.0},
    "lsgan": {},
    "wgan": {"lr": 5e-5, "critic_steps": 5, "bound": 0.01},
    "wgan-gp": PENALISED | {"weight": 10.0},
    "wgan-lp": PENALISED | {"weight": 10.0},
    "wgan-div": PENALISED | {"weight": 2.0, "power": 6.0},
    "dragan": {"weight": 10.0, "spread": 0.5},
    "sngan": {},
    "rgan": {"weight": 0.0},
    "ragan": {"weight": 0.0},
    "ebgan": {"lr": 1e-3, "code": 64, "margin": 0.36, "weight": 0.1},
    "began": {"lr": 3e-3, "critic_lr": 5e-4, "code": 64, "gamma": 0.75, "balance_rate": 0.1},
    "dcgan": {"latents": 100, "average": 0.0},
    "improved-gan": {
        "feature_matching": False,
        "minibatch_discrimination": True,
        "historical_averaging": 1e-3,
        "label_smoothing": 0.1,
        "virtual_batch_normalisation": True,
    },
    "sagan": TWO_TIME_SCALES,
    "biggan": TWO_TIME_SCALES
    | {"critic_steps": 2, "embedding": 32, "weight": 1e-4, "attention": False, "truncation": None},
    "cgan": {"hidden": 128, "strength": 3.0},
    "acgan": {"weight": 1.0, "strength": 1.0},
    "projection-cgan": {},
    "infogan": {
        "lr": 1e-3,
        "critic_lr": 2e-4,
        "categories": None,
        "continuous": 2,
        "weight": 1.0,
        "continuous_weight": 0.1,
        "hidden": 128,
    },
}
LOSSES = {
    "gan": NON_SATURATING,
    "gan-minimax": MINIMAX,
    "lsgan": LEAST_SQUARES,
    "wgan": WASSERSTEIN,
    "wgan-gp": WASSERSTEIN,
    "wgan-lp": WASSERSTEIN,
    "wgan-div": WASSERSTEIN,
    "dragan": NON_SATURATING,
    "sngan": HINGE,
    "rgan": RELATIVISTIC,
    "ragan": RELATIVISTIC_AVERAGE,
    "dcgan": NON_SATURATING,
    "sagan": HINGE,
    "biggan": HINGE,
    "cgan": NON_SATURATING,
    "acgan": NON_SATURATING,
    "projection-cgan": HINGE,
    "infogan": NON_SATURATING,
}
MADE = {"f-gan", "ebgan", "began", "improved-gan"}  # losses of their own, whose values other tests prove
UNNORMALISED = {"wgan-gp", "wgan-lp", "wgan-div", "dragan", "sngan", "sagan", "biggan", "projection-cgan"}
BETAS = dict.fromkeys(("wgan-gp", "wgan-lp", "wgan-div", "sagan"), (0.0, 0.9)) | {"biggan": (0.0, 0.999), "wgan": None}


def test_the_pair_is_one_for_all():
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
    assert GANS[name].options() == COMMON | OWN[name]


@pytest.mark.parametrize("name", GANS)
def test_a_recipe_plays_by_its_loss_its_rule_and_its_normalisation(name):
    model = build(name, SPEC)
    assert (name in MADE) is (name not in LOSSES)
    assert name in MADE or model.loss is LOSSES[name]
    critic, generator = model.phases()[0].turns
    assert (critic.every, generator.every) == (1, OWN[name].get("critic_steps", 1))
    rate = OWN[name].get("lr", COMMON["lr"])
    for turn, lr in ((generator, rate), (critic, OWN[name].get("critic_lr") or rate)):
        rule = turn.optimizer([nn.Parameter(torch.zeros(1))])
        assert rule.defaults["lr"] == lr
        assert rule.defaults.get("betas") == BETAS.get(name, (0.5, 0.999))
    norms = [module for module in model.critic.modules() if isinstance(module, nn.BatchNorm2d)]
    assert bool(norms) is (name not in UNNORMALISED)
    norms += [module for module in model.generator.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all((norm.eps, norm.momentum) == (1e-5, 0.1) for norm in norms)


def test_weights_that_are_no_options_are_the_ones_that_the_recipes_say():
    assert build("biggan", SPEC).terms[0].weight == 1e-4
    assert build("improved-gan", SPEC).terms[0].weight == 1e-3
    assert build("cgan", SPEC).code.strength == 3
    assert infogan.LEAST_VARIANCE == 1e-3
