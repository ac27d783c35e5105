"""The columns of the table in their order, and those of them that a table of some rows shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from genbench.tables import texts, tooltips
from genbench.tables.figure import Column, Figure
from genbench.tables.figures import answers, collapse, cost, likelihood, quality, translations
from genbench.tables.texts import Row, conditions, count


def deviation(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what ± means in rows of several seeds."""
    if any(len(row["seeds"]) > 1 for row in rows):
        yield "± of several seeds is the sample standard deviation over seeds."


COLUMNS: tuple[Column, ...] = (
    Column("label", "Recipe", texts.label, right=False, usual=True, tooltip=tooltips.recipe),
    Column("family", "Family", lambda row: str(row["family"]), right=False, drop=6),
    Column("given", "Given", conditions, right=False, drop=1, usual=True),
    Column(
        "seeds_run",
        "Seeds",
        texts.seeds,
        drop=4,
        usual=True,
        occasion=lambda row: bool(row["seeds_run"] > 1),
        caption=deviation,
    ),
    *likelihood.COLUMNS,
    *quality.COLUMNS,
    *translations.COLUMNS,
    *answers.COLUMNS,
    *collapse.COLUMNS,
    Column(
        "labelled",
        "Labels",
        lambda row: count(row["labelled"]),
        drop=9,
        caption="Labels: training images that kept theirs, where not all did.",
    ),
    *cost.COLUMNS,
    Column(
        "setting",
        "Setting",
        lambda row: row["setting"] or "",
        right=False,
        drop=12,
        caption="Setting: what a recipe plays by beside its loss, learning rates included (a suite may set them).",
    ),
)
FIGURES = tuple(column for column in COLUMNS if isinstance(column, Figure))
RANKED = tuple(figure for figure in FIGURES if figure.group is not None)
DEFAULT = "default"
ALL = "all"
ANSWERS = ("psnr", "agreement")  # of which the usual columns have the first that applies


def columns(rows: Sequence[Row], wanted: Sequence[str] = (ALL,)) -> list[Column]:
    """Return the columns of one data set's table, by extractor.

    Args:
        rows: the rows of the data set.
        wanted: the columns to show, ``("default",)``, ``("all",)`` or keys; of the usual ones and of all, those
            that some row is a reason to show, and of those that are named, every one, behind the label.
    """
    every = _by_extractor(rows)
    if wanted == (DEFAULT,) or wanted == (ALL,):
        every = [column for column in every if any(column.wanted(row) for row in rows)]
        if wanted == (ALL,):
            return every
        usual = [column for column in every if column.usual]
        answer = next((key for key in ANSWERS if any(column.key == key for column in usual)), None)
        return [column for column in usual if column.key not in ANSWERS or column.key == answer]
    keys = ["label", *(key for key in wanted if key != "label")]
    return [column for key in keys for column in every if column.key == key]


def _by_extractor(rows: Sequence[Row]) -> list[Column]:
    """Return all columns with a heading; those of features once for each extractor of the rows."""
    own = [figure.key for figure in FIGURES if _per_extractor(figure)]
    extractors = list(dict.fromkeys(row["extractor"] for row in rows if any(row[key] is not None for key in own)))
    every: list[Column] = []
    for per_extractor, some in groupby((column for column in COLUMNS if column.header), _per_extractor):
        members = list(some)
        if not per_extractor:
            every += members
            continue
        figures = [figure for figure in members if isinstance(figure, Figure)]
        for name in extractors:
            every += [figure.under(name, several=len(extractors) > 1) for figure in figures]
    return every


def _per_extractor(column: Column) -> bool:
    return isinstance(column, Figure) and column.group is not None and column.group.per_extractor
