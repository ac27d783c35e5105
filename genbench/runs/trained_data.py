"""The data set that a finished cell was trained on, found again."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from genbench import data
from genbench.runs.overrides import PATHS

if TYPE_CHECKING:
    from genbench.data import Dataset


class Found(NamedTuple):
    """A data set, and whether its name leads to it from the working directory."""

    dataset: Dataset
    here: bool


def trained_on(
    name: str, hashes: Mapping[str, str], beside: Path, root: Path | None, *, size: int | None, alpha: str
) -> Found:
    """Return the data set of that name whose splits have these ``hashes``.

    A path in the name may be relative to where the run was begun: that is here, or one of the folders above the run.

    Args:
        name: the name, as it was asked for.
        hashes: the hash of each split.
        beside: the folder of the cell.
        root: the folder of data sets.
        size: the side that images in folders are resized to.
        alpha: what is behind transparent pixels.

    Raises:
        ValueError: where the name leads to nothing, or to other images.
    """
    root = root.resolve() if root is not None else None
    has_path = any(not Path(path).is_absolute() for path in re.findall(rf"(?:{'|'.join(PATHS)}):([^+]+)", name))
    failed: ValueError | None = None
    for place in [Path.cwd(), *(beside.resolve().parents if has_path else ())]:
        try:
            with contextlib.chdir(place):
                dataset = data.load(name, root=root, size=size, alpha=alpha)
        except (ValueError, OSError) as error:
            failed = failed or (error if isinstance(error, ValueError) else None)
            continue
        if dict(dataset.hashes) == dict(hashes):
            return Found(dataset, place == Path.cwd())
        failed = ValueError(f"{name}: not the images that {beside} was trained on; give theirs by --data-dir")
    raise failed or ValueError(f"{name}: cannot be read from here")
