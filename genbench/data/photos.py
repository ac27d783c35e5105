"""Patches of photographs that installed packages bring along, found beside their code without importing it.

Each photograph is halved by 2×2 means and cut into patches; those that are nearly plain are left out. A photograph is
in one split alone. Whose they are: ``docs/data.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genbench.data.raw import Raw
from genbench.data.sources import grey
from genbench.files import file_digest
from genbench.image_file import opened
from genbench.seed import generator

SIDE = 32
STRIDES = {"train": 8, "validation": 16, "test": 16}  # pixels from a patch to the next
PLAIN = 8  # levels: a patch whose grey deviates by less is left out


@dataclass(frozen=True)
class Photograph:
    """A file inside an installed package.

    Args:
        package: the package's name, as it is imported.
        file: the path of the file in the package's folder.
        sha256: the SHA-256 of the file, hexadecimal.
        split: the split that its patches are in.
    """

    package: str
    file: str
    sha256: str
    split: str

    def path(self) -> Path | None:
        """Return where the file is, or None where the package lacks it or is not installed."""
        spec = find_spec(self.package)
        folders = (spec and spec.submodule_search_locations) or []
        return next((path for folder in folders if (path := Path(folder) / self.file).is_file()), None)


PHOTOGRAPHS = (
    Photograph(
        "skimage",
        "data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        "train",
    ),
    Photograph(
        "skimage",
        "data/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        "train",
    ),
    Photograph(
        "skimage",
        "data/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        "train",
    ),
    Photograph(
        "skimage",
        "data/motorcycle_left.png",
        "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
        "train",
    ),
    Photograph(
        "sklearn",
        "datasets/images/flower.jpg",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
        "train",
    ),
    Photograph(
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
        "validation",
    ),
    Photograph(
        "sklearn",
        "datasets/images/china.jpg",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
        "test",
    ),
    Photograph(
        "skimage",
        "data/rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        "test",
    ),
)


def found() -> bool:
    """Return whether all photographs are there; what they hold is not looked at."""
    return all(photograph.path() is not None for photograph in PHOTOGRAPHS)


def load() -> Raw:
    """Return the patches of all photographs, those of a split in random order.

    Raises:
        ValueError: for a photograph that is missing or another, and what would do.
    """
    patches = {name: torch.cat(list(_patches(name))) for name in STRIDES}
    rows = [torch.randperm(len(images), generator=generator(0, "photos", name)) for name, images in patches.items()]
    begin = [0, len(rows[0]), len(rows[0]) + len(rows[1])]
    train, validation, test = (part + first for part, first in zip(rows, begin, strict=True))
    return Raw(torch.cat(list(patches.values())), parts=(train, validation, test))


def _patches(split: str) -> Iterator[Tensor]:
    """Yield the patches of each photograph of a split, uint8 ``(N, 3, 32, 32)``, row by row."""
    for photograph in PHOTOGRAPHS:
        if photograph.split == split:
            yield cut(halved(_pixels(photograph)), STRIDES[split])


def _pixels(photograph: Photograph) -> Tensor:
    path = photograph.path()
    if path is None:
        where = f"{photograph.package}/{photograph.file}"
        raise ValueError(f"photos: {where} is in no installed package; pip install 'genbench[photos]'")
    if file_digest(path) != photograph.sha256:
        raise ValueError(f"photos: {path} is another file than the splits are made of; pip install 'genbench[photos]'")
    with opened(
        path
    ) as image:  # levels as they are stored: the splits are made of them, and not of what a profile means
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def halved(pixels: Tensor) -> Tensor:
    """Return the 2×2 means ``(a + b + c + d + 2) >> 2`` of uint8 ``(C, H, W)``, odd edges dropped."""
    height, width = (side - side % 2 for side in pixels.shape[1:])
    rows = pixels[:, :height, :width].unflatten(2, (-1, 2)).sum(3, dtype=torch.int32)
    return ((rows.unflatten(1, (-1, 2)).sum(2) + 2) >> 2).to(torch.uint8)


def cut(pixels: Tensor, stride: int) -> Tensor:
    """Return the patches of uint8 ``(3, H, W)`` that begin every ``stride`` pixels, but those that are nearly plain."""
    patches = pixels.unfold(1, SIDE, stride).unfold(2, SIDE, stride).permute(1, 2, 0, 3, 4).flatten(0, 1)
    values = grey(patches).flatten(1).long()
    squared_deviation = SIDE**2 * values.square().sum(1) - values.sum(1).square()  # times the square of the pixels
    return patches[squared_deviation >= (PLAIN * SIDE**2) ** 2].contiguous()
