import math

import pytest
import torch

from families.flow.couplings import AdditiveCoupling
from families.flow.distributions import StandardLogistic, StandardNormal
from families.flow.normalisation import Scaling
from genbench import DataSpec, build
from genbench.seed import generator
from tests.families.flow.helpers import images_of, randomised


def parts(model, kind):
    return [part for part in model.modules() if isinstance(part, kind)]


def test_odd_and_even_dimensions_take_turns_before_one_scaling():
    model = build("nice", DataSpec((1, 3, 3)), width=4, couplings=3)
    assert [coupling.passes for coupling in parts(model, AdditiveCoupling)] == [0, 1, 0]
    (scaling,) = parts(model, Scaling)
    assert scaling.log_scale.shape == (9,)
    assert list(model.flow._transform._transforms)[-1] is scaling


def test_every_dimension_reaches_every_other():
    model = randomised("nice", DataSpec((1, 2, 3)), width=8, couplings=4)
    chain = model.flow._transform
    v = 255 * torch.rand(1, 1, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    jacobian = torch.autograd.functional.jacobian(lambda v: chain(v)[0], v).view(6, 6)
    assert (jacobian != 0).all()


def test_its_log_determinant_is_the_scaling_s_and_the_levels():
    model = randomised("nice", DataSpec((1, 2, 3), 17), width=4)
    v = images_of(model.spec).images.clamp(1, 15).double() + 0.5  # between the open ends
    _, log_det = model.flow._transform(v)
    (scaling,) = parts(model, Scaling)
    assert torch.allclose(log_det, (scaling.log_scale.sum() - 6 * math.log(17)).expand(3))


@pytest.mark.parametrize(
    ("prior", "kind", "variance"), [("logistic", StandardLogistic, math.pi**2 / 3), ("gaussian", StandardNormal, 1)]
)
def test_the_prior_that_scores_is_the_one_that_samples(prior, kind, variance, monkeypatch):
    model = randomised("nice", DataSpec((1, 4, 4)), width=4, prior=prior)
    (base,) = parts(model, kind)
    assert not parts(model, {StandardNormal: StandardLogistic, StandardLogistic: StandardNormal}[kind])
    used = {"score": [], "draw": []}
    score, inverse = base._log_density, model.flow._transform.inverse
    monkeypatch.setattr(base, "_log_density", lambda x: (used["score"].append(x), score(x))[1])
    monkeypatch.setattr(model.flow._transform, "inverse", lambda z, c: (used["draw"].append(z), inverse(z, c))[1])
    model.log_likelihood(images_of(model.spec), generator=generator(0))
    model.sample(5000, generator=generator(0))
    noise = torch.cat(used["draw"]).flatten()
    assert used["score"]
    assert noise.var().item() == pytest.approx(variance, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.02)
    # mean log-density of draws under what scores: minus the entropy, 2 nats for a logistic
    entropy = 2 if prior == "logistic" else 0.5 * math.log(2 * math.pi * math.e)
    assert -score(noise).mean().item() == pytest.approx(entropy, abs=0.02)


def test_an_image_of_one_value_is_padded_to_two():
    model = randomised("nice", DataSpec((1, 1, 1), 9), width=4)
    assert model.dequantiser.shape == (1, 1, 2)
    assert model.dequantiser.nats == math.log(9)
    assert model.sample(3, generator=generator(0)).shape == (3, 1, 1, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior": "cauchy"}, "prior='cauchy': give one of logistic, gaussian"),
        ({"couplings": 1}, "couplings=1: give a whole number, 2 or more"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build("nice", DataSpec((1, 4, 4)), **options)
