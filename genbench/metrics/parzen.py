"""Parzen-window estimate of a likelihood, as 1406.2661 reported it. It ranks nothing (1511.01844)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbench.records.parts import Parzen
from genbench.stats import mean, spread, standard_error

AT_ONCE = 256  # rows of distances
MOST = 1_000  # validation and test images; samples are all centres
SIGMAS = tuple(10 ** (-2 + 0.05 * i) for i in range(41))  # 0.01 to 1, of pixels in [0, 1]


def parzen(samples: Tensor, validation: Tensor, test: Tensor, levels: int) -> Parzen:
    """Put Gaussians on ``samples``, their width the best of :data:`SIGMAS` on ``validation``; judge by ``test``.

    Args:
        samples: the samples, uint8 ``(N, C, H, W)``.
        validation: validation images, uint8 ``(V, C, H, W)``; of more than 1,000 as many, evenly spread.
        test: test images, uint8 ``(M, C, H, W)``; of more than 1,000 as many, evenly spread.
        levels: the number of levels of all of them.

    Raises:
        ValueError: where one of the three has no images.
    """
    if len(samples) < 1:
        raise ValueError("samples: there are none, and a density needs at least one")
    centres, chosen, judged = (
        images[spread(len(images), most)].flatten(1).double() / (levels - 1)
        for images, most in ((samples, None), (validation, MOST), (test, MOST))
    )
    dimensions = centres.shape[1]
    sigma = best_sigma(squared_distances(chosen, centres), dimensions)
    nats = log_density(squared_distances(judged, centres), dimensions, sigma).tolist()
    return Parzen(
        nats=mean(nats),
        standard_error=standard_error(nats),
        sigma=sigma,
        samples=len(centres),
        images=len(judged),
        validation=len(chosen),
    )


def best_sigma(distances: Tensor, dimensions: int) -> float:
    """Return the σ of the grid under which points at squared ``distances`` ``(V, N)`` are likeliest in the mean."""
    return max(SIGMAS, key=lambda sigma: float(log_density(distances, dimensions, sigma).mean()))


def log_density(distances: Tensor, dimensions: int, sigma: float) -> Tensor:
    """Return ``log 1/N Σ_n N(x; s_n, σ² I)`` in nats, ``(M,)``, from squared distances ``(M, N)``."""
    norm = dimensions / 2 * math.log(2 * math.pi * sigma**2) + math.log(distances.shape[1])
    return (distances / (-2 * sigma**2)).logsumexp(1) - norm


def squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    """Return ``‖x_m - s_n‖²``, ``(M, N)``, of ``(M, D)`` and ``(N, D)``, some rows at once."""
    size = centres.square().sum(1)
    parts = [part.square().sum(1, keepdim=True) + size - 2 * part @ centres.T for part in points.split(AT_ONCE)]
    return torch.cat(parts).clamp(min=0.0)
