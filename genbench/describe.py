"""What ``genbench describe`` prints of a recipe: from the catalogue, its docstring and its signature."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genbench.catalog import Recipe, build, recipe
from genbench.suites import texts

if TYPE_CHECKING:
    from genbench.spec import DataSpec

SUITE = "quick"  # of the example: its data come inside a package
# Fields of images of 8×8 for every need of one: shape and levels.
SMALL_FIELDS: Mapping[str, tuple[tuple[int, ...], int]] = {
    "caption": ((8,), 16),
    "domain": ((), 4),
    "shadow": ((1, 8, 8), 2),
    "landmarks": ((4, 2), 8),
    "identity": ((), 4),
}
HAD = {"label", "labelled", "source", "pairs", "unpaired"}  # what some data set has, as a run names it
# Data that have a field, by its name; {} stands for the suite's own.
HAVING = {
    "caption": "captions:{}",
    "domain": "colours:{}",
    "source_domain": "colours:{}",
    "shadow": "shadow:{}",
    "landmarks": "profile:faces",
    "identity": "profile:faces",
}
ARXIV = re.compile(r"\d{4}\.\d{4,5}")
HEADING = re.compile(r"(Args|Arguments|Parameters):\s*$")
ENTRY = re.compile(r"(?P<names>\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?:\([^)]*\))?:(?:\s+|$)(?P<text>.*)")


@dataclass(frozen=True)
class Option:
    """An option of a recipe.

    Args:
        name: the option's name, as ``--set`` takes it.
        default: its value when nobody sets it; None too where it has none.
        meaning: the words of its docstring on it; empty where that says nothing.
        required: whether it has no default and must be set.
    """

    name: str
    default: Any
    meaning: str
    required: bool = False


@dataclass(frozen=True)
class Description:
    """Everything that there is to say of a recipe before it is trained.

    Args:
        name: the recipe's name, as users type it.
        title: a few words for people.
        family: the family that it belongs to.
        about: the first paragraph of its docstring.
        paper: the paper's arXiv number, or its venue.
        link: the paper's address, if it is on arXiv.
        year: the paper's year.
        likelihood: the kind that ``log_likelihood`` answers.
        given: what samples and likelihoods are conditioned on.
        needs: what the data must have for it beside that.
        options: every option, in the order of the signature.
        setting: what the model says of its own setting, where it says any.
        example: a line for the shell that trains and measures it; None where no data set here has what it needs.
    """

    name: str
    title: str
    family: str
    about: str
    paper: str
    link: str | None
    year: int
    likelihood: str
    given: tuple[str, ...]
    needs: tuple[str, ...]
    options: tuple[Option, ...]
    setting: str | None
    example: str | None


def describe(name: str) -> Description:
    """Describe the recipe called ``name``. Its module is imported, and a small model of it built.

    Raises:
        ValueError: for an unknown name, with the nearest ones, or a module that cannot be imported.
    """
    entry = recipe(name)
    function = entry.function()
    needs = tuple(getattr(entry, "needs", ()))
    known = meanings(_builder(function)) | meanings(function)
    options = tuple(_option(key, value, known.get(key, "")) for key, value in entry.options().items())
    return Description(
        name=entry.name,
        title=entry.title,
        family=entry.family,
        about=first_paragraph(function),
        paper=entry.paper,
        link=f"https://arxiv.org/abs/{entry.paper}" if ARXIV.fullmatch(entry.paper) else None,
        year=entry.year,
        likelihood=entry.likelihood,
        given=entry.given,
        needs=needs,
        options=options,
        setting=_setting(entry, needs),
        example=_example(entry, needs, options),
    )


def first_paragraph(thing: object) -> str:
    """Return the first paragraph of a docstring, as one line of plain text."""
    return _plain((inspect.getdoc(thing) or "").partition("\n\n")[0])


def meanings(thing: object) -> dict[str, str]:
    """Return what the ``Args`` of a docstring in Google's style say: name → meaning, as one line of plain text.

    A type in parentheses behind a name is left out; names with commas between share a meaning.
    """
    lines = iter((inspect.getdoc(thing) or "").splitlines())
    heading = next((line for line in lines if HEADING.match(line.strip())), None)
    if heading is None:
        return {}
    outer = _indent(heading)
    inner = None
    lines_of: dict[str, list[str]] = {}
    names: list[str] = []
    for line in lines:
        if not line.strip():
            continue
        if _indent(line) <= outer:
            break
        inner = _indent(line) if inner is None else inner
        entry = ENTRY.match(line.strip()) if _indent(line) <= inner else None
        if entry is not None:
            names = [name.strip().lstrip("*") for name in entry["names"].split(",")]
            lines_of |= {name: [entry["text"]] for name in names}
        else:
            for name in names:
                lines_of[name].append(line.strip())
    return {name: _plain(" ".join(text)) for name, text in lines_of.items()}


def default_text(option: Option) -> str:
    """Return an option's default as ``--set`` takes it, ``not set`` where it is None, or that it must be set."""
    return "must be set" if option.required else as_text(option.default)


def as_text(value: object) -> str:
    """Return an option's value as ``--set`` takes it; None, which it cannot take, is ``not set``."""
    return "not set" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _plain(text: str) -> str:
    """Return a text without the marks of reStructuredText, on one line."""
    return re.sub(r":\w+:`~?([^`]+)`", r"\1", " ".join(text.split())).replace("``", "")


def _option(name: str, default: object, meaning: str) -> Option:
    required = default is inspect.Parameter.empty
    return Option(name, None if required else default, meaning, required)


def _builder(function: Callable[..., Any]) -> object | None:
    """Return what a recipe's function is handed in place of data, as its first parameter says: it has options too."""
    inner = inspect.unwrap(function)
    if inner is function:
        return None
    try:
        first = next(iter(inspect.signature(inner, eval_str=True).parameters.values()), None)
    except Exception:  # an annotation that means nothing here, such as a name imported for type checkers alone
        return None
    return None if first is None or first.annotation is inspect.Parameter.empty else first.annotation


def _setting(entry: Recipe, needs: Sequence[str]) -> str | None:
    """Return what a model of the recipe with its defaults says of its setting, on 8×8 images that meet its needs."""
    try:
        model = build(entry.name, _small_spec(entry, needs))
        setting = getattr(model, "setting", None)
    except Exception:  # it takes no images as small as these, must be told an option, or is broken: told when it is run
        return None
    return setting if isinstance(setting, str) and setting else None


def _small_spec(entry: Recipe, needs: Sequence[str]) -> DataSpec:
    from genbench.spec import DataSpec, Field

    asked = {*entry.given, *needs}
    return DataSpec(
        (1, 8, 8),
        levels=17,
        classes=10,
        source=(1, 8, 8) if asked & {"source", "pairs", "unpaired"} else None,
        paired="unpaired" not in asked,
        labelled=100 if "labelled" in asked else None,
        fields={name: Field(*SMALL_FIELDS[name]) for name in SMALL_FIELDS if name in asked},
    )


def _example(entry: Recipe, needs: Sequence[str], options: Sequence[Option]) -> str | None:
    if {*entry.given, *needs} - HAD - HAVING.keys() or any(option.required for option in options):
        return None
    suite = tomllib.loads(texts()[SUITE])
    words = ["genbench", "run", SUITE, "--recipe", entry.name]
    if entry.name not in {row["recipe"] for row in suite["row"]}:
        words += _data({*entry.given, *needs}, suite["dataset"])
    numbers = (option for option in options if type(option.default) in (int, float))
    shown = next(numbers, None)
    if shown is not None:
        words += ["--set", f"{shown.name}={as_text(shown.default)}"]
    return shlex.join([*words, "--seconds", "60"])


def _data(asked: set[str], dataset: str) -> list[str]:
    """Return the options of a run whose data have what is asked of them."""
    words: list[str] = []
    if fields := [name for name in HAVING if name in asked]:
        words += ["--dataset", HAVING[fields[0]].format(dataset)]
    elif "unpaired" in asked:
        words += ["--dataset", f"unpaired:edges:{dataset}"]
    elif asked & {"source", "pairs"}:
        words += ["--dataset", f"edges:{dataset}"]
    if "labelled" in asked:
        words += ["--labelled", "100"]
    return words
