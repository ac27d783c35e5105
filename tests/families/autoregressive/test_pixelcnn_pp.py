import math

import pytest
import torch

from families.autoregressive.pixelcnn_pp import pixelcnn_pp
from genbench import Batch, DataSpec
from genbench.interface import Step
from genbench.seed import generator
from tests.families.autoregressive.helpers import narrow_pixelcnn_pp


@pytest.mark.parametrize(("shape", "bits"), [((1, 28, 28), 8.6), ((3, 8, 8), 10.2)])
def test_a_new_model_spreads_its_components_over_all_levels(shape, bits):
    spec = DataSpec(shape)
    images = torch.randint(256, (5, *shape), generator=torch.manual_seed(0)).to(torch.uint8)
    nats = pixelcnn_pp(spec).log_likelihood(Batch(images)).nats
    assert -nats.mean() / (spec.dimensions * math.log(2)) < bits


def test_features_are_dropped_in_training_alone():
    spec = DataSpec((1, 8, 8), 17)
    model = narrow_pixelcnn_pp(spec, dropout=0.5)
    batch = Batch(torch.randint(17, (4, 1, 8, 8)).to(torch.uint8))
    losses = [model.train()._loss(batch, Step(0, 0.0, generator(0)))["loss"] for _ in range(2)]
    assert losses[0] != losses[1]
    answers = [model.log_likelihood(batch).nats for _ in range(2)]
    assert torch.equal(*answers)
    assert torch.equal(answers[0], model.eval().log_prob(batch))
    assert model.eval().log_prob(batch).equal(narrow_pixelcnn_pp(spec, dropout=0.0).train().log_prob(batch))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width=0: give a whole number, 1 or more"),
        ({"depth": 0}, "depth=0: give a whole number, 1 or more"),
        ({"components": 0}, "components=0: give a whole number, 1 or more"),
        ({"dropout": 1.0}, "dropout=1.0: give a number, at least 0 and less than 1"),
        ({"dropout": -0.1}, "dropout=-0.1: give a number, at least 0"),
        ({"dropout": math.nan}, "dropout=nan: give a number, at least 0"),
        ({"dropout": "a half"}, "dropout='a half': give a number, at least 0"),
        ({"lr": 0.0}, "lr=0.0: give a positive"),
        ({"sampler": "slow"}, "sampler='slow': give one of"),
        ({"conditional": True}, "conditional=True: this data set has no labels"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        pixelcnn_pp(DataSpec((3, 8, 8)), **options)
