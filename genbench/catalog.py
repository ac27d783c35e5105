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
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from genbench.errors import nearest

if TYPE_CHECKING:
    from genbench.interface import GenerativeModel, Kind
    from genbench.spec import DataSpec


GROUP = "genbench.families"
OWN = "genbench"  # the package whose recipes its own tests check


@dataclass(frozen=True)
class Need:
    """Something that a recipe may need of its data.

    Args:
        what: the need in words, behind "the recipe needs".
        argument: the argument of :class:`DataSpec` that says whether data have it.
        met: a function that says whether data of a spec have it.
        remedy: a text that says what would do where they have not.
        first: what data must have before there is anything to ask, if that is more.
    """

    what: str
    argument: str
    met: Callable[[DataSpec], bool]
    remedy: str
    first: Need | None = None

    def lacking(self, spec: DataSpec) -> str:
        """Return why data of ``spec`` will not do, and what would; empty where they will."""
        if self.first is not None and (lacking := self.first.lacking(spec)):
            return lacking
        value = getattr(spec, self.argument)
        said = sorted(value) if isinstance(value, Mapping) else value
        return "" if self.met(spec) else f"{self.argument}={said}, and it needs {self.what}; {self.remedy}"


def _field(name: str, remedy: str) -> Need:
    return Need(f"a field {name!r}", "fields", lambda spec: name in spec.fields, remedy)


def _sourced(what: str, paired: bool, in_front: str, remedy: str) -> Need:
    """Return the need of sources that are paired or are not; data without any need ``in_front`` of their name."""
    sources = Need(
        what, "source", lambda spec: spec.source is not None, f"say {in_front} in front of the data set's name"
    )
    return Need(what, "paired", lambda spec: spec.paired == paired, remedy, sources)


NEEDS: Mapping[str, Need] = {
    "label": Need("labels", "classes", lambda spec: spec.classes > 0, "choose a data set that has some"),
    "labelled": Need(
        "a share of training images that carry their label",
        "labelled",
        lambda spec: spec.labelled is not None,
        "give the row labelled = 100, or the command --labelled 100",
    ),
    "source": Need(
        "a source to translate from",
        "source",
        lambda spec: spec.source is not None,
        "say edges: in front of the data set's name, or choose one with sources",
    ),
    "pairs": _sourced("pairs of source and image", True, "edges:", "leave unpaired: out of the data set's name"),
    "unpaired": _sourced(
        "sources and images that are not paired",
        False,
        "unpaired:edges:",
        "say unpaired: in front of the data set's name",
    ),
    "caption": _field("caption", "say captions: in front of the data set's name"),
    "domain": _field("domain", "say colours: or styles: in front of the name of a grey data set"),
    "shadow": _field("shadow", "say shadow: in front of the data set's name"),
    "landmarks": _field("landmarks", "choose one with landmarks, such as profile:faces"),
    "identity": _field("identity", "choose one of several pictures an identity, such as profile:faces"),
}


@dataclass(frozen=True)
class Recipe:
    """A recipe as the catalogue knows it without importing it.

    Args:
        name: the recipe's name, as users type it.
        target: the place ``"module:function"``; the function takes a :class:`DataSpec` and options, returns the model.
        family: the family: autoregressive, autoencoder, flow, gan, translation, or a third party's own word.
        title: a few words for people.
        paper: the paper's arXiv number, or its venue where there is none.
        year: the year of the paper.
        likelihood: the kind that ``log_likelihood`` answers.
        given: what samples and likelihoods are conditioned on: ``"label"``, ``"source"``, a field.
        needs: what training needs of the data, beside what is given, in words of :data:`NEEDS`.
        package: the installed package that declares the recipe.
    """

    name: str
    target: str
    family: str
    title: str
    paper: str
    year: int
    likelihood: Kind
    given: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    package: str = OWN

    @property
    def own(self) -> bool:
        """Whether the recipe is genbench's own, which its tests check; others are checked before they are run."""
        return self.package == OWN

    def function(self) -> Callable[..., GenerativeModel]:
        """Return the recipe itself, imported now.

        Raises:
            ValueError: where its module cannot be imported, or has no function of that name.
        """
        module, _, name = self.target.partition(":")
        try:
            function = getattr(import_module(module), name)
        except Exception as error:  # whatever a third party's module does
            why = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"recipe {self.name!r}: {self.target} cannot be imported ({why}); repair or remove that package"
            ) from error
        if not callable(function):
            raise ValueError(f"recipe {self.name!r}: {self.target} is no function; repair or remove that package")
        return function

    def options(self) -> dict[str, Any]:
        """Return every option with its default, ``inspect.Parameter.empty`` where it must be given."""
        parameters = list(inspect.signature(self.function()).parameters.values())[1:]
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        return {p.name: p.default for p in parameters if p.kind in named}


@cache
def recipes() -> Mapping[str, Recipe]:
    """Return all installed recipes by name.

    Raises:
        ValueError: where two packages declare one name, or an entry lacks a fact or has an unknown one.
    """
    known: dict[str, Recipe] = {}
    wanted = {item.name for item in fields(Recipe)} - {"name", "package"}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (_package(point) != OWN, point.value)):
        try:
            declared = point.load()
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"recipes of {point.value} cannot be listed ({why}); repair or remove that package"
            ) from error
        for name, facts in declared.items():
            odd = (set(facts) ^ wanted) - {"given", "needs"}
            if odd:
                raise ValueError(f"recipe {name!r} of {point.value}: missing or unknown facts {sorted(odd)}")
            for need in facts.get("needs", ()):
                if need not in NEEDS:
                    raise ValueError(f"recipe {name!r} of {point.value} needs {need!r}: {nearest(need, NEEDS)}")
            if name in known and known[name].target != facts["target"]:
                raise ValueError(f"recipe {name!r} is declared twice: {known[name].target} and {facts['target']}")
            known.setdefault(name, Recipe(name=name, **facts, package=_package(point)))
    return known


def _package(point: EntryPoint) -> str:
    """Return the name of the installed package that declares an entry point; empty where none does."""
    declared_by = getattr(point, "dist", None)
    return declared_by.name if declared_by is not None else ""


@cache
def own_names() -> frozenset[str]:
    """Return the names of genbench's own recipes, whatever other packages declare."""
    points = [point for point in entry_points(group=GROUP) if _package(point) == OWN]
    return frozenset(name for point in points for name in point.load())


def recipe(name: str) -> Recipe:
    """Return one recipe by name; ``ValueError`` with the nearest names where there is none."""
    if name not in recipes():
        raise ValueError(f"unknown recipe {name!r}: {nearest(name, recipes())}")
    return recipes()[name]


def build(name: str, spec: DataSpec, *, seed: int = 0, **options: Any) -> GenerativeModel:  # noqa: ANN401 - any option
    """Make a model, its weights drawn from ``seed`` alone.

    Raises:
        ValueError: for an unknown recipe or option, an option's bad value, data that the recipe cannot take, or
            networks that memory cannot hold.
    """
    from genbench.interface import Origin
    from genbench.reserving import BoundedBuilding
    from genbench.seed import derive, fork_rng

    entry = recipe(name)
    known = entry.options()
    for option in options:
        if option not in known:
            said = f"{nearest(option, known)} (genbench describe {name} lists all)"
            raise ValueError(f"recipe {name!r} has no option {option!r}: {said}")
    lacks = [given for given in entry.given if not spec.has(given)]
    if lacks:
        raise ValueError(f"recipe {name!r} needs a {lacks[0]} with each image, and this data set has none")
    for word in entry.needs:
        if lacking := NEEDS[word].lacking(spec):
            raise ValueError(f"recipe {name!r}: {lacking}")
    with fork_rng(derive(seed, "build")), BoundedBuilding():
        model = entry.function()(spec, **options)
    missing = [given for given in model.given if not spec.has(given)]
    if missing:
        raise ValueError(f"recipe {name!r} with {options} needs a {missing[0]} with each image, and there is none")
    model.origin = Origin(name, spec, seed, dict(options))
    return model
