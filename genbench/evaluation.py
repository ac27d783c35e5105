"""Samples of a model that was not trained here, measured as all others are, and a record of them."""

from __future__ import annotations

import io
import shlex
import shutil
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from genbench import data, picture, sampled, table
from genbench.cell import SAMPLES
from genbench.check import check_labels
from genbench.clock import Clock
from genbench.configuration import EVALUATED, Cell, Setting
from genbench.data import folder as folders
from genbench.features.store import digest
from genbench.folders import locked, part_of, settle
from genbench.interface import Batch, DataSpec
from genbench.metrics.quality import MINIMUM_IMAGES
from genbench.protocol import stamped
from genbench.record import FILE, Record, records
from genbench.replay import Line
from genbench.stamp import revision
from genbench.suite import ANCHOR_NAMES, slug

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from genbench.data import Dataset

FAMILY = "elsewhere"


def evaluate(
    images: Tensor | ArrayLike | Path | str,
    *,
    dataset: str,
    out: Path,
    labels: Tensor | ArrayLike | None = None,
    label: str = "samples",
    extractor: str = "efficientnet-lite0",
    seed: int = 0,
    size: int | None = None,
    device: str = "cpu",
    root: Path | None = None,
    fresh: bool = False,
) -> Record:
    """Measure samples with everything that a cell's samples are measured with, and write their row into a run.

    As many are measured as of the other rows of the run, else as the test split has images, the first: their number
    moves FID.

    Args:
        images: uint8 ``(N, C, H, W)``, ``(N, H, W, C)`` or ``(N, H, W)``, of the data set's size and levels; or the
            path of a folder of images, of an ``.npz`` with an array ``images`` (and ``labels``), of an ``.npy``.
        dataset: that they are to look like: its training split is the reference.
        out: folder of a run, new or not; its table is written again.
        labels: ``(N,)`` integers: the class that each sample was asked for. A folder's class folders say it too.
        label: of the row.
        extractor: of features.
        seed: of the row: that of the model's training, where several are evaluated.
        size: side that a folder data set's images are resized to; the samples never are.
        device: ``"cpu"`` or ``"cuda"``, of the extractor.
        root: folder of data sets.
        fresh: replace a row of this label.

    Raises:
        ValueError: in one line, for images that are not that, labels that do not fit, or a label that is taken.
    """
    known = data.load(dataset, root=root, size=size)
    read, found = _read(images, known.spec)
    whole = checked(read, known)
    asked = _asked(found if labels is None else labels, whole, known)
    wanted = _usual(out, dataset) or len(known.test)
    n = min(len(whole), wanted)
    samples, asked = whole[:n], None if asked is None else asked[:n]
    if slug(label) in {slug(name) for name in ANCHOR_NAMES}:
        raise ValueError(f"label {label!r} is an anchor's: give the row another")
    target = out / "cells" / slug(dataset) / slug(label) / f"seed-{seed}"
    cell = Cell(
        dataset=dataset, size=size, data=dict(known.hashes), recipe=EVALUATED, label=label, options={}, labelled=None,
        given=() if asked is None else ("label",), seed=seed, budget={}, batch_size=0, extractor=extractor,
        precision="float32", samples=n, likelihoods=0, draws=0, estimated=0, timing=0.0, device=device,
    )  # fmt: skip
    path = str(images) if isinstance(images, Path | str) else None
    setting = Setting(f"Samples of {label}", root, revision(), Line(_command(path, cell, root)))
    with locked(out):
        if target.exists() and not fresh:
            raise ValueError(f"{target}: there already; give another label, or replace it with fresh (--fresh)")
        part = part_of(target)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            record = _measured(samples, asked, cell, setting, known, part)
            _remarked(record, len(whole), wanted).write(part)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            for left in (target.parent, target.parents[1], target.parents[2]):
                if not any(left.iterdir()):
                    left.rmdir()
            raise
        settle(part, target)
        table.write(out, records(out))
    return Record.read(target)


def checked(images: Tensor, known: Dataset) -> Tensor:
    """Samples as uint8 ``(N, C, H, W)``.

    Raises:
        ValueError: for images of another type, shape or range than the data set's, or too few to measure.
    """
    (channels, height, width), levels = known.spec.shape, known.spec.levels
    if images.dtype != torch.uint8:
        scaled = "; of values from 0 to 1: (255 * x).round().astype('uint8')" if images.is_floating_point() else ""
        raise ValueError(f"images are {str(images.dtype)[6:]}: give uint8, integer levels 0 to {levels - 1}{scaled}")
    shape = tuple(images.shape)
    if images.dim() == 3 and channels == 1:
        images = images[:, None]
    elif images.dim() == 4 and shape[1:] != known.spec.shape and shape[1:] == (height, width, channels):
        images = images.permute(0, 3, 1, 2)
    if tuple(images.shape[1:]) != known.spec.shape:
        wanted = f"(N, {channels}, {height}, {width}) or (N, {height}, {width}, {channels})"
        raise ValueError(f"images have shape {shape}: those of {known.name} are {wanted}; nothing is resized here")
    if len(images) < MINIMUM_IMAGES:
        raise ValueError(f"images: {len(images)}, and measures of quality need {MINIMUM_IMAGES} or more")
    if int(images.max()) >= levels:
        raise ValueError(f"images reach level {int(images.max())}: {known.name} has levels 0 to {levels - 1}")
    return images.contiguous()


def _read(images: Tensor | ArrayLike | Path | str, spec: DataSpec) -> tuple[Tensor, Any]:
    """Images and labels wherever they are."""
    if not isinstance(images, Path | str):
        return images.detach().cpu() if isinstance(images, Tensor) else _tensor(np.asarray(images), "images"), None
    path = Path(images).expanduser()
    if path.is_dir():
        return _folder(path, spec)
    if path.suffix not in (".npz", ".npy") or not path.is_file():
        raise ValueError(f"{path}: give a folder of images, an .npz with an array 'images', or an .npy")
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return _tensor(loaded, str(path)), None
        with loaded:
            arrays = {name: loaded[name] for name in ("images", "labels") if name in loaded.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a file of plain arrays, or damaged ({str(error).splitlines()[0]})") from error
    if "images" not in arrays:
        raise ValueError(f"{path}: no array 'images'; save one with numpy.savez({path.name!r}, images=…)")
    return _tensor(arrays["images"], str(path)), arrays.get("labels")


def _tensor(array: np.ndarray, name: str) -> Tensor:
    if array.dtype.kind not in "buif":
        raise ValueError(f"{name}: an array of {array.dtype}; give uint8")
    # torch lacks some types of numpy's, and none of these is wanted.
    return torch.from_numpy(array.copy() if array.dtype == np.uint8 else array.astype(np.float64, copy=True))


def _folder(path: Path, spec: DataSpec) -> tuple[Tensor, Tensor | None]:
    """Every image below a folder, grey ones in as many channels as the data set has."""
    raw = folders.load(path, None)
    if raw.test is not None:
        raise ValueError(f"folder {path}: holds train/ and test/; give the folder of the samples")
    images = raw.images.expand(-1, spec.shape[0], -1, -1) if raw.images.shape[1] == 1 else raw.images
    if raw.classes and raw.classes != spec.classes:
        raise ValueError(f"folder {path}: {raw.classes} class folders for {spec.classes} classes; put all into one")
    return images, raw.labels if raw.classes else None


def _asked(labels: Tensor | ArrayLike | None, images: Tensor, known: Dataset) -> Tensor | None:
    """The class that each sample was asked for, int64 ``(N,)``."""
    if labels is None:
        return None
    array = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
    if not known.spec.classes:
        raise ValueError(f"labels: {known.name} has none, so nothing can judge them; leave them out")
    if array.shape != (len(images),) or array.dtype.kind not in "iu":
        raise ValueError(f"labels are {array.dtype} {array.shape}: give an integer for each of {len(images)} images")
    found = torch.from_numpy(array.astype(np.int64))
    check_labels(found, known.spec.classes)
    return found


def _measured(
    samples: Tensor, asked: Tensor | None, cell: Cell, setting: Setting, known: Dataset, part: Path
) -> Record:
    clock = Clock(lambda stage, fraction: None)
    with clock("write"):
        array = io.BytesIO()
        np.save(array, samples.numpy())
        (part / SAMPLES).write_bytes(array.getvalue())
        picture.write(part / "samples.png", samples, known.spec.levels, Batch(samples, asked))
    found, about = sampled.measured(samples, asked, cell, known, part, clock)
    stamp = stamped(cell, setting, known, about)
    stamp |= {"drawn": "labels as they came with the samples"} if asked is not None else {}
    return Record(
        dataset=cell.dataset,
        recipe=EVALUATED,
        label=cell.label,
        family=FAMILY,
        seed=cell.seed,
        given=cell.given,
        status="evaluated",
        **found,
        seconds=clock.seconds,
        digests={"samples": digest({"samples": samples})},
        stamp=stamp,
    )


def _usual(out: Path, dataset: str) -> int | None:
    """How many samples of that data set's rows a run measures, by most of them."""
    found = records(out) if next((out / "cells").glob(f"*/*/seed-*/{FILE}"), None) else []
    counts = Counter(r.quality.images for r in found if r.quality and r.dataset == dataset and r.status != EVALUATED)
    return counts.most_common(1)[0][0] if counts else None


def _remarked(record: Record, given: int, wanted: int) -> Record:
    """With a note where there are more or fewer samples than rows have."""
    note = ""
    if given > wanted:
        note = f"{record.label}: the first {wanted:,} of {given:,} samples, as many as other rows have"
    elif given < wanted:
        note = f"{record.label}: {given:,} samples where {wanted:,} are usual; fewer raise FID"
    if not note or record.quality is None:
        return record
    quality = record.quality.model_copy(update={"notes": (*record.quality.notes, note)})
    return record.model_copy(update={"quality": quality})


def _command(path: str | None, cell: Cell, root: Path | None) -> str:
    """What measures the samples again: those of an array lie beside the record, as ``samples.npy``."""
    if path is None and cell.given:
        about = {"dataset": cell.dataset, "label": cell.label, "extractor": cell.extractor, "seed": cell.seed}
        arguments = ", ".join(f"{name}={value!r}" for name, value in about.items())
        return f"genbench.evaluate({SAMPLES!r}, labels=…, {arguments}, out='again')"
    words = {"dataset": cell.dataset, "label": cell.label, "extractor": cell.extractor, "seed": cell.seed}
    words |= {"size": cell.size, "device": cell.device, "data-dir": root, "out": "again"}
    options = [word for name, value in words.items() if value is not None for word in (f"--{name}", str(value))]
    return shlex.join(["genbench", "evaluate", path or SAMPLES, *options])
