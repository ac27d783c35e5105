"""Bits per dimension of image files: what a likelihood must beat to be worth a model."""

from __future__ import annotations

import importlib.util
import io
from typing import Any

from einops import rearrange
from PIL import Image
from torch import Tensor

from genbench.interface import LogLikelihood
from genbench.likelihood.nll import summarise
from genbench.records.parts import Likelihood

# The strongest lossless setting of each that does not take minutes: JPEG XL has a tenth effort, ten times as slow.
CODECS: dict[str, dict[str, Any]] = {
    "png": {"format": "PNG", "optimize": True},
    "webp": {"format": "WEBP", "lossless": True, "quality": 100, "method": 6},
    "jpeg-xl": {"lossless": True, "effort": 9, "numthreads": 1},
}


def available() -> tuple[str, ...]:
    """Return the codecs that this installation has: JPEG XL comes with the extra ``codecs``."""
    return tuple(CODECS) if importlib.util.find_spec("imagecodecs") else tuple(n for n in CODECS if n != "jpeg-xl")


def codec_nll(images: Tensor, levels: int, codec: str) -> Likelihood:
    """Return the length of a lossless file an image, headers included, in bits per dimension.

    A code's length is a log-probability under the model that the code implies (Kraft), so the figure stands in the
    column of likelihoods: exact, given nothing, by the codec.

    Args:
        images: the images, uint8 ``(N, C, H, W)``, grey or colour.
        levels: the number of levels, 256: a file knows no fewer.
        codec: the codec's name: ``"png"``, ``"webp"`` or ``"jpeg-xl"``.

    Raises:
        ValueError: for a codec that is unknown or not installed, levels other than 256, channels that no file has, no
            images, or images of up to 64 pixels, where the header is all that would be measured.
    """
    if codec not in CODECS:
        raise ValueError(f"codec={codec!r} is unknown: there are {', '.join(CODECS)}")
    if codec not in available():
        raise ValueError(f"codec={codec!r} needs a package: pip install 'genbench[codecs]'")
    if levels != 256:
        raise ValueError(f"levels={levels}: {codec} stores 256 levels; a comparison with fewer would be unfair to it")
    if images.dim() != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise ValueError(f"images have shape {tuple(images.shape)}: {codec} takes (N, 1 or 3, H, W), N at least 1")
    height, width = images.shape[2:]
    if height * width <= 64:
        raise ValueError(f"images are {height}×{width}: {codec}'s header would outweigh so few pixels; give above 8×8")
    dimensions = images[0].numel()
    bits = [8 * len(encode(image, codec)) / dimensions for image in images]
    return summarise(bits, LogLikelihood(nats=images.new_empty(0), kind="exact", method=codec))


def encode(image: Tensor, codec: str) -> bytes:
    """Return the file of one uint8 image ``(C, H, W)``."""
    pixels = rearrange(image.cpu(), "1 y x -> y x" if len(image) == 1 else "c y x -> y x c").numpy()
    if codec == "jpeg-xl":
        from imagecodecs import jpegxl_encode

        return bytes(jpegxl_encode(pixels.copy(), **CODECS[codec]))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, **CODECS[codec])
    return file.getvalue()
