"""A suite: which recipes are trained on which data, for how long, and how they are measured. One TOML file each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from genbench import errors
from genbench.files import check_regular, written_whole
from genbench.image_file import WHITE, ground
from genbench.likelihood.effort import EFFORTS
from genbench.records import layout
from genbench.records.layout import older_slug, slug
from genbench.runs.config import ANCHORS, GROUPS, checked_groups, checked_label
from genbench.runs.toml_values import document, plain_mapping
from genbench.suites import texts
from genbench.tables.columns import DEFAULT
from genbench.tables.view import checked
from genbench.training.precision import AUTO, NAMES

TRANSLATORS = ("copy", "linear", "nearest source", "affine")  # anchors of data with sources
SEEDS = 2**32  # there are so many
ANCHOR_NAMES = (
    *("real (test)", "noise", "pixel-gaussian", "pixel-histogram", "k-means"),
    *("uniform", "png", "webp", "jpeg-xl"),
    *TRANSLATORS,
)


class SuitePart(BaseModel):
    """A frozen part of a suite, typed strictly; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SuiteRow(SuitePart):
    """A row of the table: a recipe with options, on the suite's data set unless it names its own.

    ``labelled`` is how many training images keep their label, if not all do: for semi-supervised recipes. Every data
    set of a row has its anchors measured; the recipe ``anchors`` asks for those of one that no recipe is trained on.

    ``options`` hold what TOML has a word for. An option of None is left out, so that the recipe's default holds;
    NumPy's scalars and arrays become numbers, truths and texts, or lists of them.
    """

    recipe: str
    label: str = ""
    dataset: str = ""
    options: dict[str, Any] = {}
    labelled: int | None = Field(default=None, gt=0)

    @field_validator("options", mode="before")
    @classmethod
    def _options(cls, value: Any) -> Any:  # noqa: ANN401 - whatever a caller gives, which pydantic then checks
        return plain_mapping(value) if isinstance(value, Mapping) else value

    @field_validator("label", "dataset")
    @classmethod
    def _plain(cls, value: str) -> str:
        return checked_label(value)

    @property
    def name(self) -> str:
        """The name ``LABEL on DATASET``, which no other row of a suite has."""
        return f"{self.label} on {self.dataset}"


class BudgetPart(SuitePart):
    """A budget: exactly one of images, steps and seconds, as :class:`genbench.Budget` checks."""

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
        """The one of them that is given, by its name."""
        return {name: value for name, value in vars(self).items() if value is not None}


class Suite(SuitePart):
    """The content of a suite file.

    Args:
        title: the title over the table.
        dataset: the data set of every row that names none; ``size`` is the side that a folder's images are resized to,
            and ``alpha`` what is behind their transparent pixels, a colour or ``"refuse"``.
        budget: the budget of every row: ``images``, ``steps`` or ``seconds`` of training.
        batch_size: the number of images a batch.
        seeds: the seeds; each row is trained once with each.
        extractor: the name of the feature extractor for FID and its kin.
        precision: the arithmetic of training: ``"float32"``, ``"tf32"``, ``"bfloat16"`` or ``"auto"``.
        devices: the number of devices that share each batch of a cell's training: :mod:`genbench.training.parallel`.
        checkpoint: the weights that are measured: ``"last"``, or ``"best on validation"``: of ten over the budget those
            with the fewest bits/dim of validation images, or where these are estimates the least FID.
        watch: ``["fid"]`` for the FID of ten checkpoints over the budget, in histories and curves.
        samples: the most samples of a cell; by default as many as the test split has images.
        likelihoods: the most test and training images for an exact likelihood or a bound; by default as many as the
            test split has.
        draws: the number of importance weights an image for a bound.
        estimated: the number of test images for an estimated likelihood; chains are dear.
        effort: the effort of these chains: ``"fast"``, ``"standard"`` or ``"paper"``.
        timing: the most seconds that a cell's speed is measured for.
        columns: the columns of the table that the run writes: ``"default"``, ``"all"``, or keys with commas between.
        measures: the groups of figures that are measured, of :data:`genbench.runs.config.GROUPS`; all by default.
        anchors: whether the rows that nobody trains are measured too.
        row: the rows.
    """

    title: str
    dataset: str
    size: int | None = Field(None, gt=0)
    alpha: str = WHITE
    budget: BudgetPart
    batch_size: int = Field(64, gt=0)
    seeds: tuple[int, ...] = Field((0,), min_length=1, strict=False)
    extractor: str = "efficientnet-lite0"
    precision: str = "float32"
    devices: int = Field(1, gt=0)
    checkpoint: Literal["last", "best on validation"] = "last"
    watch: tuple[Literal["fid"], ...] = Field((), strict=False)
    samples: int | None = Field(None, gt=0)
    likelihoods: int | None = Field(None, gt=0)
    draws: int = Field(1, gt=0)
    estimated: int = Field(10, gt=0)
    effort: str = "fast"
    timing: float = Field(10.0, gt=0, allow_inf_nan=False)
    columns: str = DEFAULT
    measures: tuple[str, ...] = Field(GROUPS, strict=False)
    anchors: bool = True
    row: tuple[SuiteRow, ...] = Field(min_length=1, strict=False)

    @field_validator("title", "dataset")
    @classmethod
    def _plain(cls, value: str) -> str:
        return checked_label(value)

    @field_validator("alpha")
    @classmethod
    def _alpha(cls, value: str) -> str:
        try:
            ground(value)
        except ValueError as error:
            raise ValueError(str(error).partition(": ")[2]) from error
        return value

    @field_validator("precision")
    @classmethod
    def _precision(cls, value: str) -> str:
        if value not in (*NAMES, AUTO):
            raise ValueError(f"give {', '.join(NAMES)} or {AUTO}")
        return value

    @field_validator("effort")
    @classmethod
    def _effort(cls, value: str) -> str:
        if value not in EFFORTS:
            raise ValueError(errors.nearest(value, EFFORTS))
        return value

    @field_validator("columns")
    @classmethod
    def _columns(cls, value: str) -> str:
        checked(value)
        return value

    @field_validator("measures")
    @classmethod
    def _measures(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return checked_groups(value)

    @model_validator(mode="after")
    def _rows(self) -> Suite:
        """Fill in labels and data sets; each row and seed has a folder of its own."""
        if not all(0 <= seed < SEEDS for seed in self.seeds):
            raise ValueError(f"seeds {list(self.seeds)}: give whole numbers from 0 to {SEEDS - 1}")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)}: each counts once")
        rows = [
            r.model_copy(update={"label": r.label or r.recipe, "dataset": r.dataset or self.dataset}) for r in self.row
        ]
        taken = {slug(anchor) for anchor in (*ANCHOR_NAMES, ANCHORS)}
        datasets: dict[str, str] = {}
        seen: dict[tuple[str, str], SuiteRow] = {}
        for r in rows:
            if r.recipe == ANCHORS and r != SuiteRow(recipe=ANCHORS, label=ANCHORS, dataset=r.dataset):
                raise ValueError(f"row {r.label!r}: nobody trains anchors; give them a data set and nothing else")
            if r.recipe != ANCHORS and slug(r.label) in taken:
                raise ValueError(f"label {r.label!r} is an anchor's: give the row another")
            if (known := datasets.setdefault(slug(r.dataset), r.dataset)) != r.dataset:
                raise ValueError(f"data sets {known!r} and {r.dataset!r} differ in no letter or digit: rename one")
            other = seen.setdefault((r.dataset, slug(r.label)), r)
            if other.label != r.label:
                raise ValueError(f"labels {other.label!r} and {r.label!r} differ in no letter or digit: rename one")
            if other is not r:
                raise ValueError(f"two rows are labelled {r.label!r} on {r.dataset}: give each a label of its own")
        object.__setattr__(self, "row", tuple(rows))
        return self

    @property
    def datasets(self) -> list[str]:
        """Each data set that a row is of, in order."""
        return list(dict.fromkeys(row.dataset for row in self.row))

    @property
    def trained(self) -> list[SuiteRow]:
        """The rows without those that ask for anchors."""
        return [row for row in self.row if row.recipe != ANCHORS]


def read(name: str) -> Suite:
    """Return the suite of that name, or in the file of that path.

    Raises:
        ValueError: for a name or file that does not exist or does not hold a suite, with the nearest names.
    """
    suites = texts()
    if name in suites:
        return parse(suites[name], name)
    if not name.endswith(".toml"):
        raise ValueError(f"unknown suite {name!r}: {errors.nearest(name, suites)} (or give the path of a .toml file)")
    try:
        check_regular(Path(name))
        text = Path(name).read_text(encoding="utf-8-sig")  # some editors begin a file with a byte-order mark
    except (OSError, ValueError) as error:
        raise ValueError(f"suite {name}: cannot be read ({error})") from error
    return parse(text, name)


def results_folder(name: str, suite: Suite) -> Path:
    """Return the folder of a suite's run where none is asked for: by an older name if a run of it is there."""
    stem = Path(name).stem
    here, before = (Path("results") / called(stem) for called in (slug, older_slug))
    if before != here and not here.exists():
        with suppress(ValueError):
            if read(str(before / layout.SUITE)).title == suite.title:
                return before
    return here


def parse(text: str, name: str) -> Suite:
    """Return the suite that a TOML text holds; ``ValueError`` names the first key that is wrong."""
    try:
        return Suite.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise ValueError(f"suite {name}: {complaint(error)}") from error
    except RecursionError as error:
        raise ValueError(f"suite {name}: lists or tables are nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"suite {name}: not TOML ({error})") from error


def validated(raw: Mapping[str, Any] | Suite) -> Suite:
    """Return the suite that a mapping says; ``ValueError`` names the first key that is wrong."""
    if isinstance(raw, Suite):
        return raw
    try:
        return Suite.model_validate(dict(raw))
    except ValidationError as error:
        raise ValueError(f"suite: {complaint(error)}") from error


def complaint(error: ValidationError) -> str:
    """Return the first complaint, in plain words: an unknown key with the nearest known ones."""
    what = error.errors()[0]
    path = [str(part) for part in what["loc"]]
    where = ".".join(path)
    if what["type"] == "extra_forbidden":
        parts: dict[str, type[BaseModel]] = {"row": SuiteRow, "budget": BudgetPart}
        owner = parts.get(path[0], Suite) if len(path) > 1 else Suite
        return f"unknown key {where}: {errors.nearest(path[-1], owner.model_fields)}"
    if path[:1] == ["row"] and what["type"] in ("tuple_type", "model_type"):
        return f"{where} = {errors.shown(what['input'])}: write each row as a table of its own, [[row]] with a recipe"
    if path == ["budget"] and what["type"] == "model_type":
        return f"budget = {errors.shown(what['input'])}: give a table, such as {{ seconds = 60 }}"
    return errors.complaint(error)


def write(suite: Suite, folder: Path) -> None:
    """Write the suite, resolved, as ``suite.toml`` into ``folder``."""
    with written_whole(folder / layout.SUITE) as part:
        part.write_text(to_toml(suite), encoding="utf-8")


def to_toml(suite: Suite) -> str:
    """Return the suite as TOML that :func:`parse` reads back as the same suite."""
    raw = suite.model_dump(exclude_none=True)
    rows = raw.pop("row")
    return document(raw, "row", [{key: value for key, value in row.items() if value != {}} for row in rows])
