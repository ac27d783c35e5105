"""What a shell completes behind ``genbench``: names of suites, recipes and data sets, and where none fits, of files.

The user waits for it at every press of the key, so nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable

# As ``genbench.data`` has them, which imports torch.
DATASETS = ("digits", "mnist5k", "mnist", "fashion-mnist", "cifar10", "svhn")
PREFIXES = ("binarized:", "edges:", "folder:", "negative:", "npz:", "unpaired:", "without-")
PATHS = ("folder:", "npz:")


def suites(incomplete: str) -> list[tuple[str, str]]:
    """Return the suites whose names begin with ``incomplete``, each with its title."""
    from genbench.suites import titles

    return [(name, title) for name, title in titles().items() if name.startswith(incomplete)]


def recipes(incomplete: str) -> list[tuple[str, str]]:
    """Return the recipes whose names begin with ``incomplete``, each with its title."""
    from genbench.catalog import recipes

    return [(name, recipe.title) for name, recipe in recipes().items() if name.startswith(incomplete)]


def rows(incomplete: str) -> list[tuple[str, str]]:
    """Return what ``--recipe`` of a run takes: recipes, and the anchors, that begin with ``incomplete``."""
    anchors = [("anchors", "Real images, noise, codecs and what else a table is read by")]
    return [*recipes(incomplete), *(entry for entry in anchors if entry[0].startswith(incomplete))]


def datasets(incomplete: str) -> list[str]:
    """Return the data sets that begin so, with the variants that are written already kept in front."""
    front, colon, last = incomplete.rpartition(":")
    if any(f"{part}:" in PATHS for part in front.split(":")):
        return []  # what follows is a path
    return [f"{front}{colon}{name}" for name in _starting((*DATASETS, *PREFIXES), last)]


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
