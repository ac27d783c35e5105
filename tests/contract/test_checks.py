"""What `genbench check` asks: the honest pass, and each liar is caught by the check that is meant for it."""

import pytest
import torch

from genbench import catalog
from genbench.contract import checks
from genbench.tables import rows as table
from tests.contract import liars
from tests.records import likelihood, record


@pytest.fixture(autouse=True)
def third_party(monkeypatch):
    monkeypatch.setattr(catalog, "recipes", liars.recipes)


def outcomes(name):
    return {one.check: one for one in checks.check_recipe(name)}


@pytest.mark.parametrize("model", liars.HONEST, ids=lambda model: model.__name__)
def test_the_honest_pass_every_check_and_leave_the_global_generator_alone(model):
    state = torch.get_rng_state()
    found = outcomes(model.__name__)
    assert {name: one.found for name, one in found.items() if one.result != "passed"} == {}
    assert list(found) == ["training", *checks.CHECKS]
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(("model", "check"), liars.LIARS.items(), ids=lambda one: getattr(one, "__name__", one))
def test_each_liar_is_caught_by_the_check_that_is_meant_for_it_and_not_ranked(model, check, monkeypatch):
    only = {check: checks.CHECKS[check]}
    monkeypatch.setattr(checks, "CHECKS", only)
    said = checks.verdict(checks.check_recipe(model.__name__))
    assert list(said["failed"]) == [check], said
    lies = (0.1, 0.2, 0.3)
    tests = {"believed": likelihood(lies), "good": likelihood((1.0, 1.3, 1.1)), "bad": likelihood((2.0, 2.2, 2.1))}
    cells = [record(name, test=one) for name, one in tests.items()]
    ranked = {row["label"]: (row["nll_rank"], row["nll_ranked"]) for row in table.rows(cells)}
    assert ranked == {"believed": (1, 3), "good": (2, 3), "bad": (3, 3)}
    cells[0] = record("believed", test=tests["believed"], stamp={"checked": said})
    ranked = {row["label"]: (row["nll_rank"], row["nll_ranked"]) for row in table.rows(cells)}
    assert ranked == {"good": (1, 2), "bad": (2, 2), "believed": (None, None)}
    assert list(ranked)[-1] == "believed", "and it does not stand first"
