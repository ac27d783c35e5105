"""Arrays in an .npz file: ``images``, and beside them ``labels``, ``sources``, fields and splits, if there are any.

======================  ==========================================================================================
``images``              uint8 N×H×W, N×H×W×C, or N×C×H×W where the last axis has not 1 or 3; ``arr_0`` too
``labels``              N integers, numbered from 0; ``arr_1`` or ``y`` too
``class_names``         a text for each class, in order
``sources``             uint8, as images are, of any size: source i is what image i is translated from
``field_NAME``          N integers, or N×…: a field of the image by that name; its levels are as many as occur
``source_field_NAME``   the same of the source
``train``               rows of the training split, and likewise ``validation`` and ``test``: all three, or none; they
                        come in random order, with sources in their own
======================  ==========================================================================================

An array by another name is refused, since it would be one that is misspelt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from genbench import array_file
from genbench.data.arrays import as_images, as_labels, check_images
from genbench.data.mapped import Pages, mapped, state
from genbench.data.raw import Raw
from genbench.data.splits import SHARES, stratified
from genbench.files import digest
from genbench.memory import holds
from genbench.seed import generator
from genbench.spec import Field, check_field_name

PLAIN = ("images", "labels", "sources", "class_names")
PARTS = ("train", "validation", "test")
ALIASES = {"arr_0": "images", "arr_1": "labels", "y": "labels"}  # what other programs call them
MOST_LEVELS = 65_536  # of a field: more are identifiers, of which a network would have to hold a row each
SHOWN = 5  # names in a refusal
FIELDS: dict[str, Literal["image", "source"]] = {"field_": "image", "source_field_": "source"}


def load(path: Path, *, laid_out: bool = False) -> Raw:
    """Read the arrays; no object in the file is unpickled.

    ``laid_out``, images that memory does not hold are mapped, in the order of the splits that they are to be in.

    Raises:
        ValueError: for a file that is missing, damaged, or whose arrays are not that.
    """
    arrays, large = _arrays(path, laid_out)
    if "images" not in arrays and large is None:
        raise ValueError(f"{path}: no array 'images'; save one with numpy.savez({path.name!r}, images=…)")
    images = as_images(arrays["images"], f"{path}: images") if large is None else _promised(*large, path)
    labels = _labels(arrays["labels"], len(images), path) if "labels" in arrays else None
    classes = 0 if labels is None else int(labels.max()) + 1
    sources = as_images(arrays["sources"], f"{path}: sources") if "sources" in arrays else None
    kinds: dict[str, Field] = {}
    fields: dict[str, Tensor] = {}
    for key, values in arrays.items():
        prefix = next((prefix for prefix in FIELDS if key.startswith(prefix)), None)
        if prefix is None:
            continue
        name = key.removeprefix(prefix)
        if name in fields:
            raise ValueError(f"{path}: {key}: give each field a name of its own")
        try:
            check_field_name(name)
        except ValueError as error:
            raise ValueError(f"{path}: {key!r}: {error}") from error
        if prefix == "source_field_" and sources is None:
            raise ValueError(f"{path}: {key}: a field of the sources, and there is no array 'sources'")
        fields[name] = _integers(values, path, key)
        if int(values.max()) >= MOST_LEVELS:
            raise ValueError(f"{path}: {key} runs to {values.max()}; number its values from 0, below {MOST_LEVELS}")
        kinds[name] = Field(tuple(values.shape[1:]), int(values.max()) + 1, FIELDS[prefix])
    parts = None
    if given := [name for name in PARTS if name in arrays]:
        if len(given) < len(PARTS):
            raise ValueError(f"{path}: rows of {' and '.join(given)}; give train, validation and test, or none of them")
        train, validation, test = (_integers(arrays[name], path, name) for name in PARTS)
        if sources is None:  # with sources a translation is known by its row
            train, validation, test = (
                rows[torch.randperm(len(rows), generator=generator(0, "npz", name))]
                for name, rows in zip(PARTS, (train, validation, test), strict=True)
            )
        parts = train, validation, test
    names = _class_names(arrays["class_names"], classes, path) if "class_names" in arrays else ()
    try:
        raw = Raw(images, labels, classes=classes, parts=parts, sources=sources, fields=fields, kinds=kinds)
        raw = replace(raw, class_names=names)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return raw if large is None else _in_order(raw, large[0], path)


def load_array(path: Path) -> Tensor:
    """Return the images of an ``.npy``, uint8 ``(N, C, H, W)``.

    Raises:
        ValueError: for a file that is damaged, or no such array.
    """
    return as_images(array_file.npy(path), f"{path}: images")


def named(names: Sequence[str]) -> dict[str, str]:
    """Return what each array of a file is here, by its name there: an alias counts where nothing has its own name."""
    meant: dict[str, str] = {}
    for name in sorted(names, key=lambda name: name in ALIASES):
        alias = ALIASES.get(name, name)
        meant[name] = name if alias in meant.values() else alias
    return meant


def _arrays(path: Path, laid_out: bool) -> tuple[Mapping[str, np.ndarray], tuple[str, array_file.Head] | None]:
    """Return the arrays of the file, all of which mean something here; of images that memory does not hold, what they
    are called there and what they are.

    Raises:
        ValueError: for a file that is missing or damaged, and for arrays by other names.
    """
    known = {*PLAIN, *PARTS, *ALIASES}
    heads, strange = array_file.heads(path, lambda name: name in known or name.startswith(tuple(FIELDS)))
    called = named(list(heads))
    large = next((n for n in heads if called[n] == "images" and laid_out and not holds(heads[n].bytes)), None)
    found, _ = array_file.npz(path, lambda name: name in heads and name != large)
    arrays = {called[name]: array for name, array in found.items() if called[name] not in ALIASES}
    strange += [name for name in heads if called[name] in ALIASES]
    if strange and ("images" in arrays or large):
        raise ValueError(f"{path}: {_unread(strange)}")
    return arrays, None if large is None else (large, heads[large])


def _promised(name: str, head: array_file.Head, path: Path) -> Tensor:
    """Return images of the shape that a file's are to have, in no memory, until they are mapped."""
    last = check_images(head.shape, head.dtype, f"{path}: {name}")
    count, *axes = head.shape
    shape = (1, *axes) if len(axes) == 2 else (axes[2], *axes[:2]) if last else axes
    return torch.zeros((), dtype=torch.uint8).expand(count, *shape)


def _in_order(raw: Raw, name: str, path: Path) -> Raw:
    """Return data whose images memory does not hold in the order of their splits, as a file of the cache has them."""
    rows = raw.parts or stratified(raw.labels, len(raw.images), SHARES)
    order = torch.cat(tuple(rows))
    places = torch.full((len(raw.images),), -1)
    places[order] = torch.arange(len(order))

    def fill(pages: Pages) -> Mapping[str, int]:
        pages.begin((len(order), *raw.images.shape[1:]))
        numbers = iter(places.tolist())
        for chunk in array_file.rows(path, name):
            for place, image in zip(islice(numbers, len(chunk)), as_images(chunk, name).numpy(), strict=True):
                if place >= 0:
                    pages.put(place, image)
        return {}

    file = {"npz": str(path.absolute()), "state": state(path), "order": digest({"order": order})}
    images, _ = mapped(file, fill)
    train, validation, test = torch.arange(len(order)).split([len(part) for part in rows])
    return replace(
        raw,
        images=images,
        labels=None if raw.labels is None else raw.labels[order],
        sources=None if raw.sources is None else raw.sources[order],
        fields={key: values[order] for key, values in raw.fields.items()},
        parts=(train, validation, test),
    )


def _unread(names: list[str]) -> str:
    """Return that arrays of these names are not read, and what would be."""
    keys = [*PLAIN, *PARTS, *(f"{prefix}NAME" for prefix in FIELDS)]
    first = names[:SHOWN]
    said = ", ".join(f"{name!r}" for name in first) + (f" and {len(names) - SHOWN} more" if names[SHOWN:] else "")
    near = {key for name in first for key in get_close_matches(name, keys, n=1)}
    hint = f" (did you mean {' or '.join(sorted(near))}?)" if near else ""
    return f"arrays {said} are not read{hint}; take them out, or name each as one of {', '.join(keys)}"


def _labels(labels: np.ndarray, count: int, path: Path) -> Tensor:
    try:
        return as_labels(labels, count)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _class_names(names: np.ndarray, classes: int, path: Path) -> tuple[str, ...]:
    if names.dtype.kind != "U" or names.shape != (classes,) or len(set(names.tolist())) < classes:
        what = f"class_names are {names.dtype} {names.shape}"
        raise ValueError(f"{path}: {what}; give each of {classes} classes a text of its own")
    return tuple(names.tolist())


def _integers(values: np.ndarray, path: Path, name: str) -> Tensor:
    """Return a field, or the rows of a split, as int64."""
    if values.dtype.kind not in "iu" or values.ndim == 0 or values.size == 0:
        raise ValueError(f"{path}: {name} is {values.dtype} {values.shape}; give integers, at least one")
    if int(values.min()) < 0:
        raise ValueError(f"{path}: {name} runs from {values.min()}; give integers from 0")
    return torch.from_numpy(values.astype(np.int64))
