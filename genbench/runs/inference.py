"""What a trained cell is used for afterwards: more samples, completions, and the likelihood of other images."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from genbench import catalog, data, interface
from genbench.abilities import Completes
from genbench.check import check_given, check_split
from genbench.data import folder
from genbench.data.captions import FIELD
from genbench.data.vocabulary import Vocabulary
from genbench.image_file import WHITE
from genbench.interface import GenerativeModel
from genbench.likelihood.effort import check_effort, effort_named
from genbench.likelihood.nll import nll
from genbench.memory import check_fits
from genbench.plots import sample_grid
from genbench.records import layout
from genbench.records.record import Record
from genbench.runs.conditions import asked, conditions, shown
from genbench.runs.likelihoods import anneals
from genbench.seed import generator
from genbench.spec import Batch, DataSpec, Split
from genbench.training import checkpoint

PIXELS = "pixels"  # the attribute of models that show them in several ways
LEAST_DIAL = 1e-3  # what is divided by less leaves the range of numbers
SAMPLE_BYTES = 16  # a value of a sample is drawn in 32 bits, kept in 8 and enlarged into a picture
MARKS = {"exact": "=", "bound": "≤", "estimate": "~"}


def model_of(cell: Path, device: str) -> GenerativeModel:
    """Return the model of a cell's folder, or of a safetensors file.

    Raises:
        ValueError: where there is none.
    """
    path = cell if cell.suffix == ".safetensors" else cell / layout.MODEL
    if not path.is_file():
        raise ValueError(f"{cell}: no trained model in it; give a cell, DIR/cells/DATASET/LABEL/seed-N")
    return checkpoint.load(path, device=device)


def origin_of(model: GenerativeModel, cell: Path) -> interface.Origin:
    """Return how the model of ``cell`` was built."""
    if model.origin is None:
        raise ValueError(f"{cell}: not known how it was built")
    return model.origin


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
    dataset = data.load(record.dataset, root=root, **how)
    if dict(dataset.hashes) != configuration.get("data"):
        raise ValueError(f"{record.dataset}: not the images that {cell} was trained on; give theirs by --data-dir")
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
        ValueError: for a model without it, or a value that is not positive, or that would move nothing.
    """
    for dial, value in dials.items():
        if value is None:
            continue
        if not hasattr(model, dial):
            raise ValueError(f"--{dial} {value}: {name} draws at no {dial}; leave it out")
        if not LEAST_DIAL <= value < math.inf:
            whole = "; 1 draws from the model" if dial == "temperature" else ""
            raise ValueError(f"--{dial} {value}: give a positive number, {LEAST_DIAL} or more{whole}")
        if dial == "temperature" and getattr(model, PIXELS, None) == "median":
            raise ValueError(f"--temperature {value}: pixels are medians, which it does not move; add --pixels drawn")
        setattr(model, dial, value)


def check_label(model: GenerativeModel, name: str, label: int | None) -> None:
    """Refuse (``ValueError``) a label that the model does not take or know."""
    if label is not None and "label" not in model.given:
        raise ValueError(f"--label {label}: {name} draws without labels")
    if label is not None and not 0 <= label < model.spec.classes:
        raise ValueError(f"--label {label}: this model knows 0 to {model.spec.classes - 1}")


def tokens_of(caption: str, model: GenerativeModel, name: str, cell: Path) -> Tensor:
    """Return the tokens ``(T,)`` of a caption by the words that the cell's record holds.

    Raises:
        ValueError: for a model that is given none, a cell whose words are not known, or words that make no caption.
    """
    if FIELD not in model.given:
        raise ValueError(f"--caption {caption!r}: {name} draws without captions")
    if not cell.is_dir():
        raise ValueError(f"--caption {caption!r}: give the cell's folder, whose record holds the words")
    known = Record.read(cell).stamp.get("captions")
    if known is None:
        raise ValueError(f"--caption {caption!r}: the record of {cell} holds no words; leave it out")
    try:
        return Vocabulary(**known).tokens(caption)
    except ValueError as error:
        raise ValueError(f"--caption {caption!r}: {error}") from error


def sample(
    cell: Path,
    number: int,
    output: Path,
    *,
    label: int | None = None,
    caption: str | None = None,
    pixels: str | None = None,
    temperature: float | None = None,
    truncation: float | None = None,
    seed: int,
    device: str,
    root: Path | None = None,
) -> None:
    """Write ``number`` fresh samples as a picture.

    Raises:
        ValueError: for a label, caption, pixels, temperature or truncation that the model does not take, or more
            samples than there are sources.
    """
    model = model_of(cell, device)
    name = origin_of(model, cell).recipe
    given = model.given
    spec = model.spec
    check_fits(f"-n {number}", number * spec.dimensions * SAMPLE_BYTES, "give fewer")
    check_label(model, name, label)
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
    sample_grid.write(output, samples, spec.levels, wanted, most=None)


def complete(
    cell: Path,
    number: int,
    output: Path,
    *,
    keep: int | None = None,
    label: int | None = None,
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
    check_label(model, name, label)
    set_dials(model, name, temperature=temperature)
    batch = data_of(cell, number, root).test.rows(slice(number))
    if label is not None:
        batch = replace(batch, labels=torch.full((number,), label))
    drawn = model.complete(batch.to(model.device), rows, generator=generator(seed, "complete")).cpu()
    images = sample_grid.bands([batch.images, drawn], sample_grid.COLUMNS)
    sample_grid.write(output, images, model.spec.levels, most=None)


def score(
    cell: Path,
    dataset: str | None,
    images: Path | None,
    *,
    draws: int | None,
    effort: str | None = None,
    limit: int | None,
    seed: int,
    device: str,
    root: Path | None = None,
    alpha: str = WHITE,
) -> str:
    """Return the bits per dimension of a data set's test split, or of a folder's images, in a line that says how.

    Raises:
        ValueError: for an effort that there is not, or of a model that anneals nothing; for images of another shape or
            of other levels than the model's, or without its conditions.
    """
    chosen = effort_named(check_effort(effort or "fast"))
    model = model_of(cell, device)
    recipe = catalog.recipe(origin_of(model, cell).recipe)
    spec = model.spec
    estimate = recipe.likelihood == "estimate" and anneals(model)
    if effort is not None and not estimate:
        raise ValueError(f"--effort {effort}: the likelihood of {recipe.name} anneals nothing; leave it out")
    if images is not None:
        name = str(images)
        aligned = False
        split, theirs = in_folder(images, spec, alpha)
    else:
        size = spec.shape[1] if "folder:" in (dataset or "") else None
        loaded = data.load(dataset or "", root=root, size=size, alpha=alpha)
        name = loaded.name
        aligned = loaded.aligned
        split = loaded.test
        theirs = loaded.spec
    if (theirs.shape, theirs.levels) != (spec.shape, spec.levels):
        raise ValueError(
            f"{name}: images of {theirs.shape} with {theirs.levels} levels; the model was trained on "
            f"{spec.shape} with {spec.levels}"
        )
    has = {"label": split.labels, "source": split.sources, **split.fields}
    lacks = [given for given in model.given if has.get(given) is None]
    if lacks:
        raise ValueError(f"{name}: {recipe.name} needs a {lacks[0]} with each image, and there is none")
    if not aligned and spec.translates(model.given):
        raise ValueError(f"{name}: its sources belong to no image of it, so that {recipe.name} has no likelihood there")
    if "label" in model.given and theirs.classes != spec.classes:
        raise ValueError(f"{name}: {theirs.classes} classes; the model knows {spec.classes}")
    check_split(theirs, split, name)
    check_given(model.given, split, name)
    likelihood = nll(
        model,
        split,
        dimensions=spec.dimensions,
        draws=draws or (chosen.chains if estimate else 1),
        effort=effort or "fast",
        limit=limit or (10 if estimate else None),
        generator=generator(seed, "score"),
    )
    error = "" if likelihood.standard_error is None else f" ± {likelihood.standard_error:.4f}"
    given = f", given {' and '.join(likelihood.given)}" if likelihood.given else ""
    worth = f" ({likelihood.ess:.3g} effective)" if likelihood.ess is not None else ""
    hard = f", effort {effort or 'fast'}" if estimate else ""
    added = ", with added noise that samples do not have" if likelihood.observation == "added" else ""
    return (
        f"{MARKS[likelihood.kind]} {likelihood.bpd:.4f}{error} bits/dim ({likelihood.kind}, {likelihood.method}, "
        f"draws {likelihood.draws}{worth}{hard}{given}{added}; {likelihood.images} images of {name})"
    )


def in_folder(path: Path, spec: DataSpec, alpha: str = WHITE) -> tuple[Split, DataSpec]:
    """Return every image below a folder, at the model's size, with the classes of its folders."""
    raw = folder.load(path, size=spec.shape[1], alpha=alpha)
    parts = [(raw.images, raw.labels)] + ([raw.test] if raw.test is not None else [])
    images = torch.cat([part for part, _ in parts])
    if images.shape[1] == 1:  # grey files are as good as colour ones with three equal channels
        images = images.expand(-1, spec.shape[0], -1, -1)
    labels = torch.cat([part for _, part in parts if part is not None]) if raw.classes else None
    shape = images.shape[1:]
    return Split(images, labels), DataSpec((shape[0], shape[1], shape[2]), raw.levels, raw.classes)
