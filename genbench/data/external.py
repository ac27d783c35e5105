"""Samples of a model that was not trained here, as they come: an array, a folder of images, an ``.npz``, a ``.npy``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from genbench import array_file
from genbench.data import folder as folders
from genbench.data import npz
from genbench.data.arrays import flat
from genbench.data.classes import UNKNOWN, names_of, numbers
from genbench.image_file import WHITE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from genbench.data import Dataset


@dataclass(frozen=True)
class Samples:
    """Samples as they came.

    Args:
        images: the images, of any type and shape.
        labels: an integer for each, -1 where it has no label; None where nothing says any.
        notes: what a reader of their figures has to know of their labels.
    """

    images: Tensor
    labels: Any = None
    notes: tuple[str, ...] = ()


def read(images: Tensor | ArrayLike | Path | str, known: Dataset, alpha: str = WHITE) -> Samples:
    """Return samples wherever they are; class folders are matched with the classes of ``known`` by name.

    Raises:
        ValueError: for a file or folder that holds no such thing.
    """
    if not isinstance(images, Path | str):
        return Samples(images.detach().cpu() if isinstance(images, Tensor) else _tensor(np.asarray(images), "images"))
    path = Path(images).expanduser()
    if path.is_dir():
        return _folder(path, known, alpha)
    if path.suffix not in (".npz", ".npy") or not path.is_file():
        raise ValueError(f"{path}: give a folder of images, an .npz with an array 'images', or an .npy")
    if path.suffix == ".npy":
        return Samples(_tensor(array_file.npy(path), str(path)))
    known_names = ("images", "labels", *npz.ALIASES)
    found, _ = array_file.npz(path, lambda name: name in known_names)
    arrays = {name: found[own] for own, name in npz.named(list(found)).items()}
    if "images" not in arrays:
        raise ValueError(f"{path}: no array 'images'; save one with numpy.savez({path.name!r}, images=…)")
    return Samples(_tensor(arrays["images"], str(path)), flat(arrays["labels"]) if "labels" in arrays else None)


def _tensor(array: np.ndarray, name: str) -> Tensor:
    try:
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=True))
    except TypeError as error:  # words, objects, numbers of sixteen bytes
        raise ValueError(f"{name}: an array of {array.dtype}; give uint8") from error


def _folder(path: Path, known: Dataset, alpha: str) -> Samples:
    """Return every image below a folder, grey ones in as many channels as the data set has, and their labels."""
    spec = known.spec
    raw = folders.load_as_it_is(path, alpha)
    if raw.test is not None:
        raise ValueError(f"folder {path}: holds train/ and test/; give the folder of the samples")
    images = raw.images.expand(-1, spec.shape[0], -1, -1) if raw.images.shape[1] == 1 else raw.images
    if raw.labels is None or not raw.classes or not spec.classes:
        return Samples(images)
    found, names = raw.class_names, names_of(known.class_names, spec.classes)
    number, notes = numbers(found, names), []
    if set(number) == {UNKNOWN} and not known.class_names and len(found) == spec.classes:
        number = list(range(spec.classes))
        notes.append(
            f"its class folders {', '.join(found)} are taken for the classes {', '.join(names)}, in this order"
        )
    elif set(number) == {UNKNOWN}:
        theirs = f"{', '.join(found)}: none is a class of {known.name} ({', '.join(names)})"
        raise ValueError(f"folder {path}: class folders {theirs}; rename them, or put all images into one")
    labels = torch.tensor(number)[raw.labels]
    if foreign := [name for name, k in zip(found, number, strict=True) if k == UNKNOWN]:
        unasked = int((labels == UNKNOWN).sum())
        notes.append(f"no class of the data is called {', '.join(foreign)}: {unasked:,} samples count without a label")
    if missing := [name for k, name in enumerate(names) if k not in number]:
        notes.append(f"no samples of {', '.join(missing)}, of {len(names)} classes: a collapse")
    return Samples(images, labels, tuple(notes))


def _described(images: Tensor) -> str:
    """Return type and range of images that are not uint8."""
    kind = str(images.dtype)[6:]
    values = images.double()
    return f"{kind} from {values.min().item():.4g} to {values.max().item():.4g}" if images.numel() else kind


def _to(images: Tensor, levels: int) -> str:
    """Return what makes uint8 of images of another type, by the range that they have."""
    top = levels - 1
    values = images.double()
    if not values.numel() or not bool(values.isfinite().all()):
        return "some are not finite" if values.numel() else "there are none"
    low, high = float(values.min()), float(values.max())
    if images.dtype == torch.bool:
        return f"({top} * x).astype('uint8')"
    if not images.is_floating_point() and low >= 0 and high <= top:
        return "x.astype('uint8')"
    if low >= 0 and high <= 1:
        return f"({top} * x).round().astype('uint8')"
    if low >= -1 and high <= 1:
        return f"({top} * (x + 1) / 2).round().astype('uint8')"
    if low >= 0 and high <= top:
        return "x.round().astype('uint8')"
    if low > -1 and high < levels:  # where something was resized, or decoded from less
        return f"x.round().clip(0, {top}).astype('uint8')"
    return f"bring them to 0 … {top} first"


def checked(images: Tensor, known: Dataset) -> Tensor:
    """Return the samples as uint8 ``(N, C, H, W)``.

    Raises:
        ValueError: for images of another type, shape or range than the data set's.
    """
    channels, height, width = known.spec.shape
    levels = known.spec.levels
    if images.dtype != torch.uint8:
        raise ValueError(
            f"images are {_described(images)}: give uint8, integer levels 0 to {levels - 1}; {_to(images, levels)}"
        )
    shape = tuple(images.shape)
    if images.dim() == 3 and channels == 1:
        images = images[:, None]
    elif images.dim() == 4 and shape[1:] != known.spec.shape and shape[1:] == (height, width, channels):
        images = images.permute(0, 3, 1, 2)
    if tuple(images.shape[1:]) != known.spec.shape:
        wanted = f"(N, {channels}, {height}, {width}) or (N, {height}, {width}, {channels})"
        raise ValueError(f"images have shape {shape}: those of {known.name} are {wanted}; nothing is resized here")
    if int(images.max()) >= levels:
        raise ValueError(f"images reach level {int(images.max())}: {known.name} has levels 0 to {levels - 1}")
    return images.contiguous()
