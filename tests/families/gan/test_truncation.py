"""BigGAN's truncation: noise drawn again until it is inside a bound."""

import math

import pytest
import torch

from families.gan.biggan import truncated_normal
from genbench import Batch, DataSpec
from genbench.likelihood.effort import Effort
from tests.families.gan.small_biggan import build, gen, of


@pytest.mark.parametrize("bound", [0.1, 0.5, 2.0])
def test_truncated_noise_has_the_distribution_of_noise_drawn_again_until_it_is_inside(bound):
    drawn = truncated_normal(torch.randn(20_000, generator=gen()), bound).double().sort().values
    inside = math.erf(bound / math.sqrt(2))
    wanted = 0.5 + 0.5 * torch.erf(drawn / math.sqrt(2)) / inside
    steps = torch.arange(20_001, dtype=torch.float64) / 20_000
    distance = torch.maximum((steps[1:] - wanted).abs(), (wanted - steps[:-1]).abs()).max()
    assert float(distance) < 1.63 / math.sqrt(20_000), "Kolmogorov and Smirnov at 1 %"
    assert float(drawn.abs().max()) <= bound


def test_truncation_keeps_the_order_and_stays_finite():
    u = torch.tensor([-40.0, -8, -2, -0.1, 0, 0.1, 2, 8, 40])
    for bound in (1e-3, 0.5, 3.0, 9.0):
        out = truncated_normal(u, bound)
        assert torch.isfinite(out).all()
        assert (out.diff() >= 0).all()
        assert float(out[4]) == 0
    torch.testing.assert_close(truncated_normal(u[2:-2], 20.0), u[2:-2])


def test_truncation_changes_samples_and_nothing_else(monkeypatch):
    spec = DataSpec((1, 2, 2), levels=17, classes=3)
    plain, narrow = (build(spec, width=2, truncation=bound).eval() for bound in (None, 0.3))
    labels = torch.arange(30) % 3
    given = Batch(torch.full((1, 1, 2, 2), 8, dtype=torch.uint8), torch.tensor([1]))
    assert all(
        torch.equal(a, b) for a, b in zip(plain.state_dict().values(), narrow.state_dict().values(), strict=True)
    )
    drawn, less = (model.sample(30, labels=labels, generator=gen()) for model in (plain, narrow))
    assert not torch.equal(drawn, less)
    assert torch.equal(less, narrow.sample(30, labels=labels, generator=gen()))
    monkeypatch.setattr("genbench.implicit.effort_named", lambda name: Effort(4, 3))
    nats = [model.log_likelihood(given, generator=gen()).nats for model in (plain, narrow)]
    assert torch.equal(*nats), "the likelihood is that of the model without"


def test_truncation_can_be_set_at_any_time():
    model, fixed = build().eval(), build(truncation=0.5).eval()
    labels, whole = of(0, 1, 2).labels, build().eval().sample(3, labels=of(0, 1, 2).labels, generator=gen())
    assert model.truncation is None
    model.truncation = 0.5
    assert torch.equal(*(one.sample(3, labels=labels, generator=gen()) for one in (model, fixed)))
    for nothing in (0, -1.0, float("nan"), "x", True):
        with pytest.raises(ValueError, match="truncation="):
            model.truncation = nothing
    assert model.truncation == 0.5
    model.truncation = None
    assert torch.equal(model.sample(3, labels=labels, generator=gen()), whole)
    assert not torch.equal(fixed.sample(3, labels=labels, generator=gen()), whole)


def test_samples_are_what_the_truncated_noise_decodes_to():
    model, u = build(truncation=0.3).eval(), torch.randn(3, 7, generator=gen())
    given = of(0, 1, 2)
    with torch.no_grad():
        wanted = model.decode(truncated_normal(u, 0.3), given).round().clamp(0, 16).to(torch.uint8)
    assert torch.equal(model.sample(3, labels=given.labels, generator=gen()), wanted)
