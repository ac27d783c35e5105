"""A ratio of two means over the same images, with its standard error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genbench.stats import mean, standard_error


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means over the same images.

    Args:
        value: the mean of the numerators over that of the denominators.
        standard_error: the delta method's, which counts that both are of the same images; None for one image.
    """

    value: float
    standard_error: float | None


def ratio_of_means(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio | None:
    """Return ``R = mean(a) / mean(b)``, and ``s(a - R b) / (√n mean(b))``, its standard error; None where mean(b) is 0.

    Args:
        numerators: the value of each image.
        denominators: the value of each of the same images, at least 0.

    Raises:
        ValueError: for unequal numbers, or none.
    """
    if len(numerators) != len(denominators) or not numerators:
        raise ValueError(f"ratio of {len(numerators)} to {len(denominators)} values: give equally many, at least 1")
    below = mean(denominators)
    if below == 0:
        return None
    value = mean(numerators) / below
    error = standard_error([a - value * b for a, b in zip(numerators, denominators, strict=True)])
    return Ratio(value, None if error is None else error / below)
