"""Images that memory does not hold: laid in the order of their splits in a file of the cache, which is then mapped.

The file is written once, whole or not at all, by whoever loads the data first; others wait. What is read of it the
system takes into memory and lets go of again. What the images are is hashed each time, as of all data.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Annotated, Any

import numpy as np
import torch
from filelock import FileLock
from pydantic import BaseModel, PositiveInt, ValidationError
from pydantic import Field as Checked
from torch import Tensor

from genbench.files import cache_dir, written_whole

VERSION = 1  # raised with each change of how pictures are decoded: what older ones have written is not what is meant
Shape = tuple[int, int, int, int]


class Note(BaseModel):
    """What stands beside a file of images.

    Args:
        shape: their shape ``(N, C, H, W)``.
        noted: what was done to how many of them.
    """

    shape: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]
    noted: dict[str, Annotated[int, Checked(ge=0, strict=True)]]


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
        self.file.truncate(0)
        needed, there = math.prod(shape), shutil.disk_usage(self.folder).free
        if needed > there:
            said = f"{needed / 2**30:.1f} GiB of images, for which memory is too small"
            raise ValueError(
                f"{said}; {self.folder} has room for {there / 2**30:.1f}: make some, or set GENBENCH_CACHE"
            )
        self.file.truncate(needed)

    def put(self, place: int, image: np.ndarray) -> None:
        """Write the image of a place, ``(C, H, W)``; what is 0 all over is there already."""
        if image.any():
            self.file.seek(place * math.prod(self.shape[1:]))
            self.file.write(np.ascontiguousarray(image).tobytes())


def state(path: Path) -> str:
    """Return what changes whenever a file does, of its size and its times: nobody can put back the last of them."""
    known = path.stat()
    return f"{known.st_size} {known.st_mtime_ns} {known.st_ctime_ns}"


def mapped(identity: Mapping[str, Any], fill: Callable[[Pages], Mapping[str, int]]) -> tuple[Tensor, Mapping[str, int]]:
    """Return images, uint8 ``(N, C, H, W)``, mapped into memory, which nobody may write to, and what was noted of them.

    Args:
        identity: what the images are of: another one has another file.
        fill: a function that writes them where no file holds them yet, and returns what is to be noted.

    Raises:
        ValueError: for more than the disk has room for, a cache that cannot be written, or what ``fill`` raises.
    """
    from PIL import __version__

    whole = {**identity, "version": VERSION, "decoder": __version__}
    key = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]
    folder = cache_dir() / "images"
    pixels, note = folder / f"{key}.u8", folder / f"{key}.json"
    about = _noted(pixels, note)
    if about is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f"{key}.lock"):
                about = _noted(pixels, note) or _written(pixels, note, fill)
        except OSError as error:
            said = f"{folder}: cannot be written ({error.strerror}), and memory does not hold the images"
            raise ValueError(f"{said}; set GENBENCH_CACHE to a folder with room for them") from error
    array = np.memmap(pixels, np.uint8, "r", shape=about.shape)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable")
        return torch.from_numpy(array), about.noted


def _written(pixels: Path, note: Path, fill: Callable[[Pages], Mapping[str, int]]) -> Note:
    """Write both files, under their lock; what a killed process has left of them goes."""
    for part in pixels.parent.glob(f".{pixels.stem}.*.part"):
        part.unlink(missing_ok=True)
    note.unlink(missing_ok=True)
    with written_whole(pixels) as part, part.open("wb") as file:
        pages = Pages(file, pixels.parent)
        noted = fill(pages)
    about = Note(shape=pages.shape, noted=dict(noted))
    with written_whole(note) as part:
        part.write_text(about.model_dump_json())
    return about


def _noted(pixels: Path, note: Path) -> Note | None:
    """Return what stands beside a whole file of images; None where one of the two is missing or damaged."""
    try:
        about = Note.model_validate_json(note.read_bytes())
        return about if pixels.stat().st_size == math.prod(about.shape) else None
    except (OSError, ValidationError):
        return None
