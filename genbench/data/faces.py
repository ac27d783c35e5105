"""Painted faces: 200 identities, 20 pictures of each, which differ in eyes, mouth, light and noise.

A face is symmetric but for light and noise. An identity is in one split alone. The field ``landmarks`` holds (x, y) of
the left eye, the right eye, the nose's tip and the mouth, in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from genbench.data.raw import Raw
from genbench.data.sources import complex_normals
from genbench.seed import generator, uniform
from genbench.spec import Field

SIDE = 32
IDENTITIES = 200
PICTURES = 20  # of an identity
SPLITS = {"train": (0, 140), "validation": (140, 160), "test": (160, 200)}  # identities from, and up to
BACKGROUND = 40
WHITE = 250
SOFT = 0.06  # how far an edge fades, where the image is 2 wide
NOISE = 3  # levels

# What an identity fixes, each drawn between two numbers. The image is [-1, 1]², its y downwards.
FIXED = {
    "head_x": (0.6, 0.8),
    "head_y": (0.8, 0.96),
    "skin": (150, 225),
    "hair_y": (-0.7, -0.4),
    "hair": (20, 110),
    "eye_x": (0.26, 0.4),
    "eye_y": (-0.2, -0.05),
    "eye": (0.09, 0.15),
    "pupil": (20, 90),
    "brow": (0.16, 0.26),
    "tilt": (-0.3, 0.3),
    "nose": (0.12, 0.26),
    "mouth_y": (0.42, 0.56),
    "mouth_x": (0.18, 0.34),
}
# What a picture adds.
CHANGING = {"open": (0.55, 1), "bend": (-0.15, 0.25), "light": (-0.15, 0.15)}


def load() -> Raw:
    """Return all 4,000, identity by identity; the rows of a split are in random order."""
    fixed = _between(FIXED, uniform((IDENTITIES, len(FIXED)), generator(0, "faces", "identities")))
    whole = {name: values.repeat_interleave(PICTURES) for name, values in fixed.items()}
    count = IDENTITIES * PICTURES
    whole |= _between(CHANGING, uniform((count, len(CHANGING)), generator(0, "faces", "pictures")))
    noise = uniform((count, SIDE, SIDE, 2), generator(0, "faces", "noise")).double()
    levels = painted(whole) + NOISE * complex_normals(*noise.unbind(3)).real
    rows = [
        PICTURES * begin + torch.randperm(PICTURES * (end - begin), generator=generator(0, "faces", name))
        for name, (begin, end) in SPLITS.items()
    ]
    train, validation, test = rows
    return Raw(
        levels.round().clamp(0, 255).to(torch.uint8)[:, None],
        parts=(train, validation, test),
        fields={
            "identity": torch.arange(IDENTITIES).repeat_interleave(PICTURES),
            "landmarks": landmarks(whole),
        },
        kinds={"identity": Field((), IDENTITIES), "landmarks": Field((4, 2), SIDE)},
    )


def _between(ranges: Mapping[str, tuple[float, float]], drawn: Tensor) -> dict[str, Tensor]:
    """Return numbers ``(N,)`` between each name's two, of numbers on [0, 1), ``(N, names)``."""
    drawn = drawn.double()
    return {name: low + (high - low) * drawn[:, i] for i, (name, (low, high)) in enumerate(ranges.items())}


def landmarks(face: Mapping[str, Tensor]) -> Tensor:
    """Return (x, y) of eyes, nose and mouth in pixels, int64 ``(N, 4, 2)``."""
    middle = torch.zeros_like(face["eye_x"])
    x = torch.stack([-face["eye_x"], face["eye_x"], middle, middle], 1)
    y = torch.stack([face["eye_y"], face["eye_y"], face["nose"], face["mouth_y"]], 1)
    return (((torch.stack([x, y], 2) + 1) * SIDE - 1) / 2).round().long()


def painted(face: Mapping[str, Tensor]) -> Tensor:
    """Return the levels of faces without noise, float64 ``(N, 32, 32)``, painted in layers.

    Args:
        face: the numbers of :data:`FIXED` and :data:`CHANGING`, ``(N,)`` each.
    """
    of = {name: values[:, None, None] for name, values in face.items()}
    place = (2 * torch.arange(SIDE, dtype=torch.float64) + 1) / SIDE - 1
    y, x = place[:, None], place
    aside = x.abs()  # a face has two of nearly everything
    canvas = torch.full((len(face["skin"]), SIDE, SIDE), float(BACKGROUND), dtype=torch.float64)

    def paint(level: Tensor | float, *distances: Tensor) -> None:
        """Paint ``level`` where all distances, signed and in the image's units, are negative."""
        nonlocal canvas
        cover = torch.ones_like(canvas)
        for distance in distances:
            cover = torch.minimum(cover, (0.5 - distance / SOFT).clamp(0, 1))
        canvas = canvas + cover * (level - canvas)

    head = _ellipse(x, y, of["head_x"], of["head_y"])
    paint(of["skin"], head)
    paint(of["hair"], head, y - of["hair_y"] - 0.25 * x * x)
    from_eye_x, from_eye_y = aside - of["eye_x"], y - of["eye_y"]
    eye = _ellipse(from_eye_x, from_eye_y, of["eye"], of["eye"] * of["open"])
    paint(WHITE, eye)
    paint(of["pupil"], eye, _ellipse(from_eye_x, from_eye_y, of["eye"] / 2, of["eye"] / 2))
    brow_y = from_eye_y + of["brow"] - of["tilt"] * from_eye_x
    paint(of["hair"], brow_y.abs() - 0.04, from_eye_x.abs() - 1.3 * of["eye"])
    paint(0.55 * of["skin"], aside - 0.05, y - of["nose"], of["eye_y"] - y)
    smile = y - of["mouth_y"] + of["bend"] * ((x / of["mouth_x"]) ** 2 - 0.5)
    paint(0.4 * of["skin"], smile.abs() - 0.05, aside - of["mouth_x"])
    return canvas * (1 + of["light"] * x)


def _ellipse(x: Tensor, y: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Return how far outside an ellipse round 0 a place is, about, in units of the image."""
    return (((x / across) ** 2 + (y / down) ** 2).sqrt() - 1) * torch.minimum(across, down)
