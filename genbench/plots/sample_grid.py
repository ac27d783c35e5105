"""A cell's pictures: samples 0 to 63 as they were drawn, ordered so that what they were asked for shows.

And the first of them above what in the training split is nearest to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from genbench.plots.grid import draw_grid
from genbench.spec import Batch, to_bytes

SHOWN = 64
PAIRS = 16
COLUMNS = 8


def write(
    path: Path,
    samples: Tensor,
    levels: int,
    given: Batch | None = None,
    *,
    most: int | None = SHOWN,
    names: Sequence[str] = (),
) -> None:
    """Write a grid as PNG.

    Args:
        path: the path of the picture.
        samples: the samples, uint8 ``(N, C, H, W)`` with integer levels; the first ``most`` are shown, none is chosen.
        levels: the number of levels of the samples.
        given: what each sample was asked for, and its target: labels give a row to each class, sources stand above
            outputs and outputs above targets, unless its images are empty.
        most: the largest number of samples to show; None shows all.
        names: the name of each class, which stands beside its row, if classes have names.
    """
    shown = samples[:most]
    captions: Sequence[str] = ()
    columns = COLUMNS
    if given is not None and given.sources is not None:
        sources = like(to_bytes(given.sources[:most], 256), shown)
        targets = [given.images[:most]] if given.images.dim() == 4 else []
        parts = [sources, *(to_bytes(images, levels) for images in (shown, *targets))]
        shown = bands(parts, columns)
        levels = 256
    elif given is not None and given.labels is not None:
        labels = given.labels[:most]
        shown, columns = by_class(shown, labels)
        captions = [names[k] if k >= 0 else "?" for k in labels.unique().tolist()] if names else ()
    draw_grid(shown.numpy(), path, levels=levels, columns=columns, captions=captions)


def neighbours(path: Path, samples: Tensor, nearest: Tensor, levels: int) -> None:
    """Write the first 16 samples as PNG, below each what is ``nearest`` to it; both uint8 ``(N, C, H, W)``."""
    pairs = bands([samples[:PAIRS], nearest[:PAIRS]], COLUMNS)
    draw_grid(pairs.numpy(), path, levels=levels, columns=COLUMNS)


def by_class(samples: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """Return the samples in rows by class, empty places black, and how many columns that takes."""
    rows = [samples[labels == label] for label in labels.unique().tolist()]
    columns = max(map(len, rows))
    return torch.cat([_filled(row, columns) for row in rows]), columns


def bands(parts: Sequence[Tensor], columns: int) -> Tensor:
    """Return rows of ``columns`` images: the parts' first rows, then their second, and so on; empty places black."""
    rows = zip(*(part.split(columns) for part in parts), strict=True)
    return torch.cat([_filled(row, columns) for band in rows for row in band])


def like(images: Tensor, model: Tensor) -> Tensor:
    """Return images in the channels and size of ``model``: grey is repeated, colour averaged, nearest pixels taken."""
    channels, height, width = model.shape[1:]
    if images.shape[1] not in (1, channels):
        images = images.float().mean(1, keepdim=True).round().to(torch.uint8)
    rows = torch.arange(height) * images.shape[2] // height
    places = torch.arange(width) * images.shape[3] // width
    return images[:, :, rows][:, :, :, places].expand(-1, channels, -1, -1)


def _filled(row: Tensor, columns: int) -> Tensor:
    return torch.cat([row, row.new_zeros((columns - len(row), *row.shape[1:]))])
