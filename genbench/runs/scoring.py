"""The likelihood of images under a trained cell: of a data set's test split, or of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from genbench import catalog, data
from genbench.check import check_given, check_split
from genbench.data import folder
from genbench.data.captions import FIELD
from genbench.data.classes import UNKNOWN, names_of, numbers
from genbench.image_file import WHITE
from genbench.likelihood.effort import check_effort, effort_named
from genbench.likelihood.nll import nll
from genbench.runs import each as each_image
from genbench.runs.inference import class_names, data_of, model_of, origin_of, words_of
from genbench.runs.likelihoods import anneals
from genbench.seed import generator
from genbench.spec import DataSpec, Split
from genbench.stats import spread

MARKS = {"exact": "=", "bound": "≤", "estimate": "~"}


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
    each: Path | None = None,
) -> str:
    """Return the bits per dimension of a data set's test split, or of a folder's images, in a line that says how.

    What is known of each image goes into the CSV ``each``, where one is given: see :func:`genbench.runs.each.write`.

    Raises:
        ValueError: for an effort that there is not, or of a model that anneals nothing; for images of another shape or
            of other levels than the model's, or without its conditions; for an ``each`` that is no CSV, or a cell
            whose training images are not at hand.
    """
    if each is not None:
        each_image.check(each)
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
        split, theirs, found = in_folder(images, spec, alpha)
    else:
        asked = dataset or ""
        resized = any(f"{kind}:" in asked for kind in data.PICTURES)
        try:
            loaded = data.load(asked, root=root, size=side(spec) if resized else None, alpha=alpha)
        except ValueError as refused:
            raise ValueError(str(refused).replace(folder.ADVICE, folder.BESIDE_SIZE)) from refused
        name = loaded.name
        aligned = loaded.aligned
        split = loaded.test
        theirs = loaded.spec
        found = loaded.class_names
        if FIELD in model.given and loaded.vocabulary not in (None, words_of(cell) or loaded.vocabulary):
            raise ValueError(f"{name}: its captions are of other words or thresholds than those the model was told")
    if "label" in model.given and split.labels is not None and found:
        number = _numbers(name, found, class_names(cell), spec.classes)
        split = Split(split.images, number[split.labels], split.sources, split.fields)
        theirs = replace(theirs, classes=spec.classes)
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
    train = None if each is None else data_of(cell, 0, root).train.images
    limit = limit or (10 if estimate else None)
    likelihood = nll(
        model,
        split,
        dimensions=spec.dimensions,
        draws=draws or (chosen.chains if estimate else 1),
        effort=effort or "fast",
        limit=limit,
        generator=generator(seed, "score"),
    )
    if each is not None and train is not None:
        each_image.write(each, model, split, spread(len(split), limit), likelihood.per_image, train)
    error = "" if likelihood.standard_error is None else f" ± {likelihood.standard_error:.4f}"
    given = f", given {' and '.join(likelihood.given)}" if likelihood.given else ""
    worth = f" ({likelihood.ess:.3g} effective)" if likelihood.ess is not None else ""
    hard = f", effort {effort or 'fast'}" if estimate else ""
    few = f"{likelihood.images} of " if likelihood.images < len(split) else ""
    added = ", with added noise that samples do not have" if likelihood.observation == "added" else ""
    return (
        f"{MARKS[likelihood.kind]} {likelihood.bpd:.4f}{error} bits/dim ({likelihood.kind}, {likelihood.method}, "
        f"draws {likelihood.draws}{worth}{hard}{given}{added}; {few}{len(split)} images of {name})"
    )


def side(spec: DataSpec) -> int | None:
    """Return the side that images are resized and cropped to; None where they are not square, and stay as they are."""
    _, height, width = spec.shape
    return height if height == width else None


def in_folder(path: Path, spec: DataSpec, alpha: str = WHITE) -> tuple[Split, DataSpec, tuple[str, ...]]:
    """Return every image below a folder, at the model's size, their spec, and the names of their classes."""
    square = side(spec)
    raw = folder.load_as_it_is(path, alpha) if square is None else folder.load(path, square, alpha)
    parts = [(raw.images, raw.labels)] + ([raw.test] if raw.test is not None else [])
    images = torch.cat([part for part, _ in parts])
    if images.shape[1] == 1:  # grey files are as good as colour ones with three equal channels
        images = images.expand(-1, spec.shape[0], -1, -1)
    labels = torch.cat([part for _, part in parts if part is not None]) if raw.classes else None
    channels, height, width = images.shape[1:]
    return Split(images, labels), DataSpec((channels, height, width), raw.levels, raw.classes), raw.class_names


def _numbers(name: str, found: Sequence[str], names: Sequence[str], classes: int) -> Tensor:
    """Return the number of the model's class that each name found means; by position where its classes have no names.

    Raises:
        ValueError: for a name that no class has.
    """
    known = names_of(names, classes)
    number = numbers(found, known)
    if set(number) == {UNKNOWN} and not names and len(found) == classes:
        number = list(range(classes))
    if UNKNOWN in number:
        foreign = found[number.index(UNKNOWN)]
        raise ValueError(f"{name}: no class of this model is called {foreign}: it knows {', '.join(known)}")
    return torch.tensor(number)
