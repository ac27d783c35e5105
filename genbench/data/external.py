"""Samples of a model that was not trained here, as they come: an array, a folder of images, an ``.npz``, a ``.npy``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from genbench import array_file
from genbench.data import folder as folders
from genbench.image_file import WHITE
from genbench.spec import DataSpec

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from genbench.data import Dataset


def read(images: Tensor | ArrayLike | Path | str, spec: DataSpec, alpha: str = WHITE) -> tuple[Tensor, Any]:
    """Return images and labels wherever they are; the labels are None where nothing says any.

    Raises:
        ValueError: for a file or folder that holds no such thing.
    """
    if not isinstance(images, Path | str):
        return images.detach().cpu() if isinstance(images, Tensor) else _tensor(np.asarray(images), "images"), None
    path = Path(images).expanduser()
    if path.is_dir():
        return _folder(path, spec, alpha)
    if path.suffix not in (".npz", ".npy") or not path.exists():
        raise ValueError(f"{path}: give a folder of images, an .npz with an array 'images', or an .npy")
    if path.suffix == ".npy":
        return _tensor(array_file.npy(path), str(path)), None
    arrays, _ = array_file.npz(path, lambda name: name in ("images", "labels"))
    if "images" not in arrays:
        raise ValueError(f"{path}: no array 'images'; save one with numpy.savez({path.name!r}, images=…)")
    return _tensor(arrays["images"], str(path)), arrays.get("labels")


def _tensor(array: np.ndarray, name: str) -> Tensor:
    if array.dtype.kind not in "buif":
        raise ValueError(f"{name}: an array of {array.dtype}; give uint8")
    try:
        return torch.from_numpy(np.ascontiguousarray(array).copy())
    except (TypeError, ValueError):  # torch lacks some types of numpy's, and none of these is wanted
        return torch.from_numpy(array.astype(np.float64, copy=True))


def _folder(path: Path, spec: DataSpec, alpha: str) -> tuple[Tensor, Tensor | None]:
    """Return every image below a folder, grey ones in as many channels as the data set has, and their labels."""
    raw = folders.load(path, None, alpha)
    if raw.test is not None:
        raise ValueError(f"folder {path}: holds train/ and test/; give the folder of the samples")
    images = raw.images.expand(-1, spec.shape[0], -1, -1) if raw.images.shape[1] == 1 else raw.images
    if raw.classes and raw.classes != spec.classes:
        raise ValueError(f"folder {path}: {raw.classes} class folders for {spec.classes} classes; put all into one")
    return images, raw.labels if raw.classes else None


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
