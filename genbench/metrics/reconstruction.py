"""How far images are from what a model makes of their own codes, beside what it makes of another image's code."""

from __future__ import annotations

from torch import Tensor

from genbench.metrics.paired import check_pairs
from genbench.metrics.ratio import ratio_of_means
from genbench.records.parts import Reconstruction
from genbench.stats import mean, standard_error


def reconstruction(images: Tensor, reconstructed: Tensor, levels: int) -> Reconstruction:
    """Return the mean ``‖x - x̂‖₂`` of pixels on [0, 1], and its ratio to the mean ``‖x - x̂'‖₂``.

    ``x̂'`` is the reconstruction of the next image, after the last that of the first: the baseline of BiGAN's code. The
    ratio is 1 for a model that ignores its input and 0 for the identity.

    Args:
        images: the images, uint8 ``(N, C, H, W)``.
        reconstructed: the image made from the code of each, uint8 ``(N, C, H, W)``.
        levels: the number of levels of both; the range is ``levels - 1``.

    Raises:
        ValueError: for what are not pairs of uint8 images.
    """
    check_pairs(reconstructed, images)
    distances = _distances(images, reconstructed, levels)
    ratio = ratio_of_means(distances, _distances(images, reconstructed.roll(-1, 0), levels))
    return Reconstruction(
        distance=mean(distances),
        distance_standard_error=standard_error(distances),
        ratio=None if ratio is None else ratio.value,
        ratio_standard_error=None if ratio is None else ratio.standard_error,
        images=len(images),
    )


def _distances(images: Tensor, others: Tensor, levels: int) -> list[float]:
    """Return the Euclidean distance of each image from its partner, a block at a time, pixels on [0, 1]."""
    parts = zip(images.split(256), others.split(256), strict=True)
    distances: list[float] = []
    for image, other in parts:
        distances += ((image.double() - other.double()) / (levels - 1)).flatten(1).norm(dim=1).tolist()
    return distances
