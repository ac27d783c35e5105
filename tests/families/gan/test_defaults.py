import torch
from torch import nn

from families.gan import infogan
from genbench import DataSpec
from tests.families.gan.tiny import build

SPEC = DataSpec((1, 8, 8), levels=17, classes=3)


def rates(model):
    turns = model.phases()[0].turns
    return {turn.name: turn.optimizer([nn.Parameter(torch.zeros(1))]).defaults["lr"] for turn in turns}


def test_weights_and_rates_are_the_ones_that_the_recipes_say():
    assert build("biggan", SPEC).terms[0].weight == 1e-4
    assert build("improved-gan", SPEC).terms[0].weight == 1e-3
    assert build("cgan", SPEC).code.strength == 3
    assert rates(build("sagan", SPEC)) == {"critic": 1.6e-3, "generator": 4e-4}
    assert infogan.LEAST_VARIANCE == 1e-3
