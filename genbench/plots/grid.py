"""Grids of images, as PNG, and animations, as GIF."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from einops import rearrange, repeat
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from genbench.files import written_whole

GAP = 2  # pixels between images
PAPER = 255  # their grey
CELL = 56  # side, in pixels, to which small images are enlarged
LONGEST = 20  # letters of a caption
FRAME = 80  # milliseconds of an animation


def draw_grid(
    images: ArrayLike,
    path: Path,
    *,
    levels: int = 256,
    columns: int = 8,
    scale: int | None = None,
    captions: Sequence[str] = (),
) -> None:
    """Write what :func:`grid` makes of images as a PNG of that path, whole or not at all."""
    picture = grid(images, levels=levels, columns=columns, scale=scale, captions=captions)
    with written_whole(Path(path)) as part:
        picture.save(part, format="PNG", optimize=True)


def draw_animation(images: ArrayLike, path: Path, *, levels: int = 256) -> None:
    """Write images, uint8 ``(N, C, H, W)``, as a GIF that repeats, each enlarged as in a :func:`grid`."""
    first, *others = [grid(image[None], levels=levels) for image in np.asarray(images)]
    with written_whole(Path(path)) as part:
        first.save(part, format="GIF", save_all=True, append_images=others, duration=FRAME, loop=0)


def grid(
    images: ArrayLike,
    *,
    levels: int = 256,
    columns: int = 8,
    scale: int | None = None,
    captions: Sequence[str] = (),
) -> Image.Image:
    """Return images as one picture, row by row, enlarged by whole pixels.

    Level ``v`` becomes the grey ``255 · v / (levels - 1)``: the range is the data set's, never a batch's own.

    Args:
        images: the images, uint8 ``(N, C, H, W)``, grey or colour.
        levels: the number of integer levels, ``0 … levels-1``.
        columns: the number of images a line; 10 for classes in columns.
        scale: the side in pixels that a pixel is enlarged to; by default as many as bring the longer side to about 56.
        captions: a text to the left of each line, if there are any.

    Raises:
        ValueError: for images of another type or shape, beyond their levels, or columns or scale below 1.
    """
    array = np.asarray(images)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1] not in (1, 3) or 0 in array.shape:
        raise ValueError(f"images are {array.dtype} {array.shape}: give uint8 (N, 1 or 3, H, W), N at least 1")
    if not 2 <= levels <= 256 or array.max() >= levels:
        raise ValueError(f"levels={levels}: images have levels up to {array.max()}; give 2 to 256, above every level")
    if columns < 1 or (scale is not None and scale < 1):
        raise ValueError(f"columns={columns}, scale={scale}: give at least 1")
    _, channels, height, width = array.shape
    scale = scale or max(1, round(CELL / max(height, width)))
    grey = (array.astype(np.uint16) * 255 // (levels - 1)).astype(np.uint8)
    enlarged = repeat(grey, "n c y x -> n (y dy) (x dx) c", dy=scale, dx=scale)
    columns = min(columns, len(enlarged))
    lines = math.ceil(len(enlarged) / columns)
    # every image has its gap below it and at its right; the last ones' are cut off
    places = np.full((lines * columns, height * scale + GAP, width * scale + GAP, channels), PAPER, dtype=np.uint8)
    places[: len(enlarged), :-GAP, :-GAP] = enlarged
    paper = rearrange(places, "(line column) y x c -> (line y) (column x) c", column=columns)[:-GAP, :-GAP]
    picture = Image.fromarray(paper[:, :, 0] if channels == 1 else paper)
    return _captioned(picture, captions, height * scale + GAP) if captions else picture


def _captioned(picture: Image.Image, captions: Sequence[str], pitch: int) -> Image.Image:
    """Return a picture with a text to the left of each of its lines, which are ``pitch`` pixels apart."""
    texts = [text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..." for text in captions]
    font = ImageFont.load_default()
    boxes = [font.getbbox(text) for text in texts]
    margin = math.ceil(max(right for _, _, right, _ in boxes)) + 2 * GAP
    whole = Image.new(picture.mode, (picture.width + margin, picture.height), "white")
    whole.paste(picture, (margin, 0))
    write = ImageDraw.Draw(whole)
    for line, (text, (_, top, right, bottom)) in enumerate(zip(texts, boxes, strict=True)):
        middle = line * pitch + (pitch - GAP) / 2
        write.text((margin - GAP - right, middle - (top + bottom) / 2), text, fill="black", font=font)
    return whole
