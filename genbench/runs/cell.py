"""One cell, in a process of its own: build, fit, sample once, measure those samples, record."""

from __future__ import annotations

import copy
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from genbench import catalog, files
from genbench.contract.checks import check_recipe, verdict
from genbench.interface import GenerativeModel
from genbench.metrics.memory import peak_memory
from genbench.narrow import lacks_double, measuring
from genbench.plots import gallery, sample_grid
from genbench.records import layout, parts
from genbench.records.record import Record
from genbench.runs import measures, ranks
from genbench.runs.ability_measures import ability_measures
from genbench.runs.clock import Clock, Tell
from genbench.runs.conditions import asked, asked_labels, conditions, shown
from genbench.runs.config import SPEED, Cell, Setting
from genbench.runs.fitting import settle
from genbench.runs.likelihoods import estimated
from genbench.runs.stamping import heading, legs_of, of_its_training, stamped, timed_stamp
from genbench.runs.translations import TranslationMeasures, translation_measures
from genbench.runs.watching import take_best
from genbench.seed import generator
from genbench.spec import Batch
from genbench.training import checkpoint
from genbench.training.config import FitReport, write_fractions

if TYPE_CHECKING:
    from genbench.data import Dataset


@dataclass(frozen=True)
class Measured:
    """The parts of a record that rest on a model's likelihood, its samples and its speed.

    Args:
        test: the likelihood of the test split.
        train: the likelihood of the training split; None where it is an estimate, whose chains are dear.
        of_samples: the measures of the samples alone.
        of_translations: the measures of what samples were asked for beside a class.
        speed: the speed of drawing; None where it was left out.
    """

    test: parts.Likelihood | None
    train: parts.Likelihood | None
    of_samples: measures.SampleMeasures
    of_translations: TranslationMeasures
    speed: parts.Speed | None


def work(
    cell: Cell,
    setting: Setting,
    unfinished: Path,
    tell: Tell,
    finished: Path | None = None,
    earlier: Record | None = None,
) -> Record:
    """Do all of a cell in the folder ``unfinished``, going on from its ``checkpoint/training.pt`` if there is one.

    ``tell(stage, fraction)`` hears how far it is. The record is returned, not written: a folder with a record is whole.
    The model of a ``finished`` folder is not trained but read, and all is measured again. One that is trained on has
    an ``earlier`` record.

    Raises:
        Diverged: when training does.
        ValueError, OSError, RuntimeError: when anything fails.
    """
    settle(cell.device)
    clock = Clock(tell)
    with clock("load"):
        dataset = setting.data(cell)
    with clock("build"):
        learned = dataset.with_labels(cell.labelled)
        model = catalog.build(cell.recipe, learned.spec, seed=cell.seed, **cell.options).to(cell.device)
    checked = None
    if not catalog.recipe(cell.recipe).own:
        with clock("check"):
            checked = verdict(check_recipe(cell.recipe, cell.options))
    before = None
    best = None
    if finished is None:
        report = ranks.train(cell, setting, model, learned, unfinished, tell)
        best = take_best(cell, model, learned, unfinished)
        model = at_rest(cell, model)
        with clock("write"):
            write_fractions(unfinished / layout.FRACTIONS, report.fractions)
            checkpoint.save(unfinished / layout.MODEL, model)
    else:
        before = Record.read(finished)
        spent = before.model_dump(include={"fit"})["fit"]
        report = FitReport(**{name: value for name, value in spent.items() if name != "batch_size"})
        model = _read(finished / layout.MODEL, at_rest(cell, model), before)
    clock.seconds |= {"fit": report.seconds, "finish": report.finish_seconds}
    digests = {"weights": files.digest(model.state_dict())}
    with clock("sample"):
        given = asked(cell.given, dataset, cell.samples)
        noise = generator(cell.seed, "sample")
        samples = model.sample(cell.samples, **conditions(given, cell.given), generator=noise).cpu()
    memory = peak_memory(cell.device)
    with clock("write"):
        array = io.BytesIO()  # written by Python, whose errors say that a disk is full; numpy's do not
        np.save(array, samples.numpy())
        (unfinished / layout.SAMPLES).write_bytes(array.getvalue())
        digests["samples"] = files.digest({"samples": samples})
        beside = shown(given, cell.given, dataset)
        names = dataset.class_names
        sample_grid.write(unfinished / layout.GRID, samples, dataset.spec.levels, beside, names=names)
    result = measured(cell, model, dataset, samples, given, unfinished, clock)
    with clock("abilities"):  # behind the measures, so that none can change a figure
        abilities = gallery.write(unfinished, model, dataset.test, cell.seed)
    able = ability_measures(model, dataset, abilities, clock, pairs=cell.samples, seed=cell.seed)
    prescribed = getattr(model, "setting", None)
    temperature, pixels = (getattr(model, name, None) for name in ("temperature", "pixels"))
    features = result.of_samples.extractor_info
    stamp = stamped(cell, setting, dataset, features, report, temperature, result.test, pixels, checked)
    if legs := legs_of(stamp, report, setting, earlier):
        stamp["trained_on"] = legs
    if best is not None:
        stamp["best"] = best.model_dump()
    made = Record(
        **heading(cell),
        status="done",
        params=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        fit=parts.Fit(**report.spent, batch_size=min(cell.batch_size, len(dataset.train))),
        setting=prescribed if isinstance(prescribed, str) else None,
        trained_on=model.perceptual or None,
        test=result.test,
        train=result.train,
        speed=result.speed,
        **result.of_samples.parts,
        **vars(result.of_translations),
        **vars(able),
        abilities=abilities,
        peak_memory_mb=memory.resident_mb if memory.cuda_mb is None else memory.cuda_mb,
        seconds=clock.seconds,
        digests=digests,
        stamp=stamp | {"peak_memory": asdict(memory)},
    )
    return made if before is None else _remembering(made, before)


def time_alone(cell: Cell, setting: Setting, tell: Tell, finished: Path) -> Record:
    """Return the record of a ``finished`` folder with the speed that it owes, measured by its model; nothing else of it
    changes but the machine, where that is another one.

    Raises:
        ValueError, OSError, RuntimeError: when anything fails.
    """
    settle(cell.device)
    clock = Clock(tell)
    before = Record.read(finished)
    dataset = setting.data(cell)
    built = catalog.build(cell.recipe, dataset.with_labels(cell.labelled).spec, seed=cell.seed, **cell.options)
    model = _read(finished / layout.MODEL, built.to(measuring(cell.device)), before)
    given = asked(cell.given, dataset, cell.samples)
    speed = drawing_speed(cell, model, given, clock)
    stamp = timed_stamp(before, cell, setting)
    return before.model_copy(update={"speed": speed, "seconds": before.seconds | clock.seconds, "stamp": stamp})


def at_rest(cell: Cell, model: GenerativeModel) -> GenerativeModel:
    """Return a cell's model where it is measured, with numbers of 64 bits where it keeps such."""
    if not lacks_double(cell.device):
        return model
    whole = catalog.build(cell.recipe, model.spec, seed=cell.seed, **cell.options)
    whole.load_state_dict({name: tensor.cpu() for name, tensor in model.state_dict().items()})
    return whole.eval()


def _read(path: Path, built: GenerativeModel, before: Record) -> GenerativeModel:
    """Return the model that was measured before, which is to be the one that was ``built`` once it was trained."""
    model = checkpoint.load(path, device=built.device)
    digest = before.digests.get("weights")  # older records have none
    same = digest is None or digest == files.digest(model.state_dict())
    if not same or checkpoint.identity(model) != checkpoint.identity(built):
        raise ValueError(f"{path}: not the weights that were measured; put these back, or train again with --fresh")
    return model


def _remembering(made: Record, before: Record) -> Record:
    """Add what measuring again cannot know: by what rules the model was trained, where, and in how much memory."""
    names = ("course", "peak_memory", "company", "trained_on", "best")
    kept = {name: before.stamp[name] for name in names if name in before.stamp}
    made.stamp.pop("company", None)
    stamp = made.stamp | kept | {"trained": of_its_training(before.stamp)}
    same = {"setting": before.setting, "peak_memory_mb": before.peak_memory_mb}
    return made.model_copy(update=same | {"stamp": stamp})


def measured(
    cell: Cell,
    model: GenerativeModel,
    dataset: Dataset,
    samples: Tensor,
    given: Batch,
    unfinished: Path,
    clock: Clock,
) -> Measured:
    """Measure the model's likelihood, the samples, and how fast it draws them."""
    recipe = catalog.recipe(cell.recipe)
    of_test = dataset.spec.translates(cell.given)  # whether samples are told what belongs to test sources
    true = dataset.aligned or not of_test  # whether these belong to the test images too
    test: parts.Likelihood | None = None
    train: parts.Likelihood | None = None
    draws = cell.draws if recipe.likelihood == "bound" else 1
    nll = true and "nll" in cell.measures
    with clock("nll"):
        if nll and recipe.likelihood == "estimate":
            test = estimated(model, dataset.test, limit=cell.estimated, seed=cell.seed, effort=cell.effort)
        elif nll:
            how = {"draws": draws, "limit": cell.likelihoods, "seed": cell.seed}
            test = measures.likelihood(model, dataset.test, name="test", **how)
            if dataset.spec.paired or not of_test:
                train = measures.likelihood(model, dataset.train, name="train", **how)
    of_samples = measures.SampleMeasures()
    if "fid" in cell.measures:
        labels = asked_labels(given, cell.given, dataset)
        of_samples = measures.sample_measures(samples, labels, cell, dataset, unfinished, clock)
    of_translations = translation_measures(samples, given, cell.given, cell, dataset, clock)
    speed = drawing_speed(cell, model, given, clock) if SPEED in cell.measures else None
    return Measured(test=test, train=train, of_samples=of_samples, of_translations=of_translations, speed=speed)


def drawing_speed(cell: Cell, model: GenerativeModel, given: Batch, clock: Clock) -> parts.Speed:
    """Measure how fast the model draws, told the rows of ``given`` in order."""
    noise = generator(cell.seed, "speed")
    there = model if measuring(cell.device) == cell.device else copy.deepcopy(model).to(cell.device)

    def draw(n: int) -> Tensor:
        rows = given.rows(torch.arange(n) % len(given))
        return there.sample(n, **conditions(rows, cell.given), generator=noise).cpu()

    with clock("speed"):
        return measures.speed(draw, cell.device, cell.timing)
