"""A user's own images, translated by a trained cell into a picture: sources above what was made of them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from genbench import data
from genbench.data import folder
from genbench.image_file import WHITE
from genbench.interface import GenerativeModel
from genbench.plots import sample_grid
from genbench.plots.grid import draw_grid
from genbench.records import layout
from genbench.records.record import Record
from genbench.runs.conditions import DOMAIN
from genbench.runs.inference import label_of, laid_out, model_of, origin_of
from genbench.seed import generator
from genbench.spec import to_bytes
from genbench.stats import spread

SOURCE_DOMAIN = "source_domain"  # the field that says which domain a source is in


def translate(
    cell: Path,
    path: Path,
    number: int,
    output: Path,
    *,
    domain: int | None = None,
    source_domain: int | None = None,
    label: int | str | None = None,
    seed: int,
    device: str,
    alpha: str | None = None,
) -> tuple[int, int]:
    """Write ``number`` images of a file or folder, spread evenly over it, and below each what the cell makes of it.

    Where a cell translates into several domains and none is named, there is a line for each. Pictures are read as those
    that it was trained on were: the middle square resized, if they were, and on the same ground, unless ``alpha`` names
    another.

    Returns:
        The number of images shown, and of those found.

    Raises:
        ValueError: for a cell that translates nothing, images of another size or of other channels than its sources,
            a condition that the cell does not take or know, or one that it lacks.
    """
    model = model_of(cell, device)
    name = origin_of(model, cell).recipe
    if "source" not in model.given or model.spec.source is None:
        raise ValueError(f"--source {path}: {name} translates nothing; leave it out")
    beyond = [given for given in model.given if given not in ("source", "label", DOMAIN, SOURCE_DOMAIN)]
    if beyond:
        raise ValueError(f"--source {path}: {name} is told {beyond[0]} too, which no file of an image says")
    label = label_of(label, model, name, cell)
    wanted = _domains(model, name, DOMAIN, domain)
    if SOURCE_DOMAIN in model.given and source_domain is None:
        raise ValueError(f"--source {path}: {name} is told which domain images come from; say --source-domain K")
    coming = _domains(model, name, SOURCE_DOMAIN, source_domain)
    found = _sources(path, model.spec.source, cell, alpha)
    sources = found[spread(len(found), number)]  # a folder is read class by class
    n = len(sources)
    rows = [sample_grid.like(sources, torch.empty((n, *model.spec.shape)))]
    told = {SOURCE_DOMAIN: torch.full((n,), coming[0])} if coming else {}
    for fields in [told | {DOMAIN: torch.full((n,), going)} for going in wanted] or [told]:
        labels = None if label is None else torch.full((n,), label)
        noise = generator(seed, "sample")
        drawn = model.sample(n, labels=labels, sources=sources, fields=fields, generator=noise).cpu()
        rows.append(to_bytes(drawn, model.spec.levels))
    columns = min(n, sample_grid.COLUMNS)
    draw_grid(sample_grid.bands(rows, columns).numpy(), output, columns=columns)
    return n, len(found)


def _domains(model: GenerativeModel, name: str, field: str, wanted: int | None) -> list[int]:
    """Return the domain that is wanted, or all of them; none for a model that is told none."""
    option = f"--{field.replace('_', '-')} {wanted}"
    if field not in model.given:
        if wanted is not None:
            raise ValueError(f"{option}: {name} is told no {field.replace('_', ' ')}; leave it out")
        return []
    levels = model.spec.fields[field].levels
    if wanted is not None and not 0 <= wanted < levels:
        raise ValueError(f"{option}: this model knows 0 to {levels - 1}")
    return list(range(levels)) if wanted is None else [wanted]


def _of_pictures(cell: Path) -> bool:
    """Return whether the sources that a cell was trained on were pictures, which it may have cut and resized."""
    return (cell / layout.RECORD).is_file() and data.in_pictures(Record.read(cell).dataset)


def _sources(path: Path, shape: tuple[int, int, int], cell: Path, alpha: str | None) -> Tensor:
    """Return a user's images as sources of ``shape``: grey ones, however they are stored, in its channels.

    Raises:
        ValueError: for images of another size where the cell resized none, or colour where sources are grey.
    """
    channels, height, width = shape
    told = laid_out(cell) if _of_pictures(cell) else {}
    resized = None if told.get("size") is None else height  # to a square: so all its pictures were
    images = folder.pictures(path, alpha or told.get("alpha") or WHITE, resized)
    found, *sides = images.shape[1:]
    if sides != [height, width]:
        theirs = f"{sides[1]}×{sides[0]}"
        raise ValueError(f"--source {path}: images are {theirs}; this cell translates {width}×{height}; resize them")
    if images.shape[1] not in (1, channels):
        raise ValueError(f"--source {path}: {found} channels where this cell translates {channels}; convert them")
    return images.expand(-1, channels, -1, -1).contiguous()
