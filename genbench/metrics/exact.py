"""Samples that are images of the data, pixel by pixel: no distance between sets of features says so."""

from __future__ import annotations

from collections import Counter

from torch import Tensor


def exact_matches(samples: Tensor, images: Tensor) -> int:
    """Return how many samples equal some image in every pixel.

    Args:
        samples: the samples, uint8 ``(N, C, H, W)``.
        images: the images, uint8 ``(M, C, H, W)``.
    """
    asked = Counter(sample.tobytes() for sample in samples.cpu().contiguous().numpy())
    found = {known for image in images.cpu().numpy() if (known := image.tobytes()) in asked}
    return sum(asked[known] for known in found)
