"""Files of images, opened in one place: which formats, how large, which way up, in what colours and on what ground.

Pillow reads some forty formats, and hands one of them to an outside program. A file that anybody may have written is
opened as one of :data:`FORMATS` alone, whatever its name says, and decoded once its header is known to be of no more
than :data:`MOST_PIXELS`. What has to be converted is, and said.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from genbench.colour_profile import in_srgb
from genbench.errors import short
from genbench.files import check_regular

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "DIB": (".dib",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
FORMATS = tuple(ENDINGS)
SUFFIXES = {ending for endings in ENDINGS.values() for ending in endings}  # in lower case
MOST_PIXELS = 2**26  # 8192×8192; more are refused before anything is decoded
WHITE = "white"
REFUSE = "refuse"  # in place of a ground: pictures with transparent pixels are no data
ORIENTATION = 0x0112  # the tag of EXIF
RANGELESS = ("I", "F")  # 32 bits a pixel, of which no file says what is white
TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else Python prints what Pillow logs of damaged files


class _RefusedError(ValueError):
    """What is wrong with a picture that can be read; its path is put in front."""


@dataclass(frozen=True)
class Decoded:
    """A picture as pixels.

    Args:
        image: the picture, upright and opaque, of mode ``L`` where it is stored as grey, else ``RGB``.
        done: the conversions that it took, each in a few words that follow a count of pictures.
    """

    image: Image
    done: tuple[str, ...]


@contextmanager
def opened(path: Path, formats: tuple[str, ...] = FORMATS) -> Iterator[Image]:
    """Yield a picture of one of ``formats``, not decoded yet; whatever decoding it inside raises becomes one line.

    Raises:
        ValueError: with the path, for what is no regular file, no such picture, damaged, or of too many pixels.
    """
    from PIL import Image, UnidentifiedImageError

    check_regular(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's, of odd metadata and of sizes, which are looked at here
            # A file, not its name: Pillow would map it into memory, and turns what it maps wrongly.
            with path.open("rb") as file, Image.open(file, formats=formats) as image:
                _check_size(*image.size)
                with _silent() if image.format == "TIFF" else nullcontext():
                    yield image
    except _RefusedError as error:
        raise ValueError(f"{path}: {error}") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: cannot be read as an image (none of {', '.join(formats)}); remove it") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: {_too_large('it')}") from error
    except Exception as error:  # a decoder fails in many ways on a damaged file
        raise ValueError(f"{path}: cannot be read as an image ({short(error)}); repair or remove it") from error


def decoded(path: Path, alpha: str = WHITE, formats: tuple[str, ...] = FORMATS) -> Decoded:
    """Return the picture in a file, as it is to be seen.

    An EXIF orientation is applied. Of an animation the first frame counts. Levels of 16 bits become those of 8 that
    hold them, ``x >> 8``, in grey as in colour. Palettes and other colours become RGB; colours under an ICC profile
    those of sRGB, as a browser shows them.

    Args:
        path: the file.
        alpha: the ground that transparent pixels lie on, a colour, or ``"refuse"``: see :func:`ground`.
        formats: the formats that it may be of, by Pillow's names.

    Raises:
        ValueError: see :func:`opened`; also for 32 bits a pixel, and for transparency that is to be refused.
    """
    ground(alpha)
    with opened(path, formats) as image:
        return seen(image, alpha)


def seen(image: Image, alpha: str = WHITE) -> Decoded:
    """Return a picture of Pillow's, decoded or not, as it is to be seen: see :func:`decoded`.

    Raises:
        ValueError: for more than :data:`MOST_PIXELS`, 32 bits a pixel, and transparency that is to be refused.
    """
    colour = ground(alpha)
    _check_size(*image.size)
    done = ["of which the first frame counts"] if getattr(image, "is_animated", False) else []
    if any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())):
        done.append("brought from 16 bits to 8")
    turned = _orientation(image)
    image.load()
    way_up = _orientation(image)  # 1 by now where Pillow turns by itself, as it does TIFF
    stored = _eight_bits(image)
    meant = in_srgb(stored)
    if meant is not stored:
        done += ["brought from a palette to colours"] * (stored.mode == "P")
        done.append("brought to sRGB from the colour profile in it")
    whole = _opaque(meant, alpha, colour, done)
    if whole.mode == "P":
        done.append("brought from a palette to colours")
    elif whole.mode not in ("1", "L", "RGB"):
        done.append(f"brought from {whole.mode} to RGB")
    whole = whole.convert("L" if whole.mode in ("1", "L") else "RGB")
    if max(turned, way_up) > 1:
        done.append("turned upright by EXIF")
    return Decoded(_upright(whole, way_up), tuple(done))


def ground(alpha: str) -> tuple[int, int, int] | None:
    """Return the colour of a ground, by its name or as ``#rrggbb``; None for ``"refuse"``.

    Raises:
        ValueError: for what is neither.
    """
    from PIL import ImageColor

    if alpha == REFUSE:
        return None
    if alpha not in ImageColor.colormap and not re.fullmatch("#[0-9a-fA-F]{6}", alpha):
        raise ValueError(f"alpha={alpha!r}: give white, black or another colour, #rrggbb, or refuse")
    red, green, blue = ImageColor.getrgb(alpha)[:3]
    return red, green, blue


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what libtiff writes to standard error out of it: the one line of a refusal says enough."""
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise _RefusedError(_too_large(f"{width}×{height}"))


def _too_large(what: str) -> str:
    return f"{what} is more than {MOST_PIXELS:,} pixels; make it smaller"


def _orientation(image: Image) -> int:
    """Return the orientation that EXIF says, 1 to 8; 1, upright, where it says none or nonsense."""
    said = image.getexif().get(ORIENTATION, 1)
    return said if isinstance(said, int) and 1 <= said <= 8 else 1


def _upright(image: Image, orientation: int) -> Image:
    from PIL.Image import Transpose

    turns = (
        None,
        Transpose.FLIP_LEFT_RIGHT,
        Transpose.ROTATE_180,
        Transpose.FLIP_TOP_BOTTOM,
        Transpose.TRANSPOSE,
        Transpose.ROTATE_270,
        Transpose.TRANSVERSE,
        Transpose.ROTATE_90,
    )
    turn = turns[orientation - 1]
    return image if turn is None else image.transpose(turn)


def _eight_bits(image: Image) -> Image:
    """Return a grey picture of 16 bits in 8, with what is transparent of it, and any other as it is."""
    import numpy as np  # the command line imports this module, and seldom opens a picture
    from PIL.Image import fromarray, merge

    deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))
    if image.mode in RANGELESS and not deep:
        raise _RefusedError(f"has pixels of 32 bits ({image.mode}), and no file says which are white; bring it to 8")
    if not deep:
        return image
    levels = np.asarray(image)
    grey = fromarray((levels >> 8).clip(0, 255).astype(np.uint8))
    clear = image.info.get("transparency")
    if clear is not None:
        grey = merge("LA", (grey, fromarray(np.where(levels == clear, 0, 255).astype(np.uint8))))
    grey.info["icc_profile"] = image.info.get("icc_profile")
    return grey


def _opaque(image: Image, alpha: str, colour: tuple[int, int, int] | None, done: list[str]) -> Image:
    """Return a picture on the ground ``colour``, and any other, or one of opaque pixels alone, without its alpha."""
    from PIL.Image import new

    if image.mode not in TRANSPARENT and "transparency" not in image.info:
        return image
    grey = image.mode in ("1", "L", "LA", "La")
    whole = image.convert("RGBA")
    if whole.getchannel("A").getextrema() != (255, 255):
        if colour is None:
            raise _RefusedError("has transparent pixels; say --alpha white, or another colour, for what is behind them")
        done.append(f"laid on {alpha} where transparent")
        behind = new("RGBA", whole.size, (*colour, 255))
        behind.alpha_composite(whole)
        whole = behind
        grey = grey and len(set(colour)) == 1
    return whole.getchannel(0) if grey else whole.convert("RGB")
