"""Data sets of other libraries, read item by item: torch's, torchvision's, Hugging Face's.

None of these is imported. An item is a pair of image and label, an image alone, or a mapping with a column of images,
as a Hugging Face data set has it, whose ``features`` say which column that is and what the classes are called.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from genbench.data.arrays import CHANNELS, as_labels
from genbench.data.stack import Stack
from genbench.errors import shown
from genbench.image_file import seen

IMAGES = ("image", "img")  # columns of images, where nothing says which it is
LABELS = ("label", "labels", "fine_label")


@dataclass(frozen=True)
class Items:
    """What several data sets hold, one behind another.

    Args:
        images: the images, uint8 ``(N, C, H, W)``.
        labels: the labels, int64 ``(N,)``; None where no item has one.
        counts: the number of images of each data set.
        class_names: the name of each class, where the first data set names them.
    """

    images: Tensor
    labels: Tensor | None
    counts: tuple[int, ...]
    class_names: tuple[str, ...]


def gathered(datasets: Sequence[Any], image: str | None, label: str | None, alpha: str) -> Items:
    """Return the items of data sets of one kind.

    Args:
        datasets: the data sets, each with a length and items by number.
        image: the column of images, where items are mappings; by default that which is one.
        label: the column of labels, likewise.
        alpha: the ground that transparent pictures lie on: see :func:`genbench.image_file.ground`.

    Raises:
        ValueError: for what is no such data set, items that are no images, sizes that differ, or labels that are no
            classes from 0.
    """
    counts = tuple(map(_length, datasets))
    columns = _columns(datasets[0], image, label)
    stack, labels = Stack(sum(counts), "give fewer"), []
    for dataset, count in zip(datasets, counts, strict=True):
        for i in range(count):
            picture, its = _parts(dataset[i], columns, i)
            pixels = _pixels(picture, alpha, i)
            if stack.side not in ((), pixels.shape[:2]):
                a, b = ("×".join(map(str, side[::-1])) for side in (stack.side, pixels.shape[:2]))
                raise ValueError(f"item {i} is {b} and the first is {a}; have the data set resize and crop all")
            stack.add(pixels, "the first")
            if its is not None:
                labels.append(_number(its, i))
    if not labels:
        return Items(stack.images, None, counts, ())
    if len(labels) < sum(counts):
        raise ValueError(f"{len(labels)} of {sum(counts)} items have a label; give all of them one, or none")
    found = as_labels(np.array(labels, np.int64), len(labels))
    names = _class_names(datasets[0], columns[1])
    if names and len(names) != int(found.max()) + 1:
        raise ValueError(
            f"labels run to {int(found.max())}, and there are {len(names)} names of classes; number from 0"
        )
    return Items(stack.images, found, counts, names)


def _length(dataset: Any) -> int:  # noqa: ANN401 - whatever is handed over
    if isinstance(dataset, Mapping):
        some = ", ".join(map(repr, list(dataset)[:3]))
        raise ValueError(f"dataset is a mapping of {some}: give one of these, and another as test")
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise ValueError(f"dataset is {type(dataset).__name__}: give one with a length and items by number")
    if not len(dataset):
        raise ValueError("dataset has no items; give some")
    return len(dataset)


def _columns(dataset: Any, image: str | None, label: str | None) -> tuple[str, str]:  # noqa: ANN401
    """Return the columns of images and labels of a data set whose items are mappings; of another they are not asked."""
    first = dataset[0]
    if not isinstance(first, Mapping):
        if image or label:
            raise ValueError(f"image={image!r}, label={label!r}: items are no mappings, so that they have no columns")
        return "", ""
    features = getattr(dataset, "features", None) or {}

    def column(asked: str | None, kind: str, usual: tuple[str, ...]) -> str | None:
        of_kind = [name for name, feature in features.items() if type(feature).__name__ == kind]
        wanted = (asked,) if asked else (*of_kind, *usual)
        return next((name for name in wanted if name in first), None)

    of_images, of_labels = column(image, "Image", IMAGES), column(label, "ClassLabel", LABELS)
    for argument, asked, found in (("image", image, of_images), ("label", label, of_labels)):
        if found is None and (asked or argument == "image"):
            raise ValueError(f"{argument}={asked!r}: give a column of {argument}s; there are {', '.join(first)}")
    return of_images or "", of_labels or ""


def _parts(item: Any, columns: tuple[str, str], i: int) -> tuple[Any, Any]:  # noqa: ANN401
    """Return image and label of an item; None where it has no label."""
    if isinstance(item, Mapping):
        return item[columns[0]], item.get(columns[1])
    if isinstance(item, tuple | list):
        if not 1 <= len(item) <= 2:
            raise ValueError(f"item {i} has {len(item)} parts; give an image and a label")
        return item[0], item[1] if len(item) == 2 else None
    return item, None


def _number(label: Any, i: int) -> int:  # noqa: ANN401
    try:
        return operator.index(label)
    except TypeError as error:
        raise ValueError(f"item {i}: label {shown(label)}; give the number of a class, from 0") from error


def _class_names(dataset: Any, column: str) -> tuple[str, ...]:  # noqa: ANN401
    feature = (getattr(dataset, "features", None) or {}).get(column) if column else dataset
    names = getattr(feature, "names" if column else "classes", None)
    return tuple(map(str, names or ()))


def _pixels(picture: Any, alpha: str, i: int) -> np.ndarray:  # noqa: ANN401
    """Return a picture as uint8 ``(H, W)`` or ``(H, W, 3)``."""
    from PIL.Image import Image

    if isinstance(picture, Image):
        try:
            return np.asarray(seen(picture, alpha).image, np.uint8)
        except ValueError as error:
            raise ValueError(f"item {i}: {error}") from error
    if isinstance(picture, Tensor):
        array = picture.detach().cpu().numpy()
        first = array.ndim == 3 and array.shape[0] in CHANNELS
        array = array.transpose(1, 2, 0) if first else array
    elif isinstance(picture, np.ndarray):
        array = picture
    else:
        raise ValueError(f"item {i}: {type(picture).__name__} is no image; give one of PIL, a tensor or an array")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in CHANNELS) or not array.size:
        raise ValueError(f"item {i}: shape {tuple(picture.shape)}; give an image of 1 or 3 channels")
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f" or not (array.min() >= 0 and array.max() <= 1):
        what = f"{array.dtype} from {array.min():.4g} to {array.max():.4g}"
        raise ValueError(f"item {i}: {what}; give uint8, or floats from 0 to 1 (leave Normalize out)")
    return (array * 255).round().astype(np.uint8)
