"""CIFAR-10 and SVHN through torchvision, which checks the files' sums."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from genbench.data.dataset import Raw

CIFAR10 = "cifar-10-batches-py"
FILES = {
    "cifar10": [
        f"{CIFAR10}/{name}" for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")
    ],
    "svhn": ["train_32x32.mat", "test_32x32.mat"],
}


def found(root: Path, name: str) -> bool:
    """Return whether all files are there."""
    return all((root / file).is_file() for file in FILES[name])


def load(root: Path, name: str, download: bool) -> Raw:
    """Return both official splits, 32×32 in colour.

    Raises:
        ValueError: for files that are missing or damaged, and what would do.
    """
    from torchvision import datasets

    try:
        if name == "cifar10":
            train, test = (datasets.CIFAR10(str(root), train=part, download=download) for part in (True, False))
        else:
            train, test = (datasets.SVHN(str(root), split=part, download=download) for part in ("train", "test"))
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        absent = [root / file for file in FILES[name] if not (root / file).is_file()]
        where = f"{absent[0]} is missing" if absent else f"{root / FILES[name][0]} or a file beside it is damaged"
        said = f" ({_short(error)})" if download else ""
        raise ValueError(f"{name}: {where}{said}; give its folder by --data-dir, or say --download") from error
    (images, labels), held_out = (_tensors(part) for part in (train, test))
    return Raw(images, labels, classes=10, test=held_out)


def _tensors(part: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401 - torchvision's two classes share no type
    images = torch.from_numpy(part.data)
    if images.shape[-1] == 3 and images.shape[1] != 3:  # CIFAR-10 is (N, H, W, C), SVHN (N, C, H, W)
        images = images.permute(0, 3, 1, 2)
    labels = part.targets if hasattr(part, "targets") else part.labels
    return images.contiguous(), torch.as_tensor(labels).long()


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
