"""What a trained cell is used for afterwards: more samples, and completions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genbench import data, interface
from genbench.abilities import Completes
from genbench.data.captions import FIELD
from genbench.data.classes import UNKNOWN, names_of, numbers
from genbench.data.vocabulary import Vocabulary
from genbench.image_file import WHITE
from genbench.interface import GenerativeModel
from genbench.memory import check_fits
from genbench.narrow import measuring
from genbench.plots import sample_grid
from genbench.records import layout
from genbench.records.record import Record
from genbench.runs import outputs
from genbench.runs.conditions import asked, conditions, shown
from genbench.runs.trained_data import trained_on
from genbench.seed import generator
from genbench.spec import Batch
from genbench.training import checkpoint

PIXELS = "pixels"  # the attribute of models that show them in several ways
LEAST_DIAL = 1e-3  # what is divided by less leaves the range of numbers
SAMPLE_BYTES = 16  # a value of a sample is drawn in 32 bits, kept in 8 and enlarged into a picture


def model_of(cell: Path, device: str) -> GenerativeModel:
    """Return the model of a cell's folder, or of a safetensors file, where models of this device are measured.

    Raises:
        ValueError: where there is none.
    """
    path = cell if cell.suffix == ".safetensors" else cell / layout.MODEL
    if not path.is_file():
        raise ValueError(f"{cell}: no trained model in it; give a cell, DIR/cells/DATASET/LABEL/seed-N")
    return checkpoint.load(path, device=measuring(device))


def origin_of(model: GenerativeModel, cell: Path) -> interface.Origin:
    """Return how the model of ``cell`` was built."""
    if model.origin is None:
        raise ValueError(f"{cell}: not known how it was built")
    return model.origin


def laid_out(cell: Path) -> Mapping[str, Any]:
    """Return how the pictures that a cell was trained on were read: its ``size`` and ``alpha``, as far as it says."""
    return Record.read(cell).stamp.get("configuration", {}) if (cell / layout.RECORD).is_file() else {}


def data_of(cell: Path, number: int, root: Path | None) -> data.Dataset:
    """Return the data set that a cell was trained on.

    Raises:
        ValueError: where it has changed since, has fewer than ``number`` test images, or ``cell`` is no folder.
    """
    if not cell.is_dir():
        raise ValueError(f"{cell}: give the cell's folder, whose record names the data set to start from")
    record = Record.read(cell)
    configuration = record.stamp.get("configuration", {})
    how = {"size": configuration.get("size"), "alpha": configuration.get("alpha", WHITE)}
    dataset, _ = trained_on(record.dataset, configuration.get("data", {}), cell, root, **how)
    if number > len(dataset.test):
        raise ValueError(f"-n {number}: {record.dataset} has {len(dataset.test)} test images to start from")
    return dataset


def set_pixels(model: GenerativeModel, name: str, pixels: str | None) -> None:
    """Set the way in which a model's samples show pixels, its attribute ``pixels``, where one is given.

    Raises:
        ValueError: for a model without it.
    """
    if pixels is not None and not hasattr(model, PIXELS):
        raise ValueError(f"--pixels {pixels}: {name} has one way to show them; leave it out")
    if pixels is not None:
        setattr(model, PIXELS, pixels)


def set_dials(model: GenerativeModel, name: str, **dials: float | None) -> None:
    """Set what a model's samples are drawn at, its attributes ``temperature`` and ``truncation``, where one is given.

    Raises:
        ValueError: for a model without it, a value that it does not take, or one that would move nothing.
    """
    for dial, value in dials.items():
        if value is None:
            continue
        if not hasattr(model, dial):
            raise ValueError(f"--{dial} {value}: {name} draws at no {dial}; leave it out")
        least = LEAST_DIAL if dial == "temperature" else 0.0
        if not least <= value < math.inf:
            whole = "; 1 draws from the model" if dial == "temperature" else ""
            raise ValueError(f"--{dial} {value}: give a positive number, {least:g} or more{whole}")
        if dial == "temperature" and getattr(model, PIXELS, None) == "median":
            raise ValueError(f"--temperature {value}: pixels are medians, which it does not move; add --pixels drawn")
        try:
            setattr(model, dial, value)
        except ValueError as error:  # what a truncation may be, its model says
            raise ValueError(f"--{error}") from None


def class_names(cell: Path) -> tuple[str, ...]:
    """Return the names of classes that the record of a cell holds; none where it holds none, or there is no record."""
    return tuple(Record.read(cell).stamp.get("class_names", ())) if (cell / layout.RECORD).is_file() else ()


def label_of(label: int | str | None, model: GenerativeModel, name: str, cell: Path) -> int | None:
    """Return the number of the class that a label means, its name or its number.

    Raises:
        ValueError: for a label that the model does not take or know.
    """
    if label is None:
        return None
    if "label" not in model.given:
        raise ValueError(f"--label {label}: {name} draws without labels")
    names = class_names(cell)
    (number,) = numbers([str(label)], names_of(names, model.spec.classes))
    if number == UNKNOWN:
        known = ", ".join(names) or f"0 to {model.spec.classes - 1}"
        raise ValueError(f"--label {label}: this model knows {known}")
    return number


def words_of(cell: Path) -> Vocabulary | None:
    """Return the words and thresholds that the record of a cell's folder holds; None where it holds none."""
    known = Record.read(cell).stamp.get("captions") if (cell / layout.RECORD).is_file() else None
    if known is None:
        return None
    return Vocabulary(tuple(known["words"]), {name: tuple(parts) for name, parts in known["thresholds"].items()})


def tokens_of(caption: str, model: GenerativeModel, name: str, cell: Path) -> Tensor:
    """Return the tokens ``(T,)`` of a caption by the words that the cell's record holds.

    Raises:
        ValueError: for a model that is given none, a cell whose words are not known, or words that make no caption.
    """
    if FIELD not in model.given:
        raise ValueError(f"--caption {caption!r}: {name} draws without captions")
    if not cell.is_dir():
        raise ValueError(f"--caption {caption!r}: give the cell's folder, whose record holds the words")
    known = words_of(cell)
    if known is None:
        raise ValueError(f"--caption {caption!r}: the record of {cell} holds no words; leave it out")
    try:
        return known.tokens(caption)
    except ValueError as error:
        raise ValueError(f"--caption {caption!r}: {error}") from error


def sample(
    cell: Path,
    number: int,
    output: Path,
    *,
    label: int | str | None = None,
    caption: str | None = None,
    pixels: str | None = None,
    temperature: float | None = None,
    truncation: float | None = None,
    seed: int,
    device: str,
    root: Path | None = None,
) -> None:
    """Write ``number`` fresh samples as :func:`genbench.runs.outputs.write` has it.

    Raises:
        ValueError: for an output of another kind; for a label, caption, pixels, temperature or truncation that the
            model does not take; for more samples than there are sources.
    """
    outputs.check(output)
    model = model_of(cell, device)
    name = origin_of(model, cell).recipe
    given = model.given
    spec = model.spec
    check_fits(f"-n {number}", number * spec.dimensions * SAMPLE_BYTES, "give fewer")
    label = label_of(label, model, name, cell)
    set_pixels(model, name, pixels)
    set_dials(model, name, temperature=temperature, truncation=truncation)
    fields = {} if caption is None else {FIELD: tokens_of(caption, model, name, cell).expand(number, -1)}
    wanted: Batch | None = None
    nothing = torch.empty((number, 0), dtype=torch.uint8)
    if given == ("label",):
        labels = torch.full((number,), label) if label is not None else torch.arange(number) % spec.classes
        wanted = Batch(nothing, labels)
    elif fields and given == tuple(fields):
        wanted = Batch(nothing, fields=fields)
    elif given:
        dataset = data_of(cell, number, root)
        wanted = asked(given, dataset, number)
        if label is not None and wanted.labels is not None:
            wanted = replace(wanted, labels=torch.full((number,), label))
        wanted = replace(shown(wanted, given, dataset), fields={**wanted.fields, **fields})
    arguments = {} if wanted is None else conditions(wanted, given)
    samples = model.sample(number, **arguments, generator=generator(seed, "sample")).cpu()
    outputs.write(output, samples, spec, wanted, class_names(cell))


def complete(
    cell: Path,
    number: int,
    output: Path,
    *,
    keep: int | None = None,
    label: int | str | None = None,
    temperature: float | None = None,
    seed: int,
    device: str,
    root: Path | None = None,
) -> None:
    """Write the first ``number`` test images, each above its completion: its top ``keep`` rows kept, the rest drawn.

    Half of the rows are kept by default. A model that is given labels is given the images' own, or ``label``.

    Raises:
        ValueError: for a model that does not complete, a number of rows that leaves nothing to keep or to draw, a label
            or temperature that the model does not take, or more images than the test split has.
    """
    model = model_of(cell, device)
    name = origin_of(model, cell).recipe
    height = model.spec.shape[1]
    if not isinstance(model, Completes):
        raise ValueError(f"--complete: {name} does not complete images; the autoregressive recipes do")
    rows = height // 2 if keep is None else keep
    if not 0 < rows < height:
        raise ValueError(f"--keep {rows}: images have {height} rows; give 1 to {height - 1}")
    label = label_of(label, model, name, cell)
    set_dials(model, name, temperature=temperature)
    batch = data_of(cell, number, root).test.rows(slice(number))
    if label is not None:
        batch = replace(batch, labels=torch.full((number,), label))
    drawn = model.complete(batch.to(model.device), rows, generator=generator(seed, "complete")).cpu()
    images = sample_grid.bands([batch.images, drawn], sample_grid.COLUMNS)
    sample_grid.write(output, images, model.spec.levels, most=None)
