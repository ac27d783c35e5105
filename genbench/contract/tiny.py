"""Tiny data of whatever a recipe needs, and models of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from genbench import catalog
from genbench.errors import reason
from genbench.interface import GenerativeModel
from genbench.spec import SOURCE_LEVELS, Batch, DataSpec, Field, Split, Splits

CLASSES = 4
LABELLED = 12
UNPAIRED = 5  # by so many rows the sources of unpaired training images are more
Shape = tuple[int, int, int]
SHAPES: tuple[Shape, ...] = tuple((channels, side, side) for side in (8, 16, 32, 64) for channels in (1, 3))


def field_of(name: str, shape: Shape) -> Field | None:
    """Return a small field of one of the names that recipes know, for images of ``shape``; None for any other."""
    known = {
        "caption": Field((4,), 9),
        "domain": Field((), 3),
        "source_domain": Field((), 3, "source"),
        "shadow": Field((1, *shape[1:]), 2),
        "landmarks": Field((4, 2), max(shape[1:]), "source"),
        "identity": Field((), 6),
    }
    return known.get(name)


def spec_for(entry: catalog.Recipe, shape: Shape, levels: int = 256, source: Shape | None = None) -> DataSpec:
    """Return a spec that has what a recipe needs and is given, and labels and sources whether it needs them or not.

    Sources are as large as images, and grey, unless their shape is given; domains are all of the images' shape.
    """
    asked = {*entry.needs, *entry.given}
    return DataSpec(
        shape,
        levels,
        CLASSES,
        source=shape if "domain" in asked else source or (1, *shape[1:]),
        paired="unpaired" not in asked,
        labelled=LABELLED if "labelled" in asked else None,
        fields={name: one for name in sorted(asked) if (one := field_of(name, shape)) is not None},
    )


def specs(entry: catalog.Recipe, shapes: Iterable[Shape] = SHAPES, levels: int = 256) -> Iterator[DataSpec]:
    """Yield the specs of each shape, the second with sources of half the sides."""
    for channels, height, width in shapes:
        yield spec_for(entry, (channels, height, width), levels)
        if min(height, width) > 1:
            yield spec_for(entry, (channels, height, width), levels, (channels, height // 2, width // 2))


def built(
    name: str, options: Mapping[str, Any], shapes: Iterable[Shape] = SHAPES, levels: int = 256, *, seed: int = 0
) -> GenerativeModel:
    """Return a model of the recipe on the first of its :func:`specs` that it takes.

    Raises:
        ValueError: where it takes none, with what it says of the first.
    """
    said = ""
    for spec in specs(catalog.recipe(name), shapes, levels):
        try:
            return catalog.build(name, spec, seed=seed, **options)
        except Exception as error:  # whatever a third party's recipe does with a shape that it does not take
            said = said or reason(error)
    raise ValueError(said)


def splits(spec: DataSpec, train: int = 48, validation: int = 16) -> Splits:
    """Return images with something to learn in them, and whatever else the spec says: always the same."""
    source = torch.Generator().manual_seed(0)
    values = torch.Generator().manual_seed(1)

    def split(n: int, more: int = 0) -> Split:
        smooth = interpolate(torch.rand(n, spec.shape[0], 2, 2, generator=source), size=spec.shape[1:])
        noise = torch.rand(n, *spec.shape, generator=source)
        images = ((0.7 * smooth + 0.3 * noise) * spec.levels).to(torch.uint8)
        images[:, :, 0, 0] = 0  # in an end bin, where flows have noise of their own
        sources: Tensor | None = None
        if spec.source is not None:
            channels, *sides = spec.source
            seen = interpolate(images.float(), size=sides)[:, torch.arange(channels) % spec.shape[0]]
            edges = (seen > spec.levels // 2).to(torch.uint8) * (SOURCE_LEVELS - 1)
            sources = edges[torch.arange(n + more).roll(more) % n]  # unpaired: another number, in another order
        rows = {"image": n, "source": n + more}
        fields = {
            name: torch.randint(one.levels, (rows[one.of], *one.shape), generator=values)
            for name, one in sorted(spec.fields.items())  # a loaded spec may have them in another order
        }
        return Split(images, torch.arange(n) % spec.classes if spec.classes else None, sources, fields)

    made = Splits(split(train, 0 if spec.paired else UNPAIRED), split(validation))
    if spec.labelled is not None and made.train.labels is not None:
        made.train.labels[spec.labelled :] = -1
    return made


def told(model: GenerativeModel, batch: Batch) -> dict[str, Any]:
    """Return what a sample for each row of ``batch`` is given, as arguments of ``sample``."""
    out: dict[str, Any] = {}
    if "label" in model.given:
        out["labels"] = batch.labels
    if "source" in model.given:
        out["sources"] = batch.sources
    if fields := {name: batch.fields[name] for name in model.given if name in batch.fields}:
        out["fields"] = fields
    return out


def noise(seed: int = 1) -> Generator:
    """Return a fresh generator."""
    return Generator().manual_seed(seed)


def draw(model: GenerativeModel, batch: Batch, seed: int = 1) -> Tensor:
    """Draw a sample for each row of ``batch``."""
    return model.sample(len(batch), generator=noise(seed), **told(model, batch))


def every_image(spec: DataSpec) -> Tensor:
    """Return every image of a spec, uint8 ``(levels ** (C·H·W), C, H, W)``."""
    grid = torch.cartesian_prod(*[torch.arange(spec.levels)] * spec.dimensions)
    return grid.reshape(-1, *spec.shape).to(torch.uint8)


def under(batch: Batch, row: int, images: Tensor) -> Batch:
    """Return ``images``, each with what belongs to one row of ``batch``."""
    return replace(batch.rows(torch.full((len(images),), row)), images=images)
