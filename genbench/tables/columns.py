"""The columns of the table in their order, and those of them that a table of some rows shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from genbench.tables import texts, tooltips
from genbench.tables.figure import Column, Figure
from genbench.tables.figures import answers, collapse, cost, likelihood, quality
from genbench.tables.texts import Row, count


def deviation(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what ± means in rows of several seeds."""
    if any(len(row["seeds"]) > 1 for row in rows):
        yield "± of several seeds is the sample standard deviation over seeds."


COLUMNS: tuple[Column, ...] = (
    Column("label", "Recipe", lambda row: str(row["label"]), right=False, tooltip=tooltips.recipe),
    Column("family", "Family", lambda row: str(row["family"]), right=False, drop=6),
    Column("given", "Given", lambda row: " and ".join(row["given"]), right=False, drop=9),
    Column(
        "seeds_run", "Seeds", texts.seeds, drop=4, occasion=lambda row: bool(row["seeds_run"] > 1), caption=deviation
    ),
    *likelihood.COLUMNS,
    *quality.COLUMNS,
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


def columns(rows: Sequence[Row]) -> list[Column]:
    """Return the columns of one data set's table: those that some row is a reason to show, by extractor."""
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
    return [column for column in every if any(column.wanted(row) for row in rows)]


def _per_extractor(column: Column) -> bool:
    return isinstance(column, Figure) and column.group is not None and column.group.per_extractor
