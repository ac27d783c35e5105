"""What a run will do, checked before any of it is done: which cells, from what, into which folders, for how long."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genbench.data.dataset import digest
from genbench.files import linked, restore, unfinished_of
from genbench.records import layout
from genbench.records.record import Record
from genbench.records.stamp import lacks, older
from genbench.runs import anchors
from genbench.runs.config import ANCHORS, GROUPS, LAST, SPEED, Cell
from genbench.runs.likelihoods import unsettled
from genbench.runs.preflight import built_models, checked_data, sample_count
from genbench.runs.suite import Suite, SuiteRow
from genbench.runs.time_estimate import anchor_seconds, fit_seconds, kind_of, measure_seconds, memory_bytes
from genbench.runs.unfinished import check_resumable, check_training, configuration_of, has_training, trains_on
from genbench.spec import Batch
from genbench.training.precision import resolved

if TYPE_CHECKING:
    from genbench.data import Dataset


How = Literal["run", "resume", "on", "measure", "time", "skip", "keep"]


@dataclass(frozen=True)
class Job:
    """A cell and where it goes.

    Args:
        cell: the cell's configuration.
        folders: the folders by name: one for a recipe's cell, one for each anchor of a data set.
        how: whether it is run, resumed, trained on from where a smaller budget ended, measured again by its weights,
            timed by them, skipped since it is done, or kept as older measures had it since its weights are gone.
        fit_seconds: the seconds expected of training.
        measure_seconds: the seconds expected of all the rest.
        memory: the bytes of memory that it may take, a guess for who places it beside others.
        kind: what jobs have in common that take about as long to measure: how their likelihood comes about, or anchors.
    """

    cell: Cell
    folders: dict[str, Path]
    how: How
    fit_seconds: float = 0.0
    measure_seconds: float = 0.0
    memory: int = 0
    kind: str = ANCHORS

    @property
    def unfinished(self) -> Path:
        """The folder in which a recipe's cell is made."""
        return unfinished_of(self.folders[self.cell.label])

    @property
    def trains(self) -> bool:
        """Whether a model is to be trained, or trained on."""
        return self.how in ("run", "resume", "on") and self.cell.recipe != ANCHORS

    @property
    def todo(self) -> bool:
        """Whether anything of the job is to be done."""
        return self.how not in ("skip", "keep")

    @property
    def title(self) -> str:
        """The job's name in progress and messages."""
        seed = "" if self.cell.recipe == ANCHORS else f", seed {self.cell.seed}"
        return f"{self.cell.label} on {self.cell.dataset}{seed}"


@dataclass(frozen=True)
class Plan:
    """Jobs in order; ``seconds`` is an estimate of what is left to do."""

    jobs: list[Job] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The seconds that all jobs that are not skipped are expected to take."""
        return sum(job.fit_seconds + job.measure_seconds for job in self.jobs if job.todo)


def plan(
    suite: Suite,
    folder: Path,
    load: Callable[[str], Dataset],
    *,
    device: str,
    fresh: bool,
    measure_again: bool = False,
) -> Plan:
    """Check all that a run needs, and lay it out. The process must hold the folder by :func:`genbench.files.locked`.

    Args:
        suite: the suite with the command line's changes.
        folder: the folder of the run.
        load: a function that gives a data set by name.
        device: the device, ``"cpu"`` or ``"cuda"``.
        fresh: whether to do again what is done.
        measure_again: whether to measure again, by weights, the cells that are done and older measures measured, or
            whose estimate moved and may have more work.

    Raises:
        ValueError: in one line, for a recipe, an option, a data set, an extractor, a count or a device that will not
            do, or a folder that holds another configuration's cells.
    """
    if fresh and measure_again:
        raise ValueError("--fresh trains again what --measure-again would not: give one of them")
    if measure_again and suite.measures != GROUPS:
        asked = ",".join(suite.measures)
        raise ValueError(f"measures = {asked}: --measure-again measures all; say --measures {','.join(GROUPS)} with it")
    datasets = checked_data(suite, load, device)
    models = built_models(suite, datasets, device)
    jobs = []
    twins: dict[Hashable, str] = {}
    for name, dataset in datasets.items() if suite.anchors else ():
        twin = twins.setdefault(_images(dataset), name)
        cell = _cell(suite, SuiteRow(recipe=ANCHORS, label=ANCHORS, dataset=name), dataset, suite.seeds[0], device, ())
        untrained = {"budget": {}, "batch_size": 0, "estimated": 0, "draws": 0, "timing": 0.0, "precision": "float32"}
        untrained |= {"effort": "fast", "devices": 1, "checkpoint": LAST, "watch": ()}
        cell = cell.model_copy(update=untrained | {"twin": twin if twin != name else None})
        folders = {
            anchor: layout.cell_folder(folder, name, anchor, cell.seed) for anchor in anchors.names(dataset.spec)
        }
        job = _measured(_job(cell, folders, fresh, measure_again), anchor_seconds(cell, len(dataset.train)))
        jobs.append(replace(job, memory=memory_bytes(dataset)))
    for row, model in zip(suite.trained, models, strict=True):
        dataset, mine = datasets[row.dataset], []
        for seed in suite.seeds:
            cell = _cell(suite, row, dataset, seed, device, model.given)
            folders = {row.label: layout.cell_folder(folder, row.dataset, row.label, seed)}
            job = _job(cell, folders, fresh, measure_again)
            mine.append(replace(job, memory=memory_bytes(dataset, model), kind=kind_of(cell, model, dataset)))
        wanted = any(job.todo and job.how != "time" for job in mine)
        seconds = measure_seconds(mine[0].cell, model, dataset) if wanted else 0.0
        jobs += [_measured(job, seconds) for job in mine]
    if suite.budget.seconds is not None:
        return Plan([_expected(job, suite.budget.seconds) for job in jobs])
    each: dict[tuple[str, str], float] = {}
    for row, model in zip(suite.trained, models, strict=True):
        here = (row.dataset, row.label)
        todo = [job.cell for job in jobs if (job.cell.dataset, job.cell.label) == here and job.trains]
        if todo:
            each[here] = fit_seconds(model, datasets[row.dataset], todo[0])
    return Plan([_expected(job, each.get((job.cell.dataset, job.cell.label), 0.0)) for job in jobs])


def _images(dataset: Dataset) -> Hashable:
    """Return the facts that the anchors of a data set rest on: its images and labels, and not what else it has."""
    parts = (dataset.train, dataset.test)
    return dataset.spec.levels, dataset.spec.classes, *(digest(Batch(part.images, part.labels)) for part in parts)


def _cell(suite: Suite, row: SuiteRow, dataset: Dataset, seed: int, device: str, given: tuple[str, ...]) -> Cell:
    return Cell(
        dataset=row.dataset,
        size=suite.size,
        alpha=suite.alpha,
        data=dict(dataset.hashes),
        recipe=row.recipe,
        label=row.label,
        options=row.options,
        labelled=row.labelled,
        given=given,
        seed=seed,
        budget=suite.budget.given,
        batch_size=suite.batch_size,
        extractor=suite.extractor,
        precision=resolved(suite.precision, device),
        samples=sample_count(suite, dataset),
        likelihoods=min(suite.likelihoods or len(dataset.test), len(dataset.test)),
        draws=suite.draws,
        estimated=min(suite.estimated, len(dataset.test)),
        effort=suite.effort,
        timing=suite.timing,
        measures=suite.measures,
        device=device,
        devices=suite.devices,
        checkpoint=suite.checkpoint,
        watch=suite.watch,
    )


def _measured(job: Job, seconds: float) -> Job:
    """Return a job with how long measuring takes; one that is timed is not measured otherwise."""
    return job if job.how == "time" else replace(job, measure_seconds=seconds)


def _job(cell: Cell, folders: dict[str, Path], fresh: bool, measure_again: bool) -> Job:
    """Lay out a cell: finished, cut off or to do. Another configuration's is refused where it is not done afresh."""
    finished = []
    how: How = "run"
    for folder in folders.values():
        restore(folder)
        done = None if fresh else _configuration(folder)
        if done is not None:
            if done[1] and trains_on(cell, done[0], folder):
                how = "on"
                check_training(folder)
                continue
            if done[1]:  # a failed cell may be tried again with what failed put right
                _same(cell, done[0], folder)
            finished.append(done[1])
    if not fresh and len(finished) == len(folders) and all(finished):
        whole = Job(cell, folders, _finished(cell, folders) if measure_again else "skip")
        return replace(whole, how="time", measure_seconds=cell.timing) if whole.how == "skip" and owed(whole) else whole
    for folder in folders.values():
        unfinished = unfinished_of(folder)
        if not fresh and (unfinished / layout.CONFIGURATION).is_file() and not linked(unfinished):
            longer = f"ask for that one, or delete {unfinished}" if (folder / layout.RECORD).is_file() else ""
            _same(cell, configuration_of(unfinished / layout.CONFIGURATION), unfinished, longer)
            how = "resume" if has_training(unfinished) else how
            if how == "resume":
                check_resumable(unfinished)
    return Job(cell, folders, how)


def _configuration(folder: Path) -> tuple[dict[str, Any], bool] | None:
    """Return the configuration of a folder with a record, and whether it is done; a failed cell is tried again."""
    if not (folder / layout.RECORD).is_file():
        return None
    try:
        record = Record.read(folder)
    except ValueError as error:
        raise ValueError(f"{error}; put it right, or move {folder} away, and the cell is made again") from error
    return record.stamp.get("configuration", {}), record.status != "failed"


def _same(cell: Cell, other: dict[str, Any], folder: Path, hint: str = "") -> None:
    differences = cell.differences(other)
    if differences:
        more = f" and {len(differences) - 2} more" if len(differences) > 2 else ""
        what = ", ".join(differences[:2]) + more
        hint = hint or "say --fresh to replace it, another --out, or run that folder's own suite.toml"
        raise ValueError(f"{folder} holds another configuration: {what}; {hint}")


def _finished(cell: Cell, folders: Mapping[str, Path]) -> How:
    """Tell what is to be done with a finished job, whose measures may be older, fewer or not at rest."""
    records = [Record.read(folder) for folder in folders.values()]

    def wanting(record: Record) -> bool:
        return older(record) or lacks(record, cell.measures) or unsettled(record)

    if not any(wanting(record) and record.status != "diverged" for record in records):
        return "skip"
    if cell.recipe == ANCHORS:
        return "run"
    return "measure" if (folders[cell.label] / layout.MODEL).is_file() else "keep"


def owed(job: Job) -> bool:
    """Return whether the record of a recipe's finished job owes its speed, and the job asks for it.

    That of a model whose weights are gone owes it for ever.
    """
    folder = job.folders.get(job.cell.label)
    if folder is None or SPEED not in job.cell.measures or not (folder / layout.MODEL).is_file():
        return False
    return SPEED in (Record.read(folder).stamp.get("owed") or ())


def _expected(job: Job, fit_seconds: float) -> Job:
    """Return a job with how long it trains; one that is trained on has part of its budget behind it."""
    if not job.trains:
        return job
    done = 0.0
    if job.how == "on":
        earlier = _configuration(job.folders[job.cell.label])
        ((kind, amount),) = job.cell.budget.items()
        done = float(earlier[0].get("budget", {}).get(kind, 0.0)) / amount if earlier else 0.0
    return replace(job, fit_seconds=fit_seconds * (1 - min(done, 1.0)))
