"""Pictures of several rows side by side, as a paper shows them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from genbench.image_file import decoded
from genbench.plots.drawing import STYLE, Target, literal, save

ACROSS = 4  # pictures a line
INCHES = 1.75  # width of the widest


def draw_sheet(pictures: Sequence[tuple[str, Path]], target: Target, *, fmt: str | None = None) -> None:
    """Draw pictures with their labels above, all at one scale, aligned at the top.

    Args:
        pictures: the label and the PNG of each picture.
        target: a path, several, or an open binary file.
        fmt: the format, ``png``, ``svg`` or ``pdf``; by default the path's ending, or ``png``.

    Raises:
        ValueError: for no pictures, or a file that is none.
    """
    if not pictures:
        raise ValueError("pictures: there are none to draw")
    images = [decoded(path, formats=("PNG",)).image.convert("RGB") for _, path in pictures]
    across = min(ACROSS, len(images))
    lines = [images[start : start + across] for start in range(0, len(images), across)]
    widest = max(image.width for image in images)
    heights = [INCHES * max(image.height for image in line) / widest + 0.3 for line in lines]
    with rc_context(STYLE | {"image.interpolation": "none"}):
        figure = Figure(figsize=((INCHES + 0.15) * across, sum(heights)))
        wide, high = figure.get_size_inches()
        for index, (image, (label, _)) in enumerate(zip(images, pictures, strict=True)):
            line, column = divmod(index, across)
            top = 0.22 + math.fsum(heights[:line])
            left = 0.05 + (INCHES + 0.15) * column
            size = (INCHES * image.width / widest, INCHES * image.height / widest)
            axes = figure.add_axes((left / wide, 1 - (top + size[1]) / high, size[0] / wide, size[1] / high))
            axes.imshow(image)
            axes.set_axis_off()
            axes.set_title(literal(label), loc="left", fontsize=8, pad=3)
        save(figure, target, fmt)
