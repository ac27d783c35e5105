import math

import pytest
import torch

from families.flow.preprocess import OpenLinear, OpenLogit
from genbench import DataSpec, build
from tests.families.flow.helpers import log_det_by_autograd

CURVES = {
    "logit 0.05": lambda levels: OpenLogit(levels, 0.05),
    "logit 1e-6": lambda levels: OpenLogit(levels, 1e-6),
    "logit 0.4": lambda levels: OpenLogit(levels, 0.4),
    "linear": OpenLinear,
}


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_an_opened_curve_is_one_to_one_onto_the_reals(levels, curve):
    preprocess = curve(levels).double()
    edges = torch.tensor([2.0**-25, 0.05, 0.1, 0.1 + 1e-9, 0.5, 1, 1 - 1e-9, levels / 2], dtype=torch.float64)
    v = torch.cat((edges, torch.linspace(0.01, levels - 0.01, 999, dtype=torch.float64), levels - edges)).sort()[0]
    v = (v * 1e9).round().unique()[:, None, None, None] / 1e9
    y, log_det = preprocess(v)
    assert (y.flatten().diff() > 0).all()
    back, inverse_log_det = preprocess.inverse(y)
    assert (back - v).abs().max() < 1e-10
    assert torch.allclose(inverse_log_det, -log_det, atol=1e-8)
    reals = torch.linspace(-40, 40, 1001, dtype=torch.float64)[:, None, None, None]
    far, _ = preprocess.inverse(reals)
    assert ((far >= 0) & (far <= levels)).all()


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_the_jacobian_is_autograd_s_inside_and_in_the_open_ends(levels, curve):
    preprocess = curve(levels).double()
    v = torch.tensor([1e-6, 0.02, 0.0999, 0.3, 0.9, 1.1, levels - 0.4, levels - 0.03], dtype=torch.float64)
    v = v[:, None, None, None]
    y, log_det = preprocess(v)
    assert torch.allclose(log_det, log_det_by_autograd(preprocess, v), atol=1e-9)
    near = y[(y.abs() < 20).flatten()]
    assert torch.allclose(preprocess.inverse(near)[1], log_det_by_autograd(preprocess.inverse, near), atol=1e-7)


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_a_value_may_be_given_by_its_distance_from_the_upper_end(curve):
    preprocess = curve(17).double()
    v = torch.tensor([8.6, 12.0, 16.4, 17 - 2.0**-20], dtype=torch.float64).view(4, 1, 1, 1)
    for given, wanted in zip(preprocess(v - 17), preprocess(v), strict=True):
        assert torch.allclose(given, wanted)
    y, _ = preprocess(torch.tensor([-1e-90, -1e-80], dtype=torch.float64).view(2, 1, 1, 1))
    assert y[0] > y[1]


@pytest.mark.parametrize("levels", [2, 256])
def test_between_its_open_ends_it_is_the_paper_s_logit_with_its_jacobian(levels):
    v = torch.linspace(0.1, levels - 0.1, 501, dtype=torch.float64)[:, None, None, None]
    y, log_det = OpenLogit(levels, 0.05).double()(v)
    p = 0.05 + 0.9 * v / levels
    assert torch.allclose(y, torch.log(p / (1 - p)), atol=1e-12)
    assert torch.allclose(log_det, torch.log(0.9 / levels / (p * (1 - p))).flatten(), atol=1e-10)


@pytest.mark.parametrize("levels", [3, 256])
def test_between_its_open_ends_the_line_is_straight_and_divides_by_the_levels(levels):
    v = torch.linspace(1, levels - 1, 101, dtype=torch.float64)[:, None, None, None]
    y, log_det = OpenLinear(levels).double()(v)
    assert torch.allclose(y, v / levels - 0.5, atol=1e-12)
    assert torch.allclose(log_det, torch.full((101,), -math.log(levels), dtype=torch.float64))


@pytest.mark.parametrize("alpha", [0.0, 0.5, -1.0, math.nan, "0.1", None])
@pytest.mark.parametrize("recipe", ["realnvp", "glow"])
def test_the_logit_refuses_poles(recipe, alpha):
    with pytest.raises(ValueError, match="alpha="):
        build(recipe, DataSpec((1, 4, 4)), alpha=alpha)
