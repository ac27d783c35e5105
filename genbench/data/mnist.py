"""MNIST, Fashion-MNIST and Kuzushiji-MNIST: four IDX files as torchvision keeps them, gunzipped or not."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from genbench import array_file
from genbench.data.raw import Raw


def load(root: Path, folder: str, download: bool) -> Raw:
    """Read ``root/folder/raw``; torchvision downloads the files if ``download`` and they are missing.

    Check sums are not compared: distributors pack the same images anew. Sizes are.

    Raises:
        ValueError: for a file that is missing, cut short or not IDX, with its path and what would do.
    """
    raw = root / folder / "raw"
    if download and not _there(raw):
        from torchvision import datasets

        try:
            getattr(datasets, folder)(root, download=True)
        except (OSError, RuntimeError) as error:
            raise ValueError(f"{folder}: cannot be downloaded to {raw} ({str(error).splitlines()[0]})") from error
    parts = []
    for name in ("train", "t10k"):
        images = read(raw / f"{name}-images-idx3-ubyte", 3)
        labels = read(raw / f"{name}-labels-idx1-ubyte", 1)
        if len(images) != len(labels):
            raise ValueError(f"{raw}: {len(images)} {name} images and {len(labels)} labels; get the files again")
        parts.append((images[:, None], labels.long()))
    (images, labels), test = parts
    return Raw(images, labels, classes=10, test=test)


def found(root: Path, folder: str) -> bool:
    """Return whether all four files are there."""
    return _there(root / folder / "raw")


def read(path: Path, dimensions: int) -> Tensor:
    """Return the uint8 tensor in an IDX file, at ``path`` or gzipped beside it.

    Raises:
        ValueError: see :func:`load`.
    """
    zipped = path.with_name(path.name + ".gz")
    there = next((one for one in (path, zipped) if one.exists()), None)
    if there is None:
        raise ValueError(f"{path}: missing, gzipped or not; give its folder by --data-dir, or say --download")
    return torch.from_numpy(array_file.idx(there, dimensions))


def _there(raw: Path) -> bool:
    names = [f"{split}-{kind}" for split in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    return all((raw / name).is_file() or (raw / f"{name}.gz").is_file() for name in names)
