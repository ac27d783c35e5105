"""What a recipe has of the abilities keeps its promise, whatever the recipe."""

import copy
from dataclasses import replace

import pytest
import torch

from tests.contract import toys, toys_conditioned
from tests.contract.recipes import data, noise
from tests.contract.test_toys import make, same


def unchanged(model, act):
    """What ``act`` answers, the same in training mode, with the model and the global generator as before."""
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    answer = act()
    model.train()
    assert torch.equal(answer, act())
    assert model.training
    model.eval()
    assert same(before, model.state_dict())
    assert torch.equal(state, torch.get_rng_state())
    return answer


def are_levels(images, spec, *n):
    return images.dtype == torch.uint8 and images.shape == (*n, *spec.shape) and int(images.max()) < spec.levels


def reconstructs(model, batch):
    images = unchanged(model, lambda: model.reconstruct(batch))
    assert are_levels(images, model.spec, 5)
    drawn = unchanged(model, lambda: model.reconstruct(batch, generator=noise()))
    assert are_levels(drawn, model.spec, 5)
    alone = torch.cat([model.reconstruct(batch.rows(slice(i, i + 1))) for i in range(5)])
    assert (alone.int() - images.int()).abs().max() <= 1, "an image's reconstruction hangs on its neighbours"


def returns(model, batch):
    sources = unchanged(model, lambda: model.between(batch))
    assert sources.dtype == torch.uint8
    assert sources.shape == (5, *model.spec.source)
    drawn = unchanged(model, lambda: model.between(batch, generator=noise()))
    assert drawn.shape == sources.shape
    alone = torch.cat([model.between(batch.rows(slice(i, i + 1))) for i in range(5)])
    assert (alone.int() - sources.int()).abs().max() <= 1, "where an image leads through hangs on its neighbours"


def interpolates(model, batch):
    first, second = batch.rows(slice(0, 2)), batch.rows(slice(2, 4))
    images = unchanged(model, lambda: model.interpolate(first, second, 4))
    assert are_levels(images, model.spec, 2, 4)
    for end, those in ((0, first), (-1, second)):
        assert (images[:, end].int() - model.reconstruct(those).int()).abs().max() <= 1


def traverses(model, batch):
    images = unchanged(model, lambda: model.traverse(2, 5, generator=noise()))  # the smallest codes have two latents
    assert are_levels(images, model.spec, 2, 5)


def completes(model, batch):
    for rows in (0, 3, 8):
        images = unchanged(model, lambda rows=rows: model.complete(batch, rows, generator=noise()))
        assert are_levels(images, model.spec, 5)
        assert torch.equal(images[:, :, :rows], batch.images[:, :, :rows])
        assert torch.equal(images, batch.images) == (rows == model.spec.shape[1])
        again = model.complete(batch, rows, generator=noise(2))
        assert torch.equal(images, again) == (rows == model.spec.shape[1])


def classifies(model, batch):
    odds = unchanged(model, lambda: model.classify(batch))
    assert odds.shape == (5, model.spec.classes)
    assert odds.min() >= 0
    assert torch.allclose(odds.double().sum(1), torch.ones(5, dtype=torch.float64), atol=1e-5)
    for labels in (None, batch.labels.flip(0), torch.full_like(batch.labels, -1)):
        assert torch.equal(odds, model.classify(replace(batch, labels=labels)))


def detects(model, batch):
    scores = unchanged(model, lambda: model.anomaly(batch))
    assert scores.shape == (5,)
    assert scores.dtype == torch.float64
    assert torch.isfinite(scores).all()
    alone = torch.cat([model.anomaly(batch.rows(slice(i, i + 1))) for i in range(5)])
    assert torch.allclose(scores, alone, rtol=1e-4), "an image's score hangs on its neighbours"


def pairs(model, batch):
    drawn = unchanged(model, lambda: torch.cat([part.flatten(1) for part in model.pairs(5, generator=noise())], 1))
    images, sources = model.pairs(5, generator=noise())
    assert are_levels(images, model.spec, 5)
    assert sources.dtype == torch.uint8
    assert sources.shape == (5, *model.spec.source)
    other = model.pairs(5, generator=noise(2))
    assert not torch.equal(drawn, torch.cat([part.flatten(1) for part in other], 1))


ABILITIES = {
    "reconstruct": reconstructs,
    "between": returns,
    "interpolate": interpolates,
    "traverse": traverses,
    "complete": completes,
    "classify": classifies,
    "anomaly": detects,
    "pairs": pairs,
}


def keeps_its_promises(model):
    for ability, check in ABILITIES.items():
        if hasattr(model, ability):
            check(model, data(model.spec).validation.rows(slice(0, 5)))


def test_abilities_keep_their_promise(trained):
    _, model = trained
    keeps_its_promises(model)


def test_abilities_keep_their_promise_in_colour(coloured):
    keeps_its_promises(coloured)


@pytest.mark.parametrize("toy", [toys.Detector, toys_conditioned.Coupled])
def test_abilities_that_no_recipe_has_yet_are_held_to_their_promise_too(toy):
    model = make(toy)
    batch = toys.data(model.spec).validation.rows(slice(0, 5))
    checks = [check for ability, check in ABILITIES.items() if hasattr(model, ability)]
    assert checks
    for check in checks:
        check(model.eval(), batch)


def test_a_score_that_hangs_on_the_neighbours_is_seen():
    model = make(toys.Detector).eval()
    model.anomaly = lambda batch: toys.flat(batch).double().sub(toys.flat(batch).double().mean(0)).norm(dim=1)
    with pytest.raises(AssertionError, match="hangs on its neighbours"):
        detects(model, toys.data(model.spec).validation.rows(slice(0, 5)))
