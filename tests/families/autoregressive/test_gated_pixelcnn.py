import pytest
import torch

from families.autoregressive.gated_pixelcnn import gated_pixelcnn
from families.autoregressive.sampling import draw_cached, draw_naive
from genbench import DataSpec
from tests.families.autoregressive.test_every import randomised, task, total


@pytest.mark.parametrize(
    ("output", "shape", "levels"), [("bernoulli", (3, 1, 2), 2), ("mixture", (3, 1, 2), 3), ("logistic", (1, 2, 3), 3)]
)
def test_any_output_is_exact_and_sampled_alike(output, shape, levels):
    model = randomised(gated_pixelcnn(DataSpec(shape, levels), width=6, depth=2, output=output))
    assert total(model) == pytest.approx(1, abs=1e-8)
    groups = 1 if model.output.joint else shape[0]
    assert [layer.across.groups for layer in model.network.layers] == [groups, groups]
    with torch.no_grad():
        assert torch.equal(draw_cached(task(model, 9)), draw_naive(task(model, 9)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 2}, "width=2: an image of 3 channels"),
        ({"width": 2.5}, "width=2.5: give a whole"),
        ({"depth": 0}, "depth=0: give a whole number, 1 or more"),
        ({"lr": -1.0}, "lr=-1.0: give a positive"),
        ({"output": "gaussian"}, "output='gaussian': give one of categorical"),
        ({"output": "bernoulli"}, "levels=256"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        gated_pixelcnn(DataSpec((3, 8, 8)), **options)
