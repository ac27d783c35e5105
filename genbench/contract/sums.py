"""Whether probabilities are probabilities: their sum over every image that a tiny shape has."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from genbench.contract import tiny
from genbench.contract.answers import answered
from genbench.contract.breach import Breach, Unchecked
from genbench.interface import GenerativeModel
from genbench.spec import Batch
from genbench.stats import mean, standard_error

FEW = (((1, 2, 2), (1, 1, 2), (3, 1, 1), (3, 2, 2)), 2), (((1, 2, 2), (1, 1, 2), (3, 1, 1)), 4), (((1, 1, 1),), 256)
EXACT = 1e-3
REPEATS, DRAWS = 8, 8
ERRORS, SLACK = 4.0, 0.02


def sums(name: str, options: Mapping[str, Any], train: Callable[[GenerativeModel], object]) -> str:
    """Check that probabilities sum to 1 over all images, and those of bounds and estimates to no more in the mean.

    The recipe is made anew for a few pixels of 2, of 4 and of 256 levels, as far as it takes them. An exact model's sum
    is 1 within rounding. The weights of a bound or an estimate have the probability, or less, as their mean.

    Args:
        name: the recipe's name.
        options: its options.
        train: a function that trains a model for a moment.

    Raises:
        Breach: for another sum.
        Unchecked: for a recipe that takes no images so small that all can be asked.
    """
    found: list[str] = []
    refusal: ValueError | None = None
    for shapes, levels in FEW:
        try:
            model = tiny.built(name, options, shapes, levels)
        except ValueError as error:
            refusal = error
            continue
        train(model)
        validation = tiny.splits(model.spec).validation
        for row in (0, 1) if model.given else (0,):
            found.append(_total(model, tiny.under(validation, row, tiny.every_image(model.spec))))
    if not found:
        raise Unchecked(f"it takes no images of 1, 2 or 4 pixels, all of which could be asked ({refusal})")
    return ", ".join(dict.fromkeys(found))


def _total(model: GenerativeModel, batch: Batch) -> str:
    """Return the sum over the images of ``batch``, in words, once it is what it should be."""
    what = f"over the {len(batch):,} images of {'×'.join(map(str, model.spec.shape))}, {model.spec.levels} levels"
    first = answered(model, batch, 1)
    if first.kind == "exact":
        total = float(first.nats.exp().sum())
        if not abs(total - 1) <= EXACT:
            raise Breach(f"probabilities sum to {total:.4f} {what}: they are none")
        return f"{total:.4f} {what}"
    totals = [float(answered(model, batch, DRAWS, seed).nats.exp().sum()) for seed in range(REPEATS)]
    total, error = mean(totals), standard_error(totals) or 0.0
    if not total <= 1 + max(SLACK, ERRORS * error) or math.isnan(total):
        raise Breach(f"weights sum to {total:.3f} ± {error:.3f} {what}, and a bound's to 1 at most")
    return f"{total:.3f} ± {error:.3f} {what}"
