import pytest

from genbench import Budget, FitConfig
from tests.contract.recipes import CASES, COLOUR, CONDITIONAL, RECIPES, build, data


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
