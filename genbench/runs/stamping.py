"""What a record says of its cell: which it is, and the protocol that its figures rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from genbench import catalog
from genbench.implicit import DIRECT
from genbench.records import stamp
from genbench.records.stamp import MEASURES
from genbench.runs.config import ANCHORS, EVALUATED, Cell, Setting

if TYPE_CHECKING:
    from genbench.data import Dataset
    from genbench.records.parts import Likelihood
    from genbench.training.config import FitReport


UNTRAINED = (ANCHORS, EVALUATED)


def drawn(given: tuple[str, ...]) -> str:
    """How samples are conditioned, in words; nothing where they are not."""
    if given == ("label",):
        return "labels in the training split's proportions"
    return f"{', '.join(given)} of the test split, in order" if given else ""


def heading(cell: Cell) -> dict[str, Any]:
    """What a record says of its cell however it ended."""
    entry = catalog.recipe(cell.recipe)
    names = ("dataset", "recipe", "label", "seed", "options", "labelled", "given")
    return {name: getattr(cell, name) for name in names} | {"family": entry.family}


def stamped(
    cell: Cell,
    setting: Setting,
    dataset: Dataset | None = None,
    extractor: Mapping[str, Any] | None = None,
    report: FitReport | None = None,
    temperature: float | None = None,
    test: Likelihood | None = None,
) -> dict[str, Any]:
    """The protocol of a cell: everything that its figures rest on, as far as the cell came.

    Args:
        cell: its configuration.
        setting: where it runs.
        dataset: once it is loaded: split, counts, levels.
        extractor: of features, with ``name``, ``hash`` and ``resize``; ``judge`` is the hash of the classifier that
            says which classes samples are of.
        report: what training took.
        temperature: of the model that samples were drawn from.
        test: how the likelihood was measured.
    """
    spent = {"steps": report.steps} if report is not None else cell.budget
    found: dict[str, Any] = {
        "title": setting.title,
        "data": {"name": cell.dataset, "size": cell.size, "hashes": cell.data},
        "precision": cell.precision,
        "seed": cell.seed,
        "measures": MEASURES,
        "versions": stamp.versions(),
        "revision": setting.revision,
        **stamp.machine(cell.device),
        "command": setting.command(cell, spent),
        "configuration": cell.configuration,
    }
    if cell.recipe not in UNTRAINED:
        found |= {"budget": cell.budget, "batch_size": cell.batch_size, "checkpoint": "last"}
        found["timing"] = {"dtype": "float32", "seconds": cell.timing}
        if cell.labelled is not None:
            found["labelled"] = f"{cell.labelled} training images, in their classes' proportions; the others give -1"
        if catalog.recipe(cell.recipe).likelihood == "estimate":
            found["likelihood"] = {
                "train": "not measured: chains are dear",
                "images": cell.estimated,
                "effort": cell.effort,
            }
    if test is not None:
        of_draws: dict[str, Any] = {"draws": test.draws} if test.kind != "exact" else {}
        if test.method == DIRECT:  # no chains: neither their effort nor their price says anything of it
            found["likelihood"] = {"train": "not measured"}
        elif test.kind == "estimate":
            of_draws["effort"] = test.effort
        how = {"method": test.method, "images": test.images} | of_draws
        found["likelihood"] = found.get("likelihood", {}) | how
    if setting.trace is not None:
        found["course"] = (
            f"again, {'by the clock as it was' if setting.trace.fractions else 'by the steps of each phase'}"
        )
    if report is not None:
        found["spent"] = report.spent
    if dataset is not None:
        splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
        spec = dataset.spec
        found["data"] |= {"shape": spec.shape, "levels": spec.levels, "classes": spec.classes}
        found["split"] = "fixed: trained on train, measured on test"
        found["counts"] = {name: len(split) for name, split in splits.items()}
    if extractor is not None:
        found["extractor"] = {name: value for name, value in extractor.items() if name != "judge"}
        if "judge" in extractor:
            found["judge"] = {"name": "classifier", "hash": extractor["judge"]}
        found["reference"] = {"split": "train", "images": found.get("counts", {}).get("train")}
        found["samples"] = {"count": cell.samples, "type": "uint8"}
        if temperature not in (None, 1):  # the likelihood is the model's, the samples are another distribution's
            found["samples"]["temperature"] = temperature
        if conditions := drawn(cell.given):
            found["drawn"] = conditions
    return found
