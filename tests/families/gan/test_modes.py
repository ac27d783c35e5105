"""Two-dimensional mixtures, on which every objective learns by the loop that images go through."""

import pytest
import torch

import genbench
from benchmarks import modes
from genbench import catalog


def test_every_unconditional_recipe_on_the_pair_plays():
    unconditional = {name for name, recipe in catalog.recipes().items() if recipe.family == "gan" and not recipe.given}
    apart = {"co-gan", "lapgan", "pggan", "stylegan", "s2-gan"}  # whose networks are their own
    assert set(modes.unconditional()) == unconditional - apart


@pytest.mark.parametrize("mixture", modes.MIXTURES)
@pytest.mark.parametrize("recipe", modes.unconditional())
def test_a_recipe_plays_on_points(recipe, mixture, monkeypatch):
    monkeypatch.setattr(modes, "POINTS", 600)
    model = modes.trained(recipe, modes.MIXTURES[mixture], 6, 0, width=8)
    before = modes.build(recipe, 0, width=8).state_dict()
    after = model.state_dict()
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert {"generator", "critic"} <= moved
    points = model.sample(9, generator=torch.Generator().manual_seed(0))
    assert points.shape == (9, 2, 1, 1)
    assert points.dtype == torch.uint8


@pytest.mark.parametrize(("mixture", "count"), [("ring", 8), ("grid", 25)])
def test_the_mixtures_themselves_cover_all_modes_and_one_mode_covers_one(mixture, count):
    mixture = modes.MIXTURES[mixture]
    assert len(mixture.centres) == count
    covered, near = mixture.covered(mixture.draw(2_500, 0))
    assert covered == count
    assert near > 0.97  # of two dimensions 98.9 % lie within three deviations; rounding moves some
    one = mixture.centres[3].round().to(torch.uint8).view(1, 2, 1, 1).expand(50, -1, -1, -1)
    assert mixture.covered(one) == (1, 1.0)
    nowhere = torch.zeros(5, 2, 1, 1, dtype=torch.uint8)
    assert mixture.covered(nowhere) == (0, 0.0)


def test_a_game_without_a_critic_worth_the_name_is_not_called_covering():
    """An untrained generator finds at most a mode or two: the benchmark can fail."""
    model = genbench.build("gan", modes.SPEC, network="dense", width=8, latents=4)
    points = model.sample(2_500, generator=torch.Generator().manual_seed(0))
    assert modes.MIXTURES["ring"].covered(points)[0] <= 2


def test_a_run_that_diverged_covers_none(monkeypatch):
    def diverge(*arguments, **options):
        raise genbench.Diverged("the loss", "critic", 3)

    monkeypatch.setattr(modes, "trained", diverge)
    points = modes.samples(("f-gan", "ring", 0), 4, {})
    assert modes.MIXTURES["ring"].covered(points) == (0, 0.0)
    assert modes.row("f-gan", {"ring": [points, points]}) == "| f-gan | 0.0 | 0 0 | 0.0% |"
