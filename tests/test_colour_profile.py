"""Colours under an ICC profile become those of sRGB, as a browser shows them; without one they stay."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from genbench.image_file import decoded

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = SRGB.replace(b"rXYZ", b"____").replace(b"gXYZ", b"rXYZ").replace(b"____", b"gXYZ")  # its red is green
SAID = "brought to sRGB from the colour profile in it"
# Display P3 by its primaries, as they are adapted to D50.
P3 = {b"rXYZ": (0.51512, 0.24120, -0.00105), b"gXYZ": (0.29198, 0.69225, 0.04189), b"bXYZ": (0.15710, 0.06657, 0.78407)}


def display_p3():
    profile = bytearray(SRGB)
    for i in range(*struct.unpack(">I", profile[128:132])):
        name, begin, _ = struct.unpack(">4sII", profile[132 + 12 * i : 144 + 12 * i])
        if name in P3:
            profile[begin + 8 : begin + 20] = struct.pack(">iii", *(round(65536 * value) for value in P3[name]))
    return bytes(profile)


def linear_grey():
    """A profile of greys whose levels are amounts of light."""
    white = struct.pack(">4s4xiii", b"XYZ ", 63190, 65536, 54061)
    curve = struct.pack(">4s4xI", b"curv", 0)
    begin = 128 + 4 + 2 * 12
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", begin, len(white), b"kTRC", begin + len(white), len(curve))
    whole = bytearray(SRGB[:128] + tags + white + curve)
    whole[:4], whole[16:20] = struct.pack(">I", len(whole)), b"GRAY"
    return bytes(whole)


def read(path, picture, profile, **how):
    picture.save(path, icc_profile=profile, **how)
    found = decoded(path)
    return np.asarray(found.image), found.done


@pytest.mark.parametrize(("name", "how"), [("a.png", {}), ("a.webp", {"lossless": True}), ("a.tif", {})])
def test_levels_become_those_of_srgb_and_it_is_said(tmp_path, name, how):
    found, done = read(tmp_path / name, Image.new("RGB", (2, 2), (200, 30, 7)), SWAPPED, **how)
    assert np.abs(found.astype(int) - (30, 200, 7)).max() <= 1
    assert done == (SAID,)


def test_a_telephones_colours_are_as_strong_as_they_were_taken(tmp_path):
    # What a browser shows of (200, 100, 50) in Display P3: its red is outside what sRGB has at that strength.
    found, done = read(tmp_path / "a.png", Image.new("RGB", (1, 1), (200, 100, 50)), display_p3())
    linear = [((level / 255 + 0.055) / 1.055) ** 2.4 for level in (200, 100, 50)]
    to_srgb = np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]])
    light = to_srgb @ linear
    expected = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(found[0, 0] - expected).max() <= 1.5
    assert done == (SAID,)


def test_greys_of_another_curve_stay_grey(tmp_path):
    found, done = read(tmp_path / "a.png", Image.new("L", (2, 2), 55), linear_grey())
    assert found.shape == (2, 2)
    assert np.abs(found.astype(int) - 128).max() <= 1  # 255 (1.055 (55 / 255)^(1 / 2.4) - 0.055)
    assert done == (SAID,)


@pytest.mark.parametrize("kind", ["RGBA", "transparent colour", "palette"])
def test_what_is_transparent_stays_so(tmp_path, kind):
    levels = np.array([[[200, 30, 7, 255], [9, 9, 9, 0]]], np.uint8)
    picture, how = Image.fromarray(levels), {}
    if kind == "transparent colour":
        picture, how = picture.convert("RGB"), {"transparency": (9, 9, 9)}
    elif kind == "palette":
        picture, how = picture.convert("RGB").quantize(2), {}
        how = {"transparency": picture.getpixel((1, 0))}
    found, done = read(tmp_path / "a.png", picture, SWAPPED, **how)
    assert np.abs(found[0].astype(int) - [[30, 200, 7], [255, 255, 255]]).max() <= 1
    of_palette = ("brought from a palette to colours",) if kind == "palette" else ()
    assert done == (*of_palette, SAID, "laid on white where transparent")


@pytest.mark.parametrize("profile", [SRGB, b"nonsense" * 20, SRGB[:200], linear_grey()])
def test_srgb_damage_and_a_profile_of_other_colours_change_nothing(tmp_path, profile):
    found, done = read(tmp_path / "a.png", Image.new("RGB", (2, 2), (200, 30, 7)), profile)
    assert (found[0, 0].tolist(), done) == ([200, 30, 7], ())


def test_greys_of_16_bits_have_their_profile_too(tmp_path):
    levels = Image.fromarray(np.full((2, 2), 55 * 257, np.uint16))
    found, done = read(tmp_path / "a.png", levels, linear_grey())
    assert np.abs(found.astype(int) - 128).max() <= 1
    assert done == ("brought from 16 bits to 8", SAID)


def test_what_is_grey_in_colours_stays_grey(tmp_path):
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    linear = display_p3().replace(b"para", b"curv")
    for profile in (SWAPPED, display_p3(), linear):
        found, _ = read(tmp_path / "a.png", Image.fromarray(ramp), profile)
        assert (found == found[..., :1]).all()


def test_a_picture_of_pillows_is_brought_to_srgb_too():
    from genbench.image_file import seen

    file = io.BytesIO()
    Image.new("RGB", (1, 1), (200, 30, 7)).save(file, "PNG", icc_profile=SWAPPED)
    assert seen(Image.open(file)).done == (SAID,)
