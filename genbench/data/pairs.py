"""Pairs of pictures in folders, as the data sets of pix2pix have them: source and image side by side, or apart.

======================================  ==================================================================
``PATH/*.png``                          pictures twice as wide: the source on the left, the image on the right
``PATH/sources/``, ``PATH/images/``     pictures of the same names in both
``PATH/train/``, ``test/``, ``val/``    the same in each, where splits are settled; ``val`` may be missing, and where
                                        there is no ``test`` it is the test split
======================================  ==================================================================
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from genbench.data import folder
from genbench.data.raw import Raw
from genbench.data.splits import HELD_OUT, stratified
from genbench.image_file import WHITE
from genbench.seed import generator

APART = ("sources", "images")
SPLITS = ("train", "val", "test")


def load(path: Path, size: int | None, alpha: str = WHITE) -> Raw:
    """Read all pairs below ``path``. With ``size`` each source and each image is resized and cropped to a square.

    Sources have one channel where all of them are grey, else three, and so have images.

    Raises:
        ValueError: for a folder without pairs, names without a partner, odd widths, sizes that differ, damaged files, a
            folder beside ``train/`` that is no split.
    """
    reading = folder.Reading(size, alpha)
    if not path.is_dir():
        raise ValueError(f"pairs {path}: there is no such folder; give the one that holds the pairs")
    there = _splits(path)
    parts = [_pairs(part, reading) for part in there.values()] or [_pairs(path, reading)]
    apart = {side for side, _, _ in parts}
    if len(apart) > 1:
        raise ValueError(f"pairs {path}: side by side in one split and apart in another; keep one of the two")
    sources = [file for _, files, _ in parts for file in files]
    images = [file for _, _, files in parts for file in files]
    halves = (0, 1) if apart == {"beside"} else (None, None)
    source, image = (folder.pixels(files, reading, half) for files, half in zip((sources, images), halves, strict=True))
    try:
        rows = _rows({name: len(files) for name, (_, files, _) in zip(there, parts, strict=True)}) if there else None
    except ValueError as error:
        raise ValueError(f"pairs {path}: {error}") from error
    return Raw(image, sources=source, parts=rows, told=reading.said(f"{len(image):,} pairs"))


def _splits(path: Path) -> dict[str, Path]:
    """Return the folder of each split that there is; none where the pairs lie in ``path`` itself."""
    folders = sorted(child.name for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    there = {name: path / name for name in SPLITS if name in folders}
    if not there:
        return {}
    if there.keys() == {"train", "val"}:
        there = {"train": path / "train", "test": path / "val"}
    if {"train", "test"} - there.keys():
        raise ValueError(f"pairs {path}: {', '.join(there)} alone; give train, and test or val or both")
    if odd := [name for name in folders if name not in SPLITS]:
        raise ValueError(f"pairs {path}: beside train/ stands {odd[0]}/, which would not be read; move it away")
    if folder.image_files(path):
        raise ValueError(f"pairs {path}: pictures beside train/, which would not be read; move them away")
    return there


def _rows(counts: dict[str, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the rows of training, validation and test; without a split of its own validation is taken of training."""
    begin = 0
    rows = {}
    for name, count in counts.items():
        # Measures take the first of the test split, and files come by name.
        rows[name] = begin + torch.randperm(count, generator=generator(0, "pairs", name))
        begin += count
    if "val" not in rows:
        train = rows["train"]
        rows["train"], rows["val"] = (train[part] for part in stratified(None, len(train), HELD_OUT))
    return rows["train"], rows["val"], rows["test"]


def _pairs(path: Path, reading: folder.Reading) -> tuple[str, list[Path], list[Path]]:
    """Return how the pairs of a folder lie, the files of its sources and, in the same order, those of its images."""
    folders = [path / name for name in APART]
    files = folder.image_files(path, reading)
    if not any(one.is_dir() for one in folders):
        if not files:
            raise ValueError(f"pairs {path}: no pictures side by side, and no folders sources/ and images/")
        return "beside", files, files
    if files:
        raise ValueError(f"pairs {path}: pictures beside sources/ and images/, which would not be read; move them away")
    sources, images = (_by_name(one, reading) for one in folders)
    for one, other, beside in ((sources, images, folders[1]), (images, sources, folders[0])):
        for name in one:
            if name not in other:
                raise ValueError(f"pairs: {one[name]} has no partner of that name in {beside}")
    if not sources:
        raise ValueError(f"pairs {path}: no pictures in sources/ and images/")
    return "apart", list(sources.values()), [images[stem] for stem in sources]


def _by_name(path: Path, reading: folder.Reading) -> dict[str, Path]:
    """Return the pictures of a folder by their names without suffix."""
    if not path.is_dir():
        raise ValueError(f"pairs: there is no {path}; give sources/ and images/, or pictures side by side")
    files: dict[str, Path] = {}
    for file in folder.image_files(path, reading):
        if file.stem in files:
            raise ValueError(f"pairs: {file} and {files[file.stem].name} have one name; keep one of them")
        files[file.stem] = file
    return files
