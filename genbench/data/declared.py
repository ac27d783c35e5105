"""Data sets that other packages declare by name, under the entry-point group ``genbench.datasets``.

An entry point's name is the data set's, and what it names is a function without arguments that returns a
:class:`~genbench.data.dataset.Dataset`, the same each time. It is imported when the data set is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from importlib.metadata import EntryPoint, entry_points

from genbench.data.dataset import Dataset
from genbench.errors import named

GROUP = "genbench.datasets"
NAME = re.compile(r"\w[\w.-]*")  # no colon, slash or plus, which names of data sets have a use for


def declared(taken: Collection[str]) -> Mapping[str, EntryPoint]:
    """Return the entry points of other packages' data sets, by name.

    Raises:
        ValueError: for a name that is ``taken``, that two packages declare, or that cannot be one.
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        if not NAME.fullmatch(point.name):
            raise ValueError(f"data set {point.name!r} of {point.value}: give it a name of letters, digits, - and _")
        if point.name in taken:
            raise ValueError(f"data set {point.name!r} of {point.value} has the name of another; rename it there")
        if point.name in found and found[point.name].value != point.value:
            both = f"{found[point.name].value} and {point.value}"
            raise ValueError(f"data set {point.name!r} is declared twice: {both}; remove one of the packages")
        found[point.name] = point
    return found


def load(point: EntryPoint) -> Dataset:
    """Return the data set that an entry point names.

    Raises:
        ValueError: where its package cannot make it, or makes something else.
    """
    try:
        made = point.load()()
    except Exception as error:  # whatever another package does
        raise ValueError(f"data set {point.name!r}: {point.value} fails ({named(error)}); repair it") from error
    if not isinstance(made, Dataset):
        raise ValueError(
            f"data set {point.name!r}: {point.value} returns {type(made).__name__}, not a genbench.Dataset"
        )
    return made
