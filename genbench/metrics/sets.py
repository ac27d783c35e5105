"""The conditions that every measure between two sets of features sets them."""

from __future__ import annotations

from torch import Tensor


def check_sets(measure: str, real: Tensor, fake: Tensor, least: int) -> None:
    """Refuse sets that are too small, or whose features differ.

    Raises:
        ValueError: naming the measure, the set and what would do.
    """
    for name, values in (("real", real), ("fake", fake)):
        if values.dim() != 2:
            raise ValueError(f"{measure}: {name} features have shape {tuple(values.shape)}: give (N, D)")
        check_count(measure, name, len(values), least)
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            f"{measure}: {real.shape[1]} real features against {fake.shape[1]} fake ones: use one extractor for both"
        )


def check_count(measure: str, name: str, count: int, least: int) -> None:
    """Refuse a set with fewer images than ``measure`` needs, by ``ValueError``."""
    if count < least:
        raise ValueError(f"{measure}: {count} {name} images are too few: give at least {least}")
