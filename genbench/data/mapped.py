"""Images that memory does not hold: laid in the order of their splits in a file of the cache, which is then mapped.

The file is written once, whole or not at all, by whoever loads the data first; what is read of it the system takes into
memory and lets go of again. What the images are is hashed each time, as of all data.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from genbench.files import cache_dir, written_whole

Shape = tuple[int, int, int, int]


class Pages:
    """A file of images that is being written, in whatever order they come.

    Args:
        file: the file, open for writing.
        folder: where it lies, for what is said of it.
    """

    def __init__(self, file: IO[bytes], folder: Path) -> None:
        self.file = file
        self.folder = folder
        self.shape: Shape = (0, 0, 0, 0)

    def begin(self, shape: Shape) -> None:
        """Make room for uint8 images ``(N, C, H, W)``; what was written before is forgotten.

        Raises:
            ValueError: for more than the disk has room for.
        """
        self.shape = shape
        needed, there = math.prod(shape), shutil.disk_usage(self.folder).free
        if needed > there:
            said = f"{needed / 2**30:.1f} GiB of images, for which memory is too small"
            raise ValueError(
                f"{said}; {self.folder} has room for {there / 2**30:.1f}: make some, or set GENBENCH_CACHE"
            )
        self.file.truncate(0)
        self.file.truncate(needed)

    def put(self, place: int, image: np.ndarray) -> None:
        """Write the image of a place, ``(C, H, W)``; what is 0 all over is there already."""
        if image.any():
            self.file.seek(place * math.prod(self.shape[1:]))
            self.file.write(np.ascontiguousarray(image).tobytes())


def mapped(identity: Mapping[str, Any], fill: Callable[[Pages], Mapping[str, Any]]) -> tuple[Tensor, Mapping[str, Any]]:
    """Return images, uint8 ``(N, C, H, W)``, mapped into memory, which nobody may write to, and what was noted of them.

    Args:
        identity: what the images are of: another one has another file.
        fill: a function that writes them where no file holds them yet, and returns what is to be noted, for JSON.

    Raises:
        ValueError: for more than the disk has room for, or what ``fill`` raises.
    """
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]
    folder = cache_dir() / "images"
    pixels, note = folder / f"{key}.u8", folder / f"{key}.json"
    about = _noted(pixels, note)
    if about is None:
        note.unlink(missing_ok=True)
        with written_whole(pixels) as part, part.open("wb") as file:
            pages = Pages(file, folder)
            noted = fill(pages)
        about = {"shape": pages.shape, "noted": noted}
        with written_whole(note) as part:
            part.write_text(json.dumps(about))
    array = np.memmap(pixels, np.uint8, "r", shape=tuple(about["shape"]))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable")
        return torch.from_numpy(array), about["noted"]


def _noted(pixels: Path, note: Path) -> dict[str, Any] | None:
    """Return what stands beside a whole file of images; None where one of the two is missing or damaged."""
    try:
        about = json.loads(note.read_text())
        whole = pixels.stat().st_size == math.prod(about["shape"]) and len(about["shape"]) == 4 and "noted" in about
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return about if whole else None
