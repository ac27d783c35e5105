"""Every translator on sides that do not halve, and on large ones: it learns, draws from a source, and is kept."""

import pytest
import torch

import genbench
from genbench import Budget, FitConfig, catalog
from genbench.contract import tiny
from tests.contract.recipes import ENLARGING

RECIPES = sorted(name for name, entry in catalog.recipes().items() if entry.family == "translation")
ODD, LARGE = (3, 15, 21), (3, 128, 128)


@pytest.mark.parametrize("shape", [ODD, LARGE], ids=["odd", "large"])
@pytest.mark.parametrize("name", RECIPES)
def test_it_is_stepped_draws_and_comes_back(name, shape, tmp_path):
    entry = catalog.recipe(name)
    times = 1 if name not in ENLARGING else 3 if shape is ODD else 4
    spec = tiny.spec_for(entry, shape, 17, (3, shape[1] // times, shape[2] // times))
    model = genbench.build(name, spec, **({"width": 4} if "width" in entry.options() else {}))
    begun = {name: value.detach().clone() for name, value in model.named_parameters()}
    model.finish = lambda data, generator: None  # what is asked for here is images
    data = tiny.splits(spec, train=6, validation=4)
    assert model.fit(data, FitConfig(Budget(steps=1), batch_size=2)).steps == 1
    assert any(not torch.equal(value, begun[name]) for name, value in model.named_parameters())
    rows = data.validation.rows(slice(3))
    images = tiny.draw(model, rows, 1)
    assert images.shape == (3, *shape)
    assert len(images.flatten(1).unique(dim=0)) == 3
    genbench.save(tmp_path / "model.safetensors", model)
    again = genbench.load(tmp_path / "model.safetensors")
    assert torch.equal(images, tiny.draw(again, rows, 1))
