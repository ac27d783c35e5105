"""One cell, in a process of its own: build, fit, sample once, measure those samples, record."""

from __future__ import annotations

import io
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from genbench import catalog, checkpoint, measure, picture, record, stamp
from genbench.course import Budget
from genbench.fit import FitConfig, FitReport, Progress
from genbench.history import FILE as HISTORY
from genbench.history import History
from genbench.interface import Batch, GenerativeModel
from genbench.metrics.memory import peak_memory
from genbench.seed import generator

if TYPE_CHECKING:
    from genbench.data import Dataset

MODEL = Path("checkpoint") / "model.safetensors"
TRAINING = Path("checkpoint") / "training.pt"
CHECKPOINT_SECONDS = 15.0  # what a killed run loses at most; a checkpoint of a quick cell takes tens of milliseconds

ANCHORS = "anchors"  # a data set's rows that nobody trains: one cell for all of them

# How samples are conditioned, for the stamp.
CONDITIONS: dict[tuple[str, ...], str] = {
    ("label",): "labels in the training split's proportions",
    ("source",): "sources of the test split, in order",
}

Tell = Callable[[str, float], None]


class Cell(BaseModel):
    """The configuration of a cell: two runs of equal cells are the same experiment.

    Args:
        dataset: as asked; ``size`` and ``data``, the hash of each split, say what that was.
        recipe: the catalogue's name, or :data:`ANCHORS`.
        label: of the row.
        options: of the recipe.
        seed: of weights, training, samples.
        budget: ``{"seconds": 60.0}``, or images, or steps.
        batch_size: images a batch.
        extractor: of features.
        precision: of the model's arithmetic.
        samples: how many are drawn.
        likelihoods: images of each split for an exact likelihood or a bound.
        draws: importance weights an image for a bound.
        estimated: test images for an estimate.
        timing: cap on the seconds that speed is measured for.
        device: ``"cpu"`` or ``"cuda"``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    size: int | None
    data: dict[str, str]
    recipe: str
    label: str
    options: dict[str, Any]
    seed: int
    budget: dict[str, Any]
    batch_size: int
    extractor: str
    precision: str
    samples: int
    likelihoods: int
    draws: int
    estimated: int
    timing: float
    device: str

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """What differs from another configuration, in words; empty where they are the same."""
        mine = self.model_dump(mode="json")
        return [
            f"{key} was {other.get(key)!r} and is now {mine.get(key)!r}"
            for key in dict.fromkeys((*mine, *other))
            if mine.get(key) != other.get(key)
        ]


class Setting(BaseModel):
    """What a cell must know and what does not change its figures: where data are, and what to print in the stamp."""

    model_config = ConfigDict(frozen=True)

    title: str
    root: Path | None
    revision: str | None
    command: tuple[str, ...]


def work(cell: Cell, setting: Setting, part: Path, tell: Tell) -> record.Record:
    """Do all of a cell in the folder ``part``, going on from its ``checkpoint/training.pt`` if there is one.

    ``tell(stage, fraction)`` hears how far it is. The record is returned, not written: a folder with a record is whole.

    Raises:
        Diverged: when training does.
        ValueError, OSError, RuntimeError: when anything fails.
    """
    from genbench import data

    if cell.device == "cuda":  # "float32" means float32, and the same numbers each time
        torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic = False, True
    clock = Clock(tell)
    with clock("load"):
        dataset = data.load(cell.dataset, root=setting.root, size=cell.size)
    unchanged(cell, dataset)
    with clock("build"):
        recipe = catalog.recipe(cell.recipe)
        model = catalog.build(cell.recipe, dataset.spec, seed=cell.seed, **cell.options).to(cell.device)
    report = train(cell, model, dataset, part, tell)
    clock.seconds |= {"fit": report.seconds, "finish": report.finish_seconds}
    with clock("write"):
        checkpoint.save(part / MODEL, model)
    with clock("sample"):
        given = asked(recipe.given, dataset, cell.samples)
        noise = generator(cell.seed, "sample")
        samples = model.sample(cell.samples, **conditions(given, recipe.given), generator=noise).cpu()
    memory = peak_memory(cell.device)
    with clock("write"):
        array = io.BytesIO()  # written by Python, whose errors say that a disk is full; numpy's do not
        np.save(array, samples.numpy())
        (part / "samples.npy").write_bytes(array.getvalue())
        picture.write(part / "samples.png", samples, dataset.spec.levels, shown(given, recipe.given, dataset))
    found, extractor = measured(cell, model, dataset, samples, given, recipe, clock)
    return record.Record(
        **heading(cell),
        status="done",
        params=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        fit=record.Fit(**asdict(report), batch_size=min(cell.batch_size, len(dataset.train))),
        **found,
        extractor=cell.extractor,
        peak_memory_mb=memory.resident_mb if memory.cuda_mb is None else memory.cuda_mb,
        seconds=clock.seconds,
        stamp=stamped(cell, setting, dataset, extractor, report) | {"peak_memory": asdict(memory)},
    )


def unchanged(cell: Cell, dataset: Dataset) -> None:
    """Refuses data that are no longer those the run was laid out for: a folder may change while it goes."""
    if dict(dataset.hashes) != cell.data:
        raise ValueError(f"{cell.dataset}: its files have changed since the run began; run again")


class Clock:
    """Counts the seconds of named stages, and tells each as it begins."""

    def __init__(self, tell: Tell) -> None:
        self.tell, self.seconds = tell, dict[str, float]()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count the block's seconds as ``stage``."""
        self.tell(stage, 0.0)
        began = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began


def train(cell: Cell, model: GenerativeModel, dataset: Dataset, part: Path, tell: Tell) -> FitReport:
    """Fit, from the last checkpoint if there is one, and write the history."""
    training = part / TRAINING
    config = FitConfig(Budget(**cell.budget), cell.batch_size, cell.seed, training, CHECKPOINT_SECONDS)

    def progressed(progress: Progress) -> None:
        tell("fit", progress.fraction)

    callbacks: list[Callable[[Progress], None]] = [History(part / HISTORY), progressed]
    tell("fit", 0.0)
    return model.fit(dataset.splits, config, callbacks=callbacks, resume=training if training.is_file() else None)


def asked(given: tuple[str, ...], dataset: Dataset, n: int) -> Batch:
    """What ``n`` samples are conditioned on: test sources and fields in order; labels as often as in training."""
    test, spec = dataset.test.rows(slice(n)), dataset.spec
    if not spec.classes or dataset.train.labels is None:
        return test
    ordered = "source" in given or any(name in spec.fields for name in given)
    return test if ordered else replace(test, labels=measure.proportional(dataset.train.labels, spec.classes, n))


def conditions(given: Batch, names: tuple[str, ...]) -> dict[str, Any]:
    """The arguments of ``sample`` that say so, for a model that is given ``names``."""
    fields = {name: given.fields[name] for name in names if name in given.fields}
    wanted = {"labels": given.labels if "label" in names else None}
    wanted |= {"sources": given.sources if "source" in names else None}
    return {name: value for name, value in wanted.items() if value is not None} | ({"fields": fields} if fields else {})


def shown(given: Batch, names: tuple[str, ...], dataset: Dataset) -> Batch:
    """What the picture shows beside the samples: only what they were conditioned on."""
    return Batch(
        dataset.test.images[: len(given)],
        given.labels if "label" in names else None,
        given.sources if "source" in names else None,
    )


def measured(
    cell: Cell,
    model: GenerativeModel,
    dataset: Dataset,
    samples: Tensor,
    given: Batch,
    recipe: catalog.Recipe,
    clock: Clock,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The measured parts of a record, all of the same samples, and what the stamp says of the extractor."""
    found: dict[str, Any] = {}
    with clock("nll"):
        if recipe.likelihood == "estimate":
            found["test"] = measure.estimated(model, dataset.test, limit=cell.estimated, seed=cell.seed)
        else:
            for name, split in (("test", dataset.test), ("train", dataset.train)):
                draws = cell.draws if recipe.likelihood == "bound" else 1
                found[name] = measure.likelihood(
                    model, split, draws=draws, limit=cell.likelihoods, seed=cell.seed, name=name
                )
    with clock("quality"):
        eyes = measure.extractor(cell.extractor, dataset, cell.device)
        features = eyes.features(samples, dataset.spec.levels)
        found["quality"] = measure.quality(eyes, dataset, features, cell.seed)
    paired = "source" in recipe.given and dataset.spec.paired
    if dataset.spec.classes > 1:
        with clock("agreement"):
            labels = given.labels if paired or "label" in recipe.given else None
            found["agreement"] = measure.agreement(dataset, samples, labels, cell.device)
    if paired:
        with clock("paired"):
            found["paired"] = measure.paired(samples, given.images, dataset.spec.levels)
    with clock("speed"):
        noise = generator(cell.seed, "speed")

        def draw(n: int) -> Tensor:
            rows = given.rows(torch.arange(n) % len(given))
            return model.sample(n, **conditions(rows, recipe.given), generator=noise).cpu()

        found["speed"] = measure.speed(draw, cell.device, cell.timing)
    return found, {"name": eyes.name, "hash": eyes.hash, "resize": eyes.resize}


def heading(cell: Cell) -> dict[str, Any]:
    """What a record says of its cell however it ended."""
    entry = catalog.recipe(cell.recipe)
    names = ("dataset", "recipe", "label", "seed", "options")
    return {name: getattr(cell, name) for name in names} | {"family": entry.family, "given": entry.given}


def stamped(
    cell: Cell,
    setting: Setting,
    dataset: Dataset | None = None,
    extractor: Mapping[str, Any] | None = None,
    report: FitReport | None = None,
) -> dict[str, Any]:
    """The protocol of a cell: everything that its figures rest on."""
    spent = {"steps": report.steps} if report is not None else cell.budget
    replay = [word for name, value in spent.items() for word in (f"--{name}", str(value))]
    label = ["--recipe", cell.label, "--seed", str(cell.seed)] if cell.recipe != ANCHORS else []
    found: dict[str, Any] = {
        "title": setting.title,
        "data": {"name": cell.dataset, "size": cell.size, "hashes": cell.data},
        "precision": cell.precision,
        "seed": cell.seed,
        "versions": stamp.versions(),
        "revision": setting.revision,
        **stamp.machine(cell.device),
        "command": shlex.join([*setting.command, *label, *replay, "--device", cell.device, "--out", "again"]),
        "configuration": cell.model_dump(mode="json"),
    }
    if cell.recipe != ANCHORS:
        found |= {"budget": cell.budget, "batch_size": cell.batch_size, "checkpoint": "last"}
        if catalog.recipe(cell.recipe).likelihood == "estimate":
            found["likelihood"] = {"train": "not measured: chains are dear", "images": cell.estimated}
    if report is not None:
        found["spent"] = asdict(report)
    if dataset is not None:
        splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
        spec = dataset.spec
        found["data"] |= {"shape": spec.shape, "levels": spec.levels, "classes": spec.classes}
        found["split"] = "fixed: trained on train, measured on test"
        found["counts"] = {name: len(split) for name, split in splits.items()}
    if extractor is not None:
        found["extractor"] = dict(extractor)
        found["reference"] = {"split": "train", "images": found.get("counts", {}).get("train")}
        found["samples"] = {"count": cell.samples, "type": "uint8"}
        if cell.recipe != ANCHORS and (conditions := CONDITIONS.get(catalog.recipe(cell.recipe).given)):
            found["drawn"] = conditions
    return found
