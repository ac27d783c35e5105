"""Finds recipes: every installed package may declare some under the entry-point group ``genbench.families``.

An entry point names a mapping from recipe name to its facts (see ``families/catalog.py``). Nothing is imported but that
mapping until a recipe is built, so that listing is quick and one broken family leaves the others alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from genbench.errors import nearest

if TYPE_CHECKING:
    from genbench.interface import GenerativeModel, Kind
    from genbench.spec import DataSpec


GROUP = "genbench.families"


@dataclass(frozen=True)
class Recipe:
    """What the catalogue knows of a recipe without importing it.

    Args:
        name: as users type it.
        target: ``"module:function"``; the function takes a :class:`DataSpec` and options, and returns the model.
        family: autoregressive, autoencoder, flow, gan, translation, or a third party's own word.
        title: a few words for people.
        paper: arXiv number, or venue where there is none.
        year: of the paper.
        likelihood: kind that ``log_likelihood`` answers.
        given: what samples and likelihoods are conditioned on: ``"label"``, ``"source"``, a field.
    """

    name: str
    target: str
    family: str
    title: str
    paper: str
    year: int
    likelihood: Kind
    given: tuple[str, ...] = ()

    def function(self) -> Callable[..., GenerativeModel]:
        """The recipe itself, imported now."""
        module, _, name = self.target.partition(":")
        return getattr(import_module(module), name)

    def options(self) -> dict[str, Any]:
        """Every option with its default."""
        parameters = list(inspect.signature(self.function()).parameters.values())[1:]
        return {p.name: p.default for p in parameters}


@cache
def recipes() -> Mapping[str, Recipe]:
    """All installed recipes by name.

    Raises:
        ValueError: where two packages declare one name, or an entry lacks a fact or has an unknown one.
    """
    found: dict[str, Recipe] = {}
    wanted = {item.name for item in fields(Recipe)} - {"name"}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.value):
        try:
            declared = point.load()
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"recipes of {point.value} cannot be listed ({why}); repair or remove that package"
            ) from error
        for name, facts in declared.items():
            odd = (set(facts) ^ wanted) - {"given"}
            if odd:
                raise ValueError(f"recipe {name!r} of {point.value}: missing or unknown facts {sorted(odd)}")
            if name in found and found[name].target != facts["target"]:
                raise ValueError(f"recipe {name!r} is declared twice: {found[name].target} and {facts['target']}")
            found[name] = Recipe(name=name, **facts)
    return found


def recipe(name: str) -> Recipe:
    """One recipe by name; ``ValueError`` with the nearest names where there is none."""
    if name not in recipes():
        raise ValueError(f"unknown recipe {name!r}: {nearest(name, recipes())}")
    return recipes()[name]


def build(name: str, spec: DataSpec, *, seed: int = 0, **options: Any) -> GenerativeModel:  # noqa: ANN401 - any option
    """Make a model, its weights drawn from ``seed`` alone.

    Raises:
        ValueError: for an unknown recipe or option, an option's bad value, or data that the recipe cannot take.
    """
    from genbench.interface import Origin
    from genbench.seed import derive, fork_rng

    entry = recipe(name)
    known = entry.options()
    for option in options:
        if option not in known:
            raise ValueError(f"recipe {name!r} has no option {option!r}: {nearest(option, known)}")
    lacks = [given for given in entry.given if not spec.has(given)]
    if lacks:
        raise ValueError(f"recipe {name!r} needs a {lacks[0]} with each image, and this data set has none")
    with fork_rng(derive(seed, "build")):
        model = entry.function()(spec, **options)
    missing = [given for given in model.given if not spec.has(given)]
    if missing:
        raise ValueError(f"recipe {name!r} with {options} needs a {missing[0]} with each image, and there is none")
    model.origin = Origin(name, spec, seed, dict(options))
    return model
