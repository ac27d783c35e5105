"""Names of classes: the order in which they stand, and the class of a data set that each of other names means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

UNKNOWN = -1  # the number of a name that no class has


def in_order(names: Iterable[str]) -> list[str]:
    """Return names in alphabetical order, numbers within them by their value: 2 before 10."""

    def key(name: str) -> tuple[list[str | int], str]:
        return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)], name

    return sorted(names, key=key)


def names_of(class_names: Sequence[str], classes: int) -> tuple[str, ...]:
    """Return the name of each class: its number, where the data set has none."""
    return tuple(class_names) or tuple(map(str, range(classes)))


def numbers(found: Sequence[str], known: Sequence[str]) -> list[int]:
    """Return the number of the class that each name found means, -1 for none.

    A name is that of a class, in capitals or not; or else the number of one, where no class has a number for a name.
    """
    number = {name.casefold(): i for i, name in enumerate(known)}
    if not any(name.isdecimal() for name in known):
        number |= {str(i): i for i in range(len(known))}
    exact = {name: i for i, name in enumerate(known)}
    return [exact.get(name, number.get(name.casefold(), UNKNOWN)) for name in found]
