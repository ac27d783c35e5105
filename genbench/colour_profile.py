"""Colours as a file means them: levels under an ICC profile become those of sRGB, which all else here takes them for.

Telephones store photographs in Display P3 and cameras in Adobe RGB: taken for sRGB they are paler than people see them.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageCms import ImageCmsTransform

WITH_ALPHA = {"LA": "L", "RGBA": "RGB"}  # no profile is about an alpha
TAKEN = ("L", "RGB", "CMYK")
TRIED = range(0, 256, 17)  # levels of the colours that a profile is tried on
NEAR = 3  # levels: a profile that moves none of these by more is sRGB's own, in whichever words


def in_srgb(image: Image) -> Image:
    """Return a picture in the colours that its profile means; itself where it has none, or a damaged one, or sRGB's.

    Args:
        image: the picture, decoded, of 8 bits a channel; one with a palette or a transparent colour comes without.
    """
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes):
        return image
    clear = "transparency" in image.info
    whole = image
    if image.mode == "P" or (clear and image.mode == "RGB"):
        whole = image.convert("RGBA" if clear else "RGB")
    elif clear and image.mode == "L":
        whole = image.convert("LA")
    mode = WITH_ALPHA.get(whole.mode, whole.mode)
    transform = _transform(profile, mode) if mode in TAKEN else None
    if transform is None:
        return image
    found = transform.apply(whole.convert(mode))
    if mode == "L":
        found = found.getchannel("G")  # of three that are the same
    elif mode == "RGB":
        found = _as_grey(whole.convert(mode), found)
    if whole.mode != mode:
        found.putalpha(whole.getchannel("A"))
    return found


def _as_grey(before: Image, after: Image) -> Image:
    """Return colours in which what was grey is so: rounding leaves a level between channels here and there."""
    import numpy as np
    from PIL.Image import fromarray

    stored, found = np.asarray(before), np.array(after)
    grey = (stored == stored[..., :1]).all(-1)
    found[grey] = found[grey][:, 1:2]
    return fromarray(found)


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCmsTransform | None:
    """Return what brings pictures of a mode to sRGB; None where nothing would change, or nobody can tell what."""
    from PIL import Image, ImageChops, ImageCms

    try:
        known = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(known, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError):  # damaged, or of another kind of colours than the picture
        return None
    if mode == "CMYK":
        return transform
    cube = bytes(level for r in TRIED for g in TRIED for b in TRIED for level in (r, g, b))
    colours = Image.frombytes("RGB", (len(TRIED) ** 3, 1), cube).convert(mode)
    moved = ImageChops.difference(transform.apply(colours), colours.convert("RGB"))
    return transform if max(moved.tobytes()) > NEAR else None
