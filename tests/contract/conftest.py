from contextlib import contextmanager

import pytest

from families.autoencoder import deterministic
from genbench import Budget, FitConfig, implicit
from genbench.likelihood.effort import EFFORTS, Effort
from tests.contract.recipes import CASES, COLOUR, CONDITIONAL, RECIPES, build, data


@contextmanager
def short_searches():
    """Searches for σ go a little of their way."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (implicit, deterministic):
            patch.setattr(module, "SEARCH_STEPS", 4)
        yield


@pytest.fixture(scope="session", params=CASES)
def trained(request):
    model = build(request.param)
    with short_searches():
        model.fit(data(model.spec), FitConfig(Budget(steps=6), batch_size=8))
    return CONDITIONAL.get(request.param, request.param), model


@pytest.fixture(scope="session", params=RECIPES)
def coloured(request):
    model = build(request.param, COLOUR)
    with short_searches():
        model.fit(data(model.spec), FitConfig(Budget(steps=2), batch_size=8))
    return model


@pytest.fixture(autouse=True)
def short_ways(monkeypatch):
    """Chains and searches that have far to go go a little of it: what is asked here holds however far they came."""
    monkeypatch.setitem(EFFORTS, "fast", Effort(6, 2, search=4))
    with short_searches():
        yield
