"""No explicit recipe begins by unlearning: a hundred steps cost at most three times what knowing nothing does."""

import math
from functools import cache

import pytest
import torch
from sklearn.datasets import load_digits, load_sample_image

import genbench
from genbench import Budget, DataSpec, FitConfig, Split, Splits, catalog

EXPLICIT = [name for name, recipe in catalog.recipes().items() if recipe.likelihood != "estimate"]
QUICK = {("vae", 0), ("glow", 0)}  # those that were seen to begin far off; the others are for the longer tests
CASES = [
    pytest.param(name, seed, marks=() if (name, seed) in QUICK else pytest.mark.slow)
    for name in EXPLICIT
    for seed in range(3)
]
SIDE, CLASSES = 8, 4
LOSSES = ("likelihood/loss", "elbo/loss", "reconstruction/loss")  # nats a dimension


@cache
def patches(kind):
    """256 digits on black, or 256 patches of a photograph in colour, 8×8 pixels of 256 levels."""
    if kind == "grey":
        return torch.from_numpy(load_digits().images[:256])[:, None].mul(255 / 16).round().to(torch.uint8)
    picture = torch.tensor(load_sample_image("china.jpg")).permute(2, 0, 1)
    squares = picture.unfold(1, SIDE, 25).unfold(2, SIDE, 25).permute(1, 2, 0, 3, 4).reshape(-1, 3, SIDE, SIDE)
    return squares[torch.randperm(len(squares), generator=torch.Generator().manual_seed(0))[:256]].contiguous()


def bits(recipe, kind, seed):
    """The bits/dim of each of a hundred steps, under the recipe's defaults."""
    images, labels = patches(kind), torch.arange(256) % CLASSES
    needs = catalog.recipe(recipe).needs
    spec = DataSpec(tuple(images.shape[1:]), classes=CLASSES, labelled=32 if "labelled" in needs else None)
    known = torch.where(torch.arange(224) < 32, labels[:224], -1) if spec.labelled else labels[:224]
    model = genbench.build(recipe, spec, seed=seed)
    logs = []
    splits = Splits(Split(images[:224], known), Split(images[224:], labels[224:]))
    config = FitConfig(Budget(steps=100), 32, seed=seed)
    model.fit(splits, config, callbacks=[lambda progress: logs.append(progress.logs)])
    return [float(log[name]) / math.log(2) for log in logs for name in LOSSES if name in log]


@pytest.mark.parametrize("kind", ["grey", "colour"])
@pytest.mark.parametrize(("recipe", "seed"), CASES)
def test_the_first_hundred_steps_stay_within_three_times_the_uniform_s_bits(recipe, kind, seed):
    found = bits(recipe, kind, seed)
    assert len(found) == 100
    assert max(found) < 3 * 8
    assert min(found[-10:]) < 8  # and something is learned
