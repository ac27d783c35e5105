"""What the command line changes in a suite, and which of its rows it asks for."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from genbench.catalog import recipe
from genbench.errors import nearest, shown
from genbench.runs.config import ANCHORS, GROUPS, checked_groups
from genbench.runs.suite import Suite, SuiteRow, complaint

# As ``genbench.data`` has them, which imports torch.
PAIRED = ("pairs", "edges", "negative", "lowres", "blur", "shadow", "profile", "cartoon")
UNPAIRED = ("colours", "styles", "domains")  # their sources and images are no pairs
MAKE_SOURCES = (*PAIRED, *UNPAIRED)
MOST_NAMED = 4  # rows, or data sets, in a title
PATHS = ("folder", "pairs", "npz")


@dataclass(frozen=True)
class Overrides:
    """The command line's changes to a suite: see ``genbench run --help``. None and empty change nothing."""

    dataset: str | None = None
    size: int | None = None
    recipes: Sequence[str] = ()
    options: Sequence[str] = ()
    seeds: Sequence[int] = ()
    budget: Mapping[str, float] | None = None
    precision: str | None = None
    devices: int | None = None
    labelled: int | None = None
    effort: str | None = None
    measures: Sequence[str] | None = None
    anchors: bool = True
    alpha: str | None = None
    checkpoint: str | None = None
    watch: Sequence[str] = ()


def overridden(suite: Suite, overrides: Overrides) -> Suite:
    """Return the suite as the command line changes it.

    ``dataset`` replaces the suite's (:func:`moved`), ``recipes`` keeps the rows that they pick (:func:`picked`).
    ``options`` are set in the rows whose recipes have them, ``labelled`` in all that are trained.

    Raises:
        ValueError: for a recipe or an option that nothing has, with the nearest names.
    """
    whole = suite
    suite = moved(suite, overrides.dataset)
    rows = picked(suite, overrides.recipes)
    for item in overrides.options:
        rows = _set(rows, item)
    if overrides.labelled is not None:
        told = {"labelled": overrides.labelled}
        rows = [row if row.recipe == ANCHORS else row.model_copy(update=told) for row in rows]
    raw = suite.model_dump() | {"row": [row.model_dump() for row in rows]}
    for name in ("size", "alpha", "effort", "precision", "devices", "checkpoint"):
        raw |= {name: said} if (said := getattr(overrides, name)) is not None else {}
    raw |= {"seeds": tuple(overrides.seeds)} if overrides.seeds else {}
    raw |= {"watch": tuple(overrides.watch)} if overrides.watch else {}
    raw |= {"budget": dict(overrides.budget)} if overrides.budget else {}
    raw |= {"measures": tuple(overrides.measures)} if overrides.measures is not None else {}
    raw |= {} if overrides.anchors else {"anchors": False}
    raw |= {"title": _title(whole, suite.dataset, rows, bool(overrides.budget))}
    try:
        return Suite.model_validate(raw)
    except ValidationError as error:
        raise ValueError(complaint(error)) from error


def _title(suite: Suite, dataset: str, rows: Sequence[SuiteRow], budget: bool) -> str:
    """Return a title that is true of these rows: the suite's own, or where rows or data are others their names.

    A budget that the suite's title ends with is left out where there is another.
    """
    if suite.dataset != dataset or [row.name for row in rows] != [row.name for row in suite.row]:
        labels = list(dict.fromkeys(row.label for row in rows))
        datasets = list(dict.fromkeys(row.dataset for row in rows))
        who = ", ".join(labels) if len(labels) <= MOST_NAMED else f"{len(labels)} rows"
        where = " and ".join(datasets) if len(datasets) <= MOST_NAMED else f"{len(datasets)} data sets"
        return f"{who} on {where}"
    return re.sub(r", [^,]*\bminutes?\b[^,]*$", "", suite.title) if budget else suite.title


def measured_groups(names: str | None, left_out: Sequence[str], own: Sequence[str] = GROUPS) -> tuple[str, ...] | None:
    """Return the groups that a text such as ``fid,nll`` names, else the suite's ``own``, without ``left_out``.

    None where nobody asks for any change.

    Raises:
        ValueError: for a name that is no group's.
    """
    if names is None and not left_out:
        return None
    wanted = own if names is None else [name.strip() for name in names.split(",") if name.strip()]
    return tuple(name for name in checked_groups(wanted) if name not in left_out)


def moved(suite: Suite, dataset: str | None) -> Suite:
    """Return the suite on another data set, as are its rows on a variant of its own, ``edges:`` and the like.

    A row's prefix that makes sources is left out where a prefix of ``dataset`` makes some, as ``unpaired:`` is where
    these are no pairs, and so is one that ``dataset`` has already, whatever its number.

    Two rows may then be the same: that is refused once it is known which of them are wanted.
    """
    if dataset is None:
        return suite

    def there(row: SuiteRow) -> SuiteRow:
        prefix, _, _ = row.dataset.rpartition(suite.dataset)
        whole = row.dataset == prefix + suite.dataset and (not prefix or prefix[-1] == ":")
        return row.model_copy(update={"dataset": _varied(prefix, dataset)}) if whole else row

    return suite.model_copy(update={"dataset": dataset, "row": tuple(map(there, suite.row))})


def _varied(prefix: str, dataset: str) -> str:
    """Return ``dataset`` behind those prefixes of a row that say something new of it."""
    asked: list[str] = []
    for word in dataset.split(":")[:-1]:
        asked.append(word)
        if word in PATHS:
            break  # what follows is a path
    made = {_stem(word) for word in asked}
    known = made | ({*MAKE_SOURCES} if made & {*MAKE_SOURCES} else set())
    known |= {"unpaired"} if made & {*UNPAIRED} else set()
    kept = [word for word in prefix.split(":") if word and _stem(word) not in known]
    return ":".join([*kept, dataset])


def _stem(word: str) -> str:
    """Return a prefix without the number that it ends in."""
    return word.rstrip("0123456789")


def picked(suite: Suite, names: Sequence[str]) -> list[SuiteRow]:
    """Return the rows that ``names`` pick, each once; without names all.

    A name picks the row ``LABEL on DATASET``; if there is none, the rows of that label; else those of that recipe. The
    anchors of each data set answer to ``anchors``. A recipe that the suite does not have becomes a row with its
    defaults on the suite's data set.

    Raises:
        ValueError: for a name that is no recipe's either, with the nearest.
    """
    if not names:
        return list(suite.row)
    rows = [row for name in names for row in _named(suite, name)]
    return [row for i, row in enumerate(rows) if row not in rows[:i]]


def _named(suite: Suite, name: str) -> list[SuiteRow]:
    datasets = dict.fromkeys([*suite.datasets, suite.dataset])
    rows = [*suite.row, *(SuiteRow(recipe=ANCHORS, label=ANCHORS, dataset=dataset) for dataset in datasets)]
    for answers in ("name", "label", "recipe"):
        if mine := [row for row in rows if getattr(row, answers) == name]:
            return mine
    return [SuiteRow(recipe=recipe(name).name, label=name, dataset=suite.dataset)]


def option_name(item: str) -> str:
    """Return the name of the option that ``option=value`` sets.

    Raises:
        ValueError: for a text of another form.
    """
    name, equals, _ = item.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"--set {item!r}: write option=value, for example width=32")
    return name.strip()


def _set(rows: Sequence[SuiteRow], item: str) -> list[SuiteRow]:
    name = option_name(item)
    value = literal(item.partition("=")[2])
    known = {row.recipe: recipe(row.recipe).options() if row.recipe != ANCHORS else {} for row in rows}
    if not any(name in options for options in known.values()):
        there = {option for options in known.values() for option in options}
        listed = "genbench describe RECIPE lists all of one"
        said = f"none of {', '.join(known)} has option {name!r}: {nearest(name, there)} ({listed})"
        raise ValueError(f"--set {item!r}: {said}")
    return [
        row.model_copy(update={"options": row.options | {name: value}}) if name in known[row.recipe] else row
        for row in rows
    ]


def literal(text: str) -> Any:  # noqa: ANN401 - any TOML value
    """Return a TOML value: ``32``, ``1e-3``, ``true``, ``[1, 2]``, ``"text"``; a bare word is a text.

    Raises:
        ValueError: for anything else, dates, nan and infinity among it.
    """
    text = text.strip()
    try:
        (value,) = tomllib.loads(f"value = {text}").values()
    except (ValueError, RecursionError):  # not TOML, or more than one line of it
        value = text if re.fullmatch(r"[A-Za-z][\w.-]*", text) and text not in ("True", "False", "None") else None
    odd = isinstance(value, float) and not math.isfinite(value)
    if odd or not isinstance(value, str | bool | int | float | list):
        raise ValueError(f'value {shown(text)}: give a TOML value such as 32, 1e-3, true, [1, 2] or "text"')
    return value
