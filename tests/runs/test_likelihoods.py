import math
from types import SimpleNamespace

import pytest
import torch

from genbench import Batch
from genbench.implicit import BLIND
from genbench.interface import frozen
from genbench.likelihood import bidirectional, effort
from genbench.likelihood.effort import Effort
from genbench.likelihood.observation import discretised_gaussian
from genbench.records.parts import Likelihood
from genbench.runs import likelihoods
from genbench.runs.likelihoods import estimated, gap, unsettled
from genbench.seed import generator
from genbench.stats import spread
from tests.contract.toys import Toy, data
from tests.contract.toys_conditioned import Translator
from tests.likelihood.test_bidirectional import Bent

IMAGES = torch.randint(0, 17, (7, 1, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setitem(effort.EFFORTS, "fast", Effort(8, 2, 2))
    monkeypatch.setitem(effort.EFFORTS, "standard", Effort(12, 3, 3))


def test_an_estimate_carries_its_worth_its_chains_and_the_gap_of_half_as_many_images():
    found = estimated(Bent(1), Batch(IMAGES), limit=5, seed=0, effort="standard")
    assert (found.kind, found.method, found.effort, found.draws, found.images) == ("estimate", "ais", "standard", 3, 5)
    assert 1 < found.ess < 3
    assert 0 < found.acceptance < 1
    assert found.step_size > 0
    assert (found.gap.images, found.gap.draws) == (3, 3)
    assert found.gap.standard_error > 0
    assert Likelihood.model_validate_json(found.model_dump_json()) == found


def test_the_gap_is_the_distance_of_both_bounds_in_bits_a_dimension():
    model = Bent(1, classes=7).eval()
    split = Batch(IMAGES, torch.arange(7))
    found = gap(model, split, limit=3, seed=4, effort="fast")
    given = Batch(IMAGES[:3], torch.arange(7)[spread(7, 3)])
    with frozen(model):
        sides = bidirectional.bidirectional(
            model, given, draws=2, effort=Effort(8, 2), generator=generator(4, "nll", "gap")
        )
    lower, upper = (side.log_weights.exp().mean(0).log() for side in sides)
    bits = (-upper - lower) / (4 * math.log(2))
    assert found.bpd == pytest.approx(float(bits.mean()))
    assert found.standard_error == pytest.approx(float(bits.std()) / math.sqrt(3))
    assert found.greatest == pytest.approx(float(-lower.mean()) / (4 * math.log(2)))
    assert found.greatest - found.least == pytest.approx(found.bpd)
    assert found.acceptance == pytest.approx(float(sides[0].acceptance.mean()))
    assert found.backward_acceptance == pytest.approx(float(sides[1].acceptance.mean()))


def test_asking_leaves_the_model_as_it_was():
    model = Bent(1).train()
    gap(model, Batch(IMAGES), limit=1, seed=0, effort="fast")
    assert model.training
    assert model.net.weight.requires_grad
    assert model.net.weight.grad is None


def test_an_estimate_by_other_means_has_no_gap():
    model = Toy(Bent(1).spec)
    found = estimated(model, Batch(IMAGES), limit=2, seed=0)
    assert (found.gap, found.ess, found.acceptance, found.step_size) == (None, None, None, None)
    assert (found.moved, found.converged) == (0, True)


def scripted(monkeypatch, method="ais", **values):
    """Let an estimate of an effort be the value by that name; return the efforts that are asked for, in order."""
    asked = []

    def nll(model, split, *, effort, draws, **_):
        asked.append(effort)
        found = {"bpd": values[effort], "standard_error": None, "images": 2, "kind": "estimate", "effort": effort}
        return Likelihood(**found, method=method, draws=draws)

    monkeypatch.setattr(likelihoods.likelihoods, "nll", nll)
    monkeypatch.setattr(likelihoods, "gap", lambda *_, effort, **__: asked.append(f"gap {effort}"))
    return asked


@pytest.mark.parametrize(
    ("values", "work", "moved", "converged"),
    [
        ({"fast/2": 2.04, "fast": 2.0}, 1, -0.04, True),
        ({"fast/2": 2.1, "fast": 2.0, "fast*2": 1.96}, 2, -0.04, True),
        ({"fast/2": 2.1, "fast": 2.0, "fast*2": 1.9, "fast*4": 1.93}, 4, 0.03, True),
        ({"fast/2": 2.3, "fast": 2.0, "fast*2": 1.8, "fast*4": 1.7}, 4, -0.1, False),
        ({"fast/2": math.inf, "fast": math.inf}, 1, math.nan, False),
    ],
)
def test_the_work_is_doubled_until_the_estimate_holds_still(monkeypatch, values, work, moved, converged):
    asked = scripted(monkeypatch, **values)
    found = estimated(Bent(1), Batch(IMAGES), limit=2, seed=0)
    assert asked == [*values, "gap " + [*values][-1]]
    assert (found.bpd, found.effort, found.work) == ([*values.values()][-1], "fast", work)
    assert found.moved == pytest.approx(moved, nan_ok=True)
    assert found.converged is converged


def test_no_more_work_is_done_where_none_would_help_or_as_much_was_asked_for(monkeypatch):
    asked = scripted(monkeypatch, BLIND, **{"fast/2": 3.0, "fast": 2.0})
    assert estimated(Bent(1), Batch(IMAGES), limit=2, seed=0).converged is False
    assert asked == ["fast/2", "fast", "gap fast"]
    asked = scripted(monkeypatch, **{"standard/2": 3.0, "standard": 2.0})
    found = estimated(Bent(1), Batch(IMAGES), limit=2, seed=0, effort="standard")
    assert (found.work, found.converged) == (1, False)
    assert asked == ["standard/2", "standard", "gap standard"]


def test_an_effort_is_named_with_how_much_of_its_work_is_done():
    whole = effort.EFFORTS["fast"]
    assert effort.effort_named("fast") == whole
    assert effort.effort_named("fast/2") == Effort(4, 2, 2, 200, 50)
    assert effort.effort_named("fast*4") == Effort(32, 2, 2, 1600, 400)
    assert effort.with_work("fast", 1) == "fast"
    assert effort.effort_named(effort.with_work("fast", 2)) == Effort(16, 2, 2, 800, 200)
    for wrong in ("fast*8", "fast*3", "fast*x", "fast*", "fast*1", "standard*2", "fast*2/2"):
        with pytest.raises(ValueError, match="effort="):
            effort.effort_named(wrong)
    for wrong in ("fast*2", "fast/2"):  # no suite asks for these
        with pytest.raises(ValueError, match="effort="):
            effort.check_effort(wrong)


def test_what_moved_is_given_more_work_when_it_is_measured_again():
    def record(**test):
        how = {"bpd": 2.0, "standard_error": 0.1, "images": 10, "kind": "estimate", "method": "ais", "moved": -0.2}
        return SimpleNamespace(test=Likelihood(**how | test))

    assert unsettled(record())
    assert unsettled(record(work=2))
    assert unsettled(record(moved=0.06))
    still = ({"moved": 0.04}, {"moved": None}, {"moved": math.nan})  # from one infinity to another
    for test in (*still, {"work": 4}, {"method": BLIND}, {"effort": "standard"}):
        assert not unsettled(record(**test))
    assert not unsettled(SimpleNamespace(test=None))


def test_a_record_from_before_reads_as_having_none():
    old = {"bpd": 1.0, "standard_error": 0.1, "images": 10, "kind": "estimate", "method": "ais", "draws": 2}
    found = Likelihood.model_validate(old)
    assert (found.ess, found.acceptance, found.step_size, found.gap) == (None, None, None, None)
    assert found.work == 1


def test_what_has_no_noise_is_measured_on_the_whole_split_without_chains():
    model = Translator().eval()
    model.variance.fill_(0.5)
    split = data(model.spec).validation
    found = estimated(model, split, limit=2, seed=0, effort="standard")
    assert (found.method, found.kind, found.observation, found.draws) == ("direct", "estimate", "added", 1)
    assert found.images == len(split) == 8
    assert (found.moved, found.converged, found.gap, found.ess) == (None, None, None, None)
    with torch.no_grad():
        mean = model.decode(None, split).double()
    bins = discretised_gaussian(split.images, mean, torch.tensor(0.5).double().sqrt(), 4).flatten(1).sum(1)
    assert found.per_image == pytest.approx((-bins / (16 * math.log(2))).tolist(), rel=1e-5)
    several = model.log_likelihood(split, draws=7, effort="paper")
    assert several.draws == 1
    assert torch.equal(several.nats, model.log_likelihood(split).nats)
