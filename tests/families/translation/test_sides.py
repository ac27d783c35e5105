"""Every translator on sides that do not halve, and on large ones: it learns, draws from a source, and is kept."""

import pytest
import torch
from torch import nn

import genbench
from genbench import Budget, FitConfig, Step, catalog
from genbench.contract import tiny
from genbench.training.batches import Stream

RECIPES = sorted(name for name, entry in catalog.recipes().items() if entry.family == "translation")
ODD, LARGE = (3, 15, 21), (3, 128, 128)
ENLARGING = ("gln", "srgan")


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
    for layer in (one for one in model.modules() if isinstance(one, nn.BatchNorm2d)):
        layer.momentum = None  # what evaluation normalises by is what was seen, after so few steps too
    played(model.train(), data)
    model.eval()
    rows = data.validation.rows(slice(3))
    images = tiny.draw(model, rows, 1)
    assert images.shape == (3, *shape)
    with torch.no_grad():
        decoded = model.decode(model.draw_noise(3, torch.Generator().manual_seed(0)), rows)
    assert len(decoded.flatten(1).unique(dim=0)) == 3
    genbench.save(tmp_path / "model.safetensors", model)
    again = genbench.load(tmp_path / "model.safetensors")
    assert torch.equal(images, tiny.draw(again, rows, 1))


def played(model, data):
    """Take each turn of each phase once: all of them give what they learn a gradient, and a finite one."""
    step = Step(0, 0.5, torch.Generator().manual_seed(0))
    batch = Stream(data.train, model.spec, 2, 0).batch(0)
    for phase in model.phases():
        if phase.enter is not None:
            phase.enter(data, step)
        for turn in phase.turns:
            learns = [one for module in turn.learns for one in module.parameters()]
            loss = turn.loss(batch, step)["loss"]
            found = [one for one in torch.autograd.grad(loss, learns, allow_unused=True) if one is not None]
            assert any(bool(one.any()) for one in found), (phase.name, turn.name)
            assert all(bool(one.isfinite().all()) for one in (loss, *found)), (phase.name, turn.name)
