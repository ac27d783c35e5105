"""A suite: which recipes are trained on which data, for how long, and how they are measured. One TOML file each."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from genbench.catalog import nearest, recipe
from genbench.folders import written_whole
from genbench.precision import NAMES

FILE = "suite.toml"
ANCHORS = ("real (test)", "noise", "uniform", "png", "webp")


class Part(BaseModel):
    """Frozen, typed strictly, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Row(Part):
    """A row of the table: a recipe with options, on the suite's data set unless it names its own.

    ``labelled`` is how many training images keep their label, if not all do: for semi-supervised recipes.
    """

    recipe: str
    label: str = ""
    dataset: str = ""
    options: dict[str, Any] = {}
    labelled: int | None = Field(default=None, gt=0)


class BudgetPart(Part):
    """Exactly one of images, steps and seconds, as :class:`genbench.Budget` checks."""

    images: int | None = Field(None, gt=0)
    steps: int | None = Field(None, gt=0)
    seconds: float | None = Field(None, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one(self) -> BudgetPart:
        if len(self.given) != 1:
            raise ValueError("give exactly one of images, steps and seconds")
        return self

    @property
    def given(self) -> dict[str, Any]:
        """The one that is given."""
        return {name: value for name, value in vars(self).items() if value is not None}


class Suite(Part):
    """What a suite file says.

    Args:
        title: over the table.
        dataset: of every row that names none; ``size`` is the side that a folder's images are resized to.
        budget: the same for every row: ``images``, ``steps`` or ``seconds`` of training.
        batch_size: images a batch.
        seeds: each row is trained once with each.
        extractor: of features for FID and its kin.
        precision: of training: ``"float32"``, or ``"bfloat16"`` where the processor has it.
        samples: at most so many a cell; by default as many as the test split has images.
        likelihoods: at most so many test and training images for an exact likelihood or a bound; by default as many as
            the test split has.
        draws: importance weights an image for a bound.
        estimated: test images for an estimated likelihood; chains are dear.
        timing: cap on the seconds that a cell's speed is measured for.
        row: the rows.
    """

    title: str
    dataset: str
    size: int | None = Field(None, gt=0)
    budget: BudgetPart
    batch_size: int = Field(64, gt=0)
    seeds: tuple[int, ...] = Field((0,), min_length=1, strict=False)
    extractor: str = "efficientnet-lite0"
    precision: str = "float32"
    samples: int | None = Field(None, gt=0)
    likelihoods: int | None = Field(None, gt=0)
    draws: int = Field(1, gt=0)
    estimated: int = Field(10, gt=0)
    timing: float = Field(10.0, gt=0, allow_inf_nan=False)
    row: tuple[Row, ...] = Field(min_length=1, strict=False)

    @field_validator("precision")
    @classmethod
    def _precision(cls, value: str) -> str:
        if value not in NAMES:
            raise ValueError(f"give {' or '.join(NAMES)}")
        return value

    @model_validator(mode="after")
    def _rows(self) -> Suite:
        """Labels and data sets filled in; each row and seed has a folder of its own."""
        if not all(0 <= seed < 2**32 for seed in self.seeds):
            raise ValueError(f"seeds {list(self.seeds)}: give whole numbers from 0 to {2**32 - 1}")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)}: each counts once")
        rows = [
            r.model_copy(update={"label": r.label or r.recipe, "dataset": r.dataset or self.dataset}) for r in self.row
        ]
        taken = {slug(anchor): anchor for anchor in ANCHORS}
        seen: dict[tuple[str, str], Row] = {}
        for r in rows:
            if slug(r.label) in taken:
                raise ValueError(f"label {r.label!r} is an anchor's: give the row another")
            other = seen.setdefault((slug(r.dataset), slug(r.label)), r)
            if other is not r:
                raise ValueError(f"two rows are labelled {r.label!r} on {r.dataset}: give each a label of its own")
        object.__setattr__(self, "row", tuple(rows))
        return self

    @property
    def datasets(self) -> list[str]:
        """Each data set that a row is trained on, in order."""
        return list(dict.fromkeys(row.dataset for row in self.row))


@dataclass(frozen=True)
class Overrides:
    """What the command line changes in a suite: see ``genbench run --help``. None and empty change nothing."""

    dataset: str | None = None
    size: int | None = None
    recipes: Sequence[str] = ()
    options: Sequence[str] = ()
    seeds: Sequence[int] = ()
    budget: Mapping[str, float] | None = None
    precision: str | None = None
    labelled: int | None = None

    def command(self) -> Iterator[str]:
        """The arguments that say the same, but for recipes, seeds and budget, which a cell's stamp says for itself."""
        if self.dataset is not None:
            yield from ("--dataset", self.dataset)
        if self.size is not None:
            yield from ("--size", str(self.size))
        if self.precision is not None:
            yield from ("--precision", self.precision)
        if self.labelled is not None:
            yield from ("--labelled", str(self.labelled))
        for item in self.options:
            yield from ("--set", item)


def slug(name: str) -> str:
    """``name`` as a folder's name: lower case, letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[-100:] or "-"


def embedded() -> dict[str, str]:
    """The suites that come with genbench: name → text."""
    folder = resources.files("genbench") / "suites"
    return {item.name.removesuffix(".toml"): item.read_text() for item in folder.iterdir() if item.name[-5:] == ".toml"}


def read(name: str) -> Suite:
    """The suite of that name, or in the file of that path.

    Raises:
        ValueError: for a name or file that does not exist or does not hold a suite, with the nearest names.
    """
    suites = embedded()
    if name in suites:
        return parse(suites[name], name)
    if not name.endswith(".toml"):
        raise ValueError(f"unknown suite {name!r}: {nearest(name, suites)} (or give the path of a .toml file)")
    try:
        text = Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"suite {name}: cannot be read ({error})") from error
    return parse(text, name)


def parse(text: str, name: str) -> Suite:
    """The suite that a TOML text holds; ``ValueError`` names the first key that is wrong."""
    try:
        return Suite.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"suite {name}: not TOML ({error})") from error
    except ValidationError as error:
        raise ValueError(f"suite {name}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """The first complaint, in our words: an unknown key with the nearest known ones."""
    what = error.errors()[0]
    path = [str(part) for part in what["loc"]]
    where = ".".join(path)
    if what["type"] == "extra_forbidden":
        parts: dict[str, type[BaseModel]] = {"row": Row, "budget": BudgetPart}
        owner = parts.get(path[0], Suite) if len(path) > 1 else Suite
        return f"unknown key {where}: {nearest(path[-1], owner.model_fields)}"
    if what["type"] == "missing":
        return f"key {where} is missing"
    reason = what["msg"].removeprefix("Value error, ")
    return f"{where} = {what['input']!r}: {reason}" if path and path != ["row"] else reason


def overridden(suite: Suite, overrides: Overrides) -> Suite:
    """The suite as the command line changes it.

    ``recipes`` keeps the rows of that recipe or label; a recipe that the suite does not have becomes a row with its
    defaults. ``dataset`` replaces the suite's wherever a row uses it, behind ``edges:`` too. ``options`` are set in
    the rows whose recipes have them. ``labelled`` is set in all rows that are left.

    Raises:
        ValueError: for a recipe or an option that nothing has, with the nearest names.
    """
    rows = _chosen(suite, overrides.recipes)
    for item in overrides.options:
        rows = _set(rows, item)
    raw = suite.model_dump() | {"row": [row.model_dump() for row in rows]}
    if overrides.dataset is not None:
        for row in raw["row"]:
            prefix, found, _ = row["dataset"].rpartition(suite.dataset)
            whole = found and row["dataset"] == prefix + suite.dataset and (not prefix or prefix[-1] == ":")
            row["dataset"] = prefix + overrides.dataset if whole else row["dataset"]
        raw["dataset"] = overrides.dataset
    raw |= {"size": overrides.size} if overrides.size is not None else {}
    raw |= {"seeds": tuple(overrides.seeds)} if overrides.seeds else {}
    raw |= {"budget": dict(overrides.budget)} if overrides.budget else {}
    raw |= {"precision": overrides.precision} if overrides.precision is not None else {}
    for row in raw["row"]:
        row["labelled"] = overrides.labelled if overrides.labelled is not None else row["labelled"]
    try:
        return Suite.model_validate(raw)
    except ValidationError as error:
        raise ValueError(_first(error)) from error


def _chosen(suite: Suite, wanted: Sequence[str]) -> list[Row]:
    if not wanted:
        return list(suite.row)
    rows: list[Row] = []
    for name in dict.fromkeys(wanted):
        mine = [row for row in suite.row if name in (row.label, row.recipe)]
        rows += mine or [Row(recipe=recipe(name).name, label=name, dataset=suite.dataset)]
    return [row for i, row in enumerate(rows) if row not in rows[:i]]


def _set(rows: Sequence[Row], item: str) -> list[Row]:
    name, equals, text = item.partition("=")
    name = name.strip()
    if not equals or not name:
        raise ValueError(f"--set {item!r}: write option=value, for example width=32")
    value = literal(text)
    known = {row.recipe: recipe(row.recipe).options() for row in rows}
    if not any(name in options for options in known.values()):
        there = {option for options in known.values() for option in options}
        raise ValueError(f"--set {item!r}: none of {', '.join(known)} has option {name!r}: {nearest(name, there)}")
    return [
        row.model_copy(update={"options": row.options | {name: value}}) if name in known[row.recipe] else row
        for row in rows
    ]


def literal(text: str) -> Any:  # noqa: ANN401 - any TOML value
    """A TOML value: ``32``, ``1e-3``, ``true``, ``[1, 2]``, ``"text"``; a bare word is a text."""
    text = text.strip()
    try:
        (value,) = tomllib.loads(f"value = {text}").values()
        return value
    except ValueError:  # not TOML, or more than one line of it
        if re.fullmatch(r"[A-Za-z][\w.-]*", text) and text not in ("True", "False", "None"):
            return text
        raise ValueError(f'value {text!r}: give a TOML value such as 32, 1e-3, true, [1, 2] or "text"') from None


def write(suite: Suite, folder: Path) -> None:
    """Write the suite, resolved, as ``suite.toml`` into ``folder``."""
    with written_whole(folder / FILE) as part:
        part.write_text(to_toml(suite))


def to_toml(suite: Suite) -> str:
    """The suite as TOML that :func:`parse` reads back as the same suite."""
    raw = suite.model_dump(exclude_none=True)
    rows = raw.pop("row")
    lines = [f"{key} = {_value(value)}" for key, value in raw.items()]
    for row in rows:
        lines += ["", "[[row]]", *(f"{key} = {_value(value)}" for key, value in row.items() if value != {})]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:  # noqa: ANN401 - any TOML value
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else str(value)
