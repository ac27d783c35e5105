"""Samples of a model that was not trained here, measured as all others are, and a record of them."""

from __future__ import annotations

import io
import shlex
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from genbench import data, stats
from genbench.check import check_labels
from genbench.data.classes import UNKNOWN
from genbench.data.external import checked, read
from genbench.data.splits import chosen
from genbench.files import digest, locked, remove, settle, unfinished_of
from genbench.image_file import WHITE
from genbench.metrics.quality import MINIMUM_IMAGES
from genbench.plots import sample_grid
from genbench.records import layout
from genbench.records.record import Record, records
from genbench.records.stamp import revision
from genbench.runs import measures
from genbench.runs.clock import Clock
from genbench.runs.command import verbatim
from genbench.runs.conditions import asked_labels, of_translation
from genbench.runs.conditions import shown as shown_beside
from genbench.runs.config import EVALUATED, Cell, Setting, checked_label
from genbench.runs.preflight import check_extractor, check_judged
from genbench.runs.stamping import stamped
from genbench.runs.suite import ANCHOR_NAMES, SEEDS, Suite
from genbench.runs.suite import read as read_suite
from genbench.runs.sweep import check_unlinked
from genbench.runs.translations import translation_measures
from genbench.spec import Batch
from genbench.tables import rows as tables
from genbench.tables.view import View
from genbench.training.precision import chosen_device

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from genbench.data import Dataset

FAMILY = "elsewhere"
EXTRACTOR = "efficientnet-lite0"  # where no row says another
LOOKED_AT = 32  # images at a time, whose levels are counted, as numbers of 64 bits
FEW = 16  # of what data have: samples that use so many times fewer levels were hardly meant so


def evaluate(
    images: Tensor | ArrayLike | Path | str,
    *,
    dataset: str,
    out: Path,
    labels: Tensor | ArrayLike | None = None,
    translations: bool = False,
    label: str = "samples",
    extractor: str | None = None,
    seed: int = 0,
    size: int | None = None,
    alpha: str = WHITE,
    device: str = "cpu",
    root: Path | None = None,
    fresh: bool = False,
) -> Record:
    """Measure samples with everything that a cell's samples are measured with, and write their row into a run.

    As many are measured as of the other rows of the run, else as the test split has images, since their number moves
    FID: of more, some that are drawn at random, each label in its share; of translations the first, as of other rows.

    Args:
        images: the samples, uint8 ``(N, C, H, W)``, ``(N, H, W, C)`` or ``(N, H, W)``, of the data set's size and
            levels; or the path of a folder of images, of an ``.npz`` with an array ``images`` (and ``labels``), or of
            an ``.npy``.
        dataset: the data set that they are to look like: its training split is the reference.
        out: the folder of a run, new or not; its table is written again.
        labels: integers ``(N,)``, the class that each sample was asked for, -1 for none. Class folders say it too, by
            their names.
        translations: whether sample i was made of the test split's source i, in the domain of test image i where there
            are several, so that each is asked for a class where one is known, and has a target of its own where source
            and image belong together.
        label: the label of the row.
        extractor: the name of the feature extractor; by default that of the run's other rows, else of its suite.
        seed: the seed of the row: that of the model's training, where several are evaluated.
        size: the side that a folder data set's images are resized to; the samples never are.
        alpha: the ground behind transparent pixels of a folder's images, or ``"refuse"``; of samples too.
        device: the device of the extractor, ``"cpu"`` or ``"cuda"``.
        root: the folder of data sets.
        fresh: whether a row of this label is replaced.

    Raises:
        ValueError: in one line, for images that are not that, labels that do not fit, or a label that is taken.
    """
    try:
        checked_label(label)
    except ValueError as error:
        raise ValueError(f"label = {label!r}: {error}") from error
    if not label.strip() or layout.slug(label) in {layout.slug(name) for name in ANCHOR_NAMES}:
        raise ValueError(f"label {label!r} is {'an anchor' if label.strip() else 'nobody'}'s: give the row another")
    if not 0 <= seed < SEEDS:
        raise ValueError(f"seed {seed}: give a whole number from 0 to {SEEDS - 1}")
    others = records(out) if layout.record_files(out) else []
    extractor = extractor or _extractor(others, out)
    check_extractor(extractor)
    chosen_device(device)
    known = data.load(dataset, root=root, size=size, alpha=alpha)
    check_judged(extractor, known)
    came = read(images, known, alpha)
    whole = checked(came.images, known)
    if len(whole) < MINIMUM_IMAGES:
        raise ValueError(f"images: {len(whole)}, and measures of quality need {MINIMUM_IMAGES} or more")
    asked = _asked(came.labels if labels is None else labels, whole, known, translations)
    usual = _usual(others, dataset)
    wanted = max(usual or len(known.test), MINIMUM_IMAGES)
    n = min(len(whole), wanted)
    some = torch.arange(n) if translations else chosen(len(whole), n, asked, seed)
    samples = whole[some]
    asked = None if asked is None else asked[some]
    target = layout.cell_folder(out, dataset, label, seed)
    given = of_translation(known.spec) if translations else ("label",) if asked is not None else ()
    cell = Cell(
        dataset=dataset, size=size, alpha=alpha, data=dict(known.hashes), recipe=EVALUATED, label=label, options={},
        labelled=None, given=given, seed=seed, budget={}, batch_size=0, extractor=extractor,
        precision="float32", samples=n, likelihoods=0, draws=0, estimated=0, timing=0.0, device=device,
    )  # fmt: skip
    view = view_of(out)
    path = str(images) if isinstance(images, Path | str) else None
    command = _command(path, cell, root, labels is not None)
    setting = Setting(f"Samples of {label}", root, revision(), partial(verbatim, command))
    check_unlinked(out)
    with locked(out):
        if target.exists():
            if Record.read(target).status != "evaluated":
                raise ValueError(f"{target}: a cell that was trained here; give another label")
            if not fresh:
                raise ValueError(f"{target}: there already; give another label, or replace it with fresh (--fresh)")
        unfinished = unfinished_of(target)
        remove(unfinished)
        unfinished.mkdir(parents=True)
        try:
            record = _measured(samples, asked, cell, setting, known, unfinished)
            remarks = _remarks(label, samples, wanted, known)
            if n < len(whole):
                drawn = "the first" if translations else "a random"
                like = "other rows have" if usual else "the test split has images"
                remarks.insert(0, f"{label}: {drawn} {n:,} of {len(whole):,} samples, as many as {like}")
            remarks += [f"{label}: {note}" for note in came.notes]
            _remarked(record, remarks).write(unfinished)
        except BaseException:
            remove(unfinished)
            for left in (target.parent, target.parents[1], target.parents[2]):
                if not any(left.iterdir()):
                    left.rmdir()
            raise
        settle(unfinished, target)
        tables.write(out, records(out), view)
    return Record.read(target)


def _asked(labels: Tensor | ArrayLike | None, images: Tensor, known: Dataset, translations: bool) -> Tensor | None:
    """Return the class that each sample was asked for, int64 ``(N,)``; of translations that of its source or target."""
    if translations:
        if known.test.sources is None:
            raise ValueError(f"translations: {known.name} has no sources to translate; leave them out")
        if labels is not None:
            raise ValueError("translations: the class that each is asked for is known; leave the labels out")
        if len(images) > len(known.test):
            raise ValueError(
                f"translations: {len(images)} samples for {len(known.test)} test sources; give one for each"
            )
        return asked_labels(known.test.rows(slice(len(images))), of_translation(known.spec), known)
    if labels is None:
        return None
    array = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
    if not known.spec.classes:
        raise ValueError(f"labels: {known.name} has none, so nothing can judge them; leave them out")
    if array.shape != (len(images),) or array.dtype.kind not in "iu":
        raise ValueError(f"labels are {array.dtype} {array.shape}: give an integer for each of {len(images)} images")
    asked = torch.from_numpy(array.astype(np.int64))
    check_labels(asked[asked != UNKNOWN], known.spec.classes)
    return asked


def _measured(
    samples: Tensor, asked: Tensor | None, cell: Cell, setting: Setting, known: Dataset, unfinished: Path
) -> Record:
    clock = Clock(lambda stage, fraction: None)
    rows = known.test.rows(slice(len(samples)))
    some: Tensor | slice = slice(sample_grid.SHOWN)  # the same sources as in other rows
    beside = shown_beside(rows, cell.given, known) if "source" in cell.given else Batch(samples, asked)
    if "source" not in cell.given:  # they may come class by class
        some = stats.spread(len(samples), sample_grid.SHOWN)
    with clock("write"):
        array = io.BytesIO()
        np.save(array, samples.numpy())
        (unfinished / layout.SAMPLES).write_bytes(array.getvalue())
        sample_grid.write(
            unfinished / layout.GRID, samples[some], known.spec.levels, beside.rows(some), names=known.class_names
        )
    of_samples = measures.sample_measures(samples, asked, cell, known, unfinished, clock)
    of_translations = translation_measures(samples, rows, cell.given, cell, known, clock)
    stamp = stamped(cell, setting, known, of_samples.extractor_info)
    stamp |= {"drawn": "labels as they came with the samples"} if "label" in cell.given else {}
    return Record(
        dataset=cell.dataset,
        recipe=EVALUATED,
        label=cell.label,
        family=FAMILY,
        seed=cell.seed,
        given=cell.given,
        status="evaluated",
        **of_samples.parts,
        **vars(of_translations),
        seconds=clock.seconds,
        digests={"samples": digest({"samples": samples})},
        stamp=stamp,
    )


def view_of(out: Path) -> View | None:
    """Return the columns of a run's own suite; None where there is none that this version can read."""
    suite = _suite(out)
    return None if suite is None else View.of(suite.columns)


def _suite(out: Path) -> Suite | None:
    try:
        return read_suite(str(out / layout.SUITE))
    except ValueError:
        return None


def _extractor(others: Sequence[Record], out: Path) -> str:
    """Return the extractor of a run's rows, else of its suite, else the usual one."""
    said = next((record.extractor for record in others if record.extractor and record.status != EVALUATED), None)
    suite = _suite(out)
    return said or (suite.extractor if suite else EXTRACTOR)


def _usual(others: Sequence[Record], dataset: str) -> int | None:
    """Return how many samples most rows of the data set in a run are measured on; None where there are none."""
    counts = Counter(r.quality.images for r in others if r.quality and r.dataset == dataset and r.status != EVALUATED)
    return counts.most_common(1)[0][0] if counts else None


def levels_used(images: Tensor) -> int:
    """Return how many levels occur in images, uint8 ``(N, C, H, W)``, of which a few are looked at at a time."""
    counts = sum(part.flatten().bincount(minlength=256) for part in images.cpu().split(LOOKED_AT))
    return int(torch.as_tensor(counts).count_nonzero())


def few_levels(samples: Tensor, usual: int, whose: str = "the data") -> list[str]:
    """Return the remark on samples that have a few of the levels of real images, which rounding them leaves, or none.

    Args:
        samples: the samples, uint8 ``(N, C, H, W)``.
        usual: how many levels the real images have.
        whose: what the real images are called.
    """
    if (used := levels_used(samples)) * FEW > usual:
        return []
    return [f"its samples use {used} of the {usual} levels of {whose}: rounded or scaled by mistake?"]


def _remarks(label: str, samples: Tensor, wanted: int, known: Dataset) -> list[str]:
    """Return what is odd about samples: fewer than rows have, or a few of the levels that the data use."""
    notes = []
    if len(samples) < wanted:
        notes.append(f"{len(samples):,} samples where {wanted:,} are usual; fewer raise FID")
    return [f"{label}: {note}" for note in (*notes, *few_levels(samples, levels_used(known.train.images)))]


def _remarked(record: Record, notes: Sequence[str]) -> Record:
    if not notes or record.quality is None:
        return record
    quality = record.quality.model_copy(update={"notes": (*record.quality.notes, *notes)})
    return record.model_copy(update={"quality": quality})


def _command(path: str | None, cell: Cell, root: Path | None, labelled: bool) -> str:
    """Return the command that measures the samples again: an array lies beside the record, as ``samples.npy``."""
    if labelled:  # by an argument, that no file holds
        named = {"dataset": cell.dataset, "label": cell.label, "extractor": cell.extractor, "seed": cell.seed}
        arguments = ", ".join(f"{name}={value!r}" for name, value in named.items())
        return f"genbench.evaluate({path or layout.SAMPLES!r}, labels=…, {arguments}, out='again')"
    words = {"dataset": cell.dataset, "label": cell.label, "extractor": cell.extractor, "seed": cell.seed}
    words |= {"size": cell.size, "alpha": None if cell.alpha == WHITE else cell.alpha}
    words |= {"device": cell.device, "data-dir": root, "out": "again"}
    options = [word for name, value in words.items() if value is not None for word in (f"--{name}", str(value))]
    options += ["--translations"] * ("source" in cell.given)
    return shlex.join(["genbench", "evaluate", path or layout.SAMPLES, *options])
