"""What a record says of its cell: which it is, and the protocol that its figures rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from genbench import catalog
from genbench.implicit import DIRECT
from genbench.records import stamp
from genbench.records.stamp import MEASURES
from genbench.runs.config import ANCHORS, EVALUATED, Cell, Setting
from genbench.training.parallel import backend

if TYPE_CHECKING:
    from genbench.data import Dataset
    from genbench.records.parts import Likelihood
    from genbench.records.record import Record
    from genbench.training.config import FitReport


UNTRAINED = (ANCHORS, EVALUATED)
BY_TESTS = "the tests of genbench"


def drawn(given: tuple[str, ...]) -> str:
    """Return how samples are conditioned, in words; nothing where they are not."""
    if given == ("label",):
        return "labels in the training split's proportions"
    return f"{', '.join(given)} of the test split, in order" if given else ""


def heading(cell: Cell) -> dict[str, Any]:
    """Return what a record says of its cell however it ended."""
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
    pixels: str | None = None,
    checked: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the protocol of a cell: everything that its figures rest on, as far as the cell came.

    Args:
        cell: the cell's configuration.
        setting: the setting in which it runs.
        dataset: the data set, once it is loaded: split, counts, levels.
        extractor: the feature extractor's ``name``, ``hash`` and ``resize``; ``judge`` is the hash of the classifier
            that says which classes samples are of.
        report: the cost of training.
        temperature: the temperature that the model's samples were drawn at.
        test: the likelihood of the test split, which says how it was measured.
        pixels: the way in which samples show pixels, ``"median"`` or ``"drawn"``; None for models with one way.
        checked: what :func:`genbench.contract.checks.verdict` says of a recipe that is not genbench's own.
    """
    spent = {"steps": report.steps} if report is not None else cell.budget
    protocol: dict[str, Any] = {
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
        if catalog.recipe(cell.recipe).own:
            protocol["checked"] = {"by": BY_TESTS}
        elif checked is not None:
            protocol["checked"] = dict(checked)
        protocol |= {"budget": cell.budget, "batch_size": cell.batch_size, "checkpoint": cell.checkpoint}
        protocol["timing"] = {"dtype": "float32", "seconds": cell.timing}
        if cell.labelled is not None:
            protocol["labelled"] = f"{cell.labelled} training images, in their classes' proportions; the others give -1"
        if setting.company is not None:
            protocol["company"] = asdict(setting.company)
        if cell.owed:
            protocol["owed"] = cell.owed
        if catalog.recipe(cell.recipe).likelihood == "estimate":
            protocol["likelihood"] = {
                "train": "not measured: chains are dear",
                "images": cell.estimated,
                "effort": cell.effort,
            }
        if dataset is not None and dataset.spec.translates(cell.given) and not dataset.aligned:
            protocol["likelihood"] = {"test": "not measured: its sources belong to no image"}
    if cell.devices > 1:
        protocol["parallel"] = f"{cell.devices} devices by {backend(cell.device)}"
    if cell.left_out:
        protocol["left_out"] = cell.left_out
    if test is not None:
        of_draws: dict[str, Any] = {"draws": test.draws} if test.kind != "exact" else {}
        if test.method == DIRECT:  # no chains: neither their effort nor their price says anything of it
            protocol["likelihood"] = {"train": "not measured"}
        elif test.kind == "estimate":
            of_draws["effort"] = test.effort
        how = {"method": test.method, "images": test.images} | of_draws
        protocol["likelihood"] = protocol.get("likelihood", {}) | how
    if setting.trace is not None:
        protocol["course"] = (
            f"again, {'at the fractions as they were' if setting.trace.fractions else 'by the steps of each phase'}"
        )
    if report is not None:
        protocol["spent"] = report.spent
    if dataset is not None:
        splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
        spec = dataset.spec
        protocol["data"] |= {"shape": spec.shape, "levels": spec.levels, "classes": spec.classes}
        protocol["data"] |= {"read": dataset.told} if dataset.told else {}
        protocol["split"] = "fixed: trained on train, measured on test"
        if dataset.class_names:
            protocol["class_names"] = list(dataset.class_names)
        if dataset.vocabulary is not None:
            protocol["captions"] = asdict(dataset.vocabulary)
        protocol["counts"] = {name: len(split) for name, split in splits.items()}
    if extractor is not None:
        protocol["extractor"] = {name: value for name, value in extractor.items() if name != "judge"}
        if "judge" in extractor:
            protocol["judge"] = {"name": "classifier", "hash": extractor["judge"]}
        protocol["reference"] = {"split": "train", "images": protocol.get("counts", {}).get("train")}
        protocol["samples"] = {"count": cell.samples, "type": "uint8"}
        if temperature not in (None, 1):  # the likelihood is the model's, the samples are another distribution's
            protocol["samples"]["temperature"] = temperature
        if pixels is not None:
            protocol["pixels"] = pixels
        if conditions := drawn(cell.given):
            protocol["drawn"] = conditions
    return protocol


def of_its_training(whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return by what rules and where the model of a stamp was trained, for a stamp of measures made elsewhere."""
    trained = {name: whole.get(name) for name in ("revision", "device", "threads", "machine")}
    trained["versions"] = {name: whole.get("versions", {}).get(name) for name in ("torch", "python")}
    return whole.get("trained", trained)


def legs_of(
    whole: Mapping[str, Any], report: FitReport, setting: Setting, earlier: Record | None
) -> list[Mapping[str, Any]]:
    """Return the budgets that a training had spent before it was given more, each with where, if that was elsewhere.

    Args:
        whole: the cell's stamp.
        report: the cost of all of its training.
        setting: the setting; a trace in it has the legs of the training that is gone through again.
        earlier: the record of what was trained on.
    """
    if setting.trace is not None:
        return list(setting.trace.legs)
    mine = list(report.legs)
    if earlier is None or not mine:
        return mine
    before = stamp.legs(earlier.stamp)
    there = {**of_its_training(earlier.stamp), "company": earlier.stamp.get("company")}
    here = {**of_its_training(whole), "company": whole.get("company")}
    return [*before, {**mine[-1], **({"trained": there} if there != here else {})}][-len(mine) :]


def timed_stamp(before: Record, cell: Cell, setting: Setting) -> dict[str, Any]:
    """Return the stamp of a record that owed its speed, which was measured here; where it was trained stays in it."""
    here = {"versions": stamp.versions(), "revision": setting.revision, **stamp.machine(cell.device)}
    spent = {"steps": before.fit.steps} if before.fit is not None else cell.budget
    whole = before.stamp | {"command": setting.command(cell, spent)}
    if any(whole.get(name) != value for name, value in here.items()):
        whole |= here | {"trained": of_its_training(before.stamp)}
    return {name: value for name, value in whole.items() if name != "owed"}
