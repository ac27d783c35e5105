"""Digits that a simulated pen writes: strokes of ten skeletons, sheared, turned, stretched and moved at random.

A simulator's labels cost nothing, which is what refining its images towards real ones is for:
``domains:simulated+mnist5k``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbench.data.raw import Raw
from genbench.seed import generator, uniform

EACH = 500  # of a digit
SIDE = 28
MARGIN = 4.0  # pixels around a skeleton's square, before it is moved
ARC_POINTS = 25
GRID = 256  # of a pixel: where points may lie, whatever a machine's sine is

Points = list[tuple[float, float]]


def _arc(x: float, y: float, across: float, down: float, begin: float, end: float) -> Points:
    """Return points of an ellipse's arc from one angle to another, in degrees clockwise from the right."""
    angles = [math.radians(begin + (end - begin) * i / (ARC_POINTS - 1)) for i in range(ARC_POINTS)]
    return [(x + across * math.cos(angle), y + down * math.sin(angle)) for angle in angles]


# The strokes of each digit in a square of side 1, its y downwards.
SKELETONS: tuple[tuple[Points, ...], ...] = (
    (_arc(0.5, 0.5, 0.26, 0.38, 0, 360),),
    ([(0.38, 0.28), (0.52, 0.14), (0.52, 0.86)],),
    ([*_arc(0.5, 0.32, 0.23, 0.2, 180, 390), (0.7, 0.42), (0.28, 0.84), (0.74, 0.84)],),
    (_arc(0.47, 0.31, 0.2, 0.18, 200, 450), _arc(0.47, 0.67, 0.24, 0.19, 270, 520)),
    ([(0.58, 0.14), (0.26, 0.6), (0.76, 0.6)], [(0.62, 0.38), (0.62, 0.88)]),
    ([(0.7, 0.15), (0.36, 0.15), (0.33, 0.45)], _arc(0.48, 0.63, 0.24, 0.22, 230, 500)),
    ([(0.62, 0.13), (0.36, 0.45), (0.29, 0.62)], _arc(0.5, 0.66, 0.21, 0.19, 0, 360)),
    ([(0.27, 0.16), (0.73, 0.16), (0.44, 0.86)],),
    (_arc(0.5, 0.31, 0.19, 0.17, 0, 360), _arc(0.5, 0.67, 0.23, 0.19, 0, 360)),
    (_arc(0.5, 0.34, 0.21, 0.19, 0, 360), [(0.71, 0.36), (0.66, 0.62), (0.56, 0.87)]),
)


def load() -> Raw:
    """Return all 5,000, sorted by digit."""
    drawn = uniform((len(SKELETONS) * EACH, 7), generator(0, "simulated")).double()
    digits = [written(strokes, rows) for strokes, rows in zip(SKELETONS, drawn.split(EACH), strict=True)]
    return Raw(torch.cat(digits), torch.arange(len(SKELETONS)).repeat_interleave(EACH), classes=len(SKELETONS))


def written(strokes: tuple[Points, ...], drawn: Tensor) -> Tensor:
    """Return a digit as often as there are rows of numbers: uint8 ``(N, 1, 28, 28)``.

    A point p of the skeleton comes to ``4 + 20(A(p - ½) + ½ + t)`` with ``A = R(θ)[[s, h], [0, s']]``, and a pixel has
    the level ``255·clip(r + ½ - d, 0, 1)``, d its centre's distance to the nearest stroke.

    Args:
        strokes: the polylines of the skeleton.
        drawn: the numbers on [0, 1), ``(N, 7)``: turn θ of ±0.125 rad, shear h of ±0.15, two stretches s from 0.85 to
            1.05, two moves t of ±0.04, and the pen's radius r from 0.8 to 1.5 pixels.
    """
    turn, shear = 0.25 * (drawn[:, 0] - 0.5), 0.3 * (drawn[:, 1] - 0.5)
    stretch = 0.85 + 0.2 * drawn[:, 2:4]
    moved = 0.5 + 0.08 * (drawn[:, 4:6] - 0.5)
    radius = 0.8 + 0.7 * drawn[:, 6]
    cosine, sine = turn.cos(), turn.sin()
    slant = torch.stack([stretch[:, 0], shear, torch.zeros_like(shear), stretch[:, 1]], 1).view(-1, 2, 2)
    affine = torch.stack([cosine, -sine, sine, cosine], 1).view(-1, 2, 2) @ slant
    nearest = torch.full((len(drawn), SIDE * SIDE), torch.inf)
    for stroke in strokes:
        points = (torch.tensor(stroke, dtype=torch.float64) - 0.5) @ affine.mT + moved[:, None]
        points = ((MARGIN + (SIDE - 2 * MARGIN) * points) * GRID).round() / GRID
        for begin, end in zip(points.float().unbind(1), points.float()[:, 1:].unbind(1), strict=False):
            torch.minimum(nearest, _squared_distances(begin, end), out=nearest)
    levels = 255 * (radius[:, None].float() + 0.5 - nearest.sqrt()).clamp(0, 1)
    return levels.round().to(torch.uint8).view(-1, 1, SIDE, SIDE)


def _squared_distances(begin: Tensor, end: Tensor) -> Tensor:
    """Return those of every pixel's centre from the segments between two points ``(N, 2)``: ``(N, 784)``."""
    centres = torch.arange(SIDE) + 0.5
    y, x = centres.repeat_interleave(SIDE), centres.repeat(SIDE)
    along = end - begin
    length = (along * along).sum(1).clamp(min=1e-6)
    away_x, away_y = x - begin[:, :1], y - begin[:, 1:]
    place = ((away_x * along[:, :1] + away_y * along[:, 1:]) / length[:, None]).clamp_(0, 1)
    return (away_x - place * along[:, :1]).square() + (away_y - place * along[:, 1:]).square()
