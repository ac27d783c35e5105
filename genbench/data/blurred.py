"""``blur:``: images that a shaken camera took, each along a random path of its own.

The path is that of DeblurGAN (arXiv:1711.07064), in fewer steps and over fewer pixels: a point with inertia that is
pulled back, trembles, and now and then is jolted round.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from genbench.data.dataset import Dataset
from genbench.data.sources import CHUNK, complex_normals, mirrored
from genbench.seed import generator, uniform
from genbench.spec import Split, to_bytes

STEPS = 200  # points of a path
LENGTH = 8  # pixels of a path
SIDE = 9  # of a kernel
ONE = 1 << 12  # what a kernel sums to
EXPANSES = (0.01, 0.009, 0.008, 0.007, 0.005, 0.003)  # how strongly an image's path is moved at all
GRID = 256  # of a pixel: where points may lie, whatever a machine's sine is
NUMBERS = 5 + 4 * (STEPS - 1)  # that a path draws


def blurred(dataset: Dataset, _: int) -> Dataset:
    """Return the data set in which each image, blurred by a kernel of its own, is its source."""

    def change(split: Split, name: str) -> Split:
        source = generator(0, "blur", name)
        parts = [
            convolved(to_bytes(part, dataset.spec.levels), kernels(paths(uniform((len(part), NUMBERS), source))))
            for part in split.images.split(CHUNK)
        ]
        return replace(split, sources=torch.cat(parts))

    return replace(dataset.each(change), aligned=True)


def convolved(images: Tensor, weights: Tensor) -> Tensor:
    """Return ``(Σ k·x + 2048) >> 12`` over each pixel's 9×9 neighbours, edges mirrored: uint8 as ``images``.

    Args:
        images: the images, uint8 ``(N, C, H, W)``.
        weights: the kernel k of each, ``(N, 9, 9)`` in 1/4096: its middle is where the pixel itself is.
    """
    height, width = images.shape[2:]
    around = mirrored(images, SIDE // 2).int()
    sums = torch.full(images.shape, ONE // 2, dtype=torch.int32)
    for y in range(SIDE):
        for x in range(SIDE):
            sums += weights[:, y, x, None, None, None].int() * around[:, :, y : y + height, x : x + width]
    return (sums >> 12).to(torch.uint8)


def paths(drawn: Tensor) -> Tensor:
    """Return the points of random paths, float64 ``(N, 200, 2)``, in pixels from where each begins.

    An image has a pull c = .7u, a chance of jolts b = .2u, a trembling g = 10u, an expanse e of :data:`EXPANSES` and a
    velocity v of s = 8/199. A step: with probability b·e a jolt n = 2v·exp(i(π + u - ½)), else 0; then
    v ← v + n + e(g(N + iN) - c·x)s, v ← s·v/|v| and x ← x + v; u are uniform numbers and N normal ones.

    Args:
        drawn: the numbers on [0, 1), ``(N, 801)``.
    """
    count = len(drawn)
    first, rest = drawn.double().split([5, NUMBERS - 5], 1)
    pull, chance, tremble = 0.7 * first[:, 0], 0.2 * first[:, 1], 10 * first[:, 2]
    expanse = torch.tensor(EXPANSES, dtype=torch.float64)[(first[:, 3] * len(EXPANSES)).long()]
    pace = LENGTH / (STEPS - 1)
    velocity = torch.polar(torch.full((count,), pace, dtype=torch.float64), 2 * math.pi * first[:, 4])
    place = torch.zeros_like(velocity)
    points = [place]
    for jolted, turn, size, angle in rest.view(count, STEPS - 1, 4).permute(1, 2, 0):
        around = torch.polar(2 * torch.ones_like(turn), math.pi + turn - 0.5)
        jolt = torch.where(jolted < chance * expanse, velocity * around, 0)
        force = tremble * complex_normals(size, angle) - pull * place
        velocity = velocity + jolt + expanse * force * pace
        velocity = velocity * (pace / velocity.abs())
        place = place + velocity
        points.append(place)
    return torch.view_as_real(torch.stack(points, 1))


def kernels(points: Tensor) -> Tensor:
    """Return the kernel of each path in 1/4096, int64 ``(N, 9, 9)``, each of which sums to 4096.

    The middle of the path's box lies in the kernel's. A point is spread over four pixels bilinearly, and what all of
    them give is rounded by largest remainders.

    Args:
        points: the points of each path, (x, y) in pixels, ``(N, P, 2)``; no box is longer than 8.
    """
    middle = (points.amin(1, keepdim=True) + points.amax(1, keepdim=True)) / 2
    fine = ((points - middle + SIDE // 2) * GRID).round().long().clamp(0, (SIDE - 1) * GRID)
    pixel, part = fine // GRID, fine % GRID
    total = torch.zeros(len(points), (SIDE + 1) ** 2, dtype=torch.int64)
    for right in (0, 1):
        for below in (0, 1):
            across = part[..., 0] if right else GRID - part[..., 0]
            down = part[..., 1] if below else GRID - part[..., 1]
            total.scatter_add_(1, (pixel[..., 1] + below) * (SIDE + 1) + pixel[..., 0] + right, across * down)
    spread = total.view(-1, SIDE + 1, SIDE + 1)[:, :SIDE, :SIDE].flatten(1) * ONE
    whole = points.shape[1] * GRID**2
    weights, rest = spread // whole, spread % whole
    order = rest.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    missing = ONE - weights.sum(1, keepdim=True)
    return (weights + (order < missing)).view(-1, SIDE, SIDE)
