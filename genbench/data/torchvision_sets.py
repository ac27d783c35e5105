"""CIFAR-10, CIFAR-100, STL-10 and SVHN through torchvision, which checks the files' sums."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from genbench.data.arrays import as_images
from genbench.data.raw import Raw


@dataclass(frozen=True)
class Kept:
    """How torchvision keeps a data set.

    Args:
        kind: the class of ``torchvision.datasets``.
        train: the arguments that ask for its training split.
        test: the arguments that ask for its test split.
        files: the files below the data folder.
    """

    kind: str
    train: Mapping[str, Any]
    test: Mapping[str, Any]
    files: tuple[str, ...]


FLAG = ({"train": True}, {"train": False})
WORD = ({"split": "train"}, {"split": "test"})
CIFAR10 = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")
CIFAR100 = ("train", "test", "meta")
STL10 = ("train_X.bin", "train_y.bin", "unlabeled_X.bin", "test_X.bin", "test_y.bin")
SETS = {
    "cifar10": Kept("CIFAR10", *FLAG, tuple(f"cifar-10-batches-py/{name}" for name in CIFAR10)),
    "cifar100": Kept("CIFAR100", *FLAG, tuple(f"cifar-100-python/{name}" for name in CIFAR100)),
    "stl10": Kept("STL10", *WORD, tuple(f"stl10_binary/{name}" for name in STL10)),
    "svhn": Kept("SVHN", *WORD, ("train_32x32.mat", "test_32x32.mat")),
}


def found(root: Path, name: str) -> bool:
    """Return whether all files are there."""
    return all((root / file).is_file() for file in SETS[name].files)


def load(root: Path, name: str, download: bool) -> Raw:
    """Return both official splits, in colour.

    Raises:
        ValueError: for files that are missing or damaged, and what would do.
    """
    from torchvision import datasets

    kept = SETS[name]
    try:
        train, test = (
            getattr(datasets, kept.kind)(str(root), **part, download=download) for part in (kept.train, kept.test)
        )
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        absent = [root / file for file in kept.files if not (root / file).is_file()]
        where = f"{absent[0]} is missing" if absent else f"{root / kept.files[0]} or a file beside it is damaged"
        said = f" ({_short(error)})" if download else ""
        raise ValueError(f"{name}: {where}{said}; give its folder by --data-dir, or say --download") from error
    (images, labels), held_out = (_tensors(part) for part in (train, test))
    names = tuple(getattr(train, "classes", ()))
    return Raw(images, labels, classes=int(labels.max()) + 1, test=held_out, class_names=names)


def _tensors(part: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401 - torchvision's classes share no type
    labels = part.targets if hasattr(part, "targets") else part.labels
    return as_images(part.data, "images"), torch.as_tensor(labels).long()


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
