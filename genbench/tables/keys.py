"""The keys of a table's row and their types: what is said of a row, and what every figure brings with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genbench.records.record import Record
from genbench.tables.columns import FIGURES, RANKED
from genbench.tables.figure import at


@dataclass(frozen=True)
class Fact:
    """A fact that a row says beside its figures.

    Args:
        kind: the type of the fact's values; ``dict`` for a mapping.
        path: its place in the first of the row's records; None for what is made of all of them.
        many: whether the fact is a list of such values.
    """

    kind: type
    path: str | None = None
    many: bool = False

    def of(self, record: Record) -> Any:  # noqa: ANN401 - of the type that ``kind`` says
        """Return what the record says; None where it says nothing."""
        value = None if self.path is None else at(record, self.path)
        return list(value) if self.many and value is not None else value


FACTS: dict[str, Fact] = {
    "dataset": Fact(str, "dataset"),
    "recipe": Fact(str, "recipe"),
    "label": Fact(str),
    "family": Fact(str, "family"),
    "seeds": Fact(int, many=True),
    "status": Fact(str, "status"),
    "nll_kind": Fact(str, "test.kind"),
    "nll_given": Fact(str, "test.given", many=True),
    "nll_method": Fact(str, "test.method"),
    "nll_draws": Fact(int, "test.draws"),
    "extractor": Fact(str, "extractor"),
    "stamp": Fact(dict),
    "plain_label": Fact(str, "label"),
    "given": Fact(str, "given", many=True),
    "labelled": Fact(int, "labelled"),
    "setting": Fact(str, "setting"),
    "trained_on": Fact(str, "trained_on"),
    "options": Fact(dict, "options"),
    "seeds_run": Fact(int),
    "reason": Fact(str),
    "notes": Fact(str, many=True),
    "checked": Fact(bool),
    "copied": Fact(int),
    "refused": Fact(str, many=True),
    "alike": Fact(str),
    "pixels": Fact(str),
    "nll_observation": Fact(str, "test.observation"),
    "nll_effort": Fact(str, "test.effort"),
    "nll_work": Fact(int),
    "nll_images": Fact(int, "test.images"),
    "nll_moved": Fact(float),
    "nll_converged": Fact(bool),
    "nll_gap_images": Fact(int, "test.gap.images"),
    "parzen_samples": Fact(int, "parzen.samples"),
    "sample_images": Fact(int, "quality.images"),
    "reference_images": Fact(int, "quality.reference_images"),
}
SETTLED = (
    *("dataset", "recipe", "label", "family", "seeds", "status", "params", "images", "steps", "fit_seconds"),
    *("nll_bpd", "nll_bpd_std", "nll_train_bpd", "nll_kind", "nll_given", "nll_method", "nll_draws"),
    *("fid", "fid_std", "kid", "precision", "recall", "is", "extractor"),
    *("latency_ms", "images_per_second", "peak_memory_mb", "stamp"),
)
TYPES: dict[str, type] = {
    **{name: fact.kind for name, fact in FACTS.items()},
    **{figure.key: float for figure in FIGURES},
    **{f"{figure.stem}_se": float for figure in FIGURES if figure.error},
    **{f"{figure.key}_std": float for figure in FIGURES if figure.better},
    **{f"{figure.stem}_{end}": int for figure in RANKED for end in ("rank", "ranked")},
    **{f"{figure.stem}_best": bool for figure in RANKED},
}
KEYS = tuple(dict.fromkeys((*SETTLED, *TYPES)))
UNSORTABLE = {name for name, kind in TYPES.items() if kind is dict}
BETTER_HIGH = {figure.key for figure in FIGURES if figure.better == "high"}
