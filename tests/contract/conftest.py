import pytest

from families.autoencoder import deterministic
from genbench import Budget, FitConfig, implicit
from genbench.likelihood.effort import EFFORTS, Effort
from tests.contract.recipes import CASES, COLOUR, CONDITIONAL, RECIPES, build, data


@pytest.fixture(scope="session", autouse=True)
def short_searches():
    """Searches for σ that go a little of their way, as chains do."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (implicit, deterministic):
            patch.setattr(module, "SEARCH_STEPS", 4)
        yield


@pytest.fixture(scope="session", params=CASES)
def trained(request):
    model = build(request.param)
    model.fit(data(model.spec), FitConfig(Budget(steps=6), batch_size=8))
    return CONDITIONAL.get(request.param, request.param), model


@pytest.fixture(scope="session", params=RECIPES)
def coloured(request):
    model = build(request.param, COLOUR)
    model.fit(data(model.spec), FitConfig(Budget(steps=2), batch_size=8))
    return model


@pytest.fixture(autouse=True)
def short_chains(monkeypatch):
    """Chains that have far to go go a little of it: what is asked of an answer here holds however long they are."""
    monkeypatch.setitem(EFFORTS, "fast", Effort(6, 2, search=4))
