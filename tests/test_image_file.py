"""The one opener of pictures: which it opens, what it refuses before decoding, and how it brings them to pixels."""

import io
import os
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from genbench import image_file
from genbench.image_file import FORMATS, SUFFIXES, decoded, ground, opened
from tests.damage import assert_one_line, damaged

WIDE = np.arange(6, dtype=np.uint8).reshape(2, 3) * 20  # of no symmetry


def saved(path, picture, **how):
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path, **how)
    return path


def pixels(path, **how):
    found = decoded(path, **how)
    return np.asarray(found.image), found.done


def header(width, height):
    """A PNG whose header says that size, with hardly any pixels."""
    return png(struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), b"\0")


def png(head, rows):
    """A PNG of those bytes: what its header says is up to them."""
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (struct.pack(">I", len(of)) + kind + of + struct.pack(">I", zlib.crc32(kind + of)) for kind, of in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n", r"none of PNG, .+, BMP, DIB, TIFF, PPM"),
        (header(30000, 30000), r"more than 67,108,864 pixels; make it smaller"),
        (header(10000, 10000), r"10000×10000 is more than 67,108,864 pixels"),
        (header(3, 2), r"cannot be read as an image \(.+\); repair or remove it"),
        (b"", r"cannot be read as an image"),
    ],
)
def test_what_is_no_picture_or_too_large_a_one_is_refused_by_its_path(tmp_path, monkeypatch, content, said):
    monkeypatch.setattr("subprocess.Popen", lambda *a, **k: pytest.fail("a program was started"))
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{path}: .*{said}") as caught:
        decoded(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    for name in ("a.png", "zero.png", ""):
        with pytest.raises(ValueError, match=r"is no regular file"), opened(tmp_path / name):
            pass


def test_every_format_is_read_and_no_other(tmp_path):
    assert {known for ending in SUFFIXES if (known := Image.registered_extensions()[ending])} == set(FORMATS)
    for name in FORMATS:
        found, done = pixels(saved(tmp_path / "a", WIDE, format=name, **({"lossless": True} if name == "WEBP" else {})))
        assert found.shape[:2] == (2, 3)
        assert not [what for what in done if "palette" not in what]
    saved(tmp_path / "a.png", WIDE, format="ICNS" if "ICNS" in Image.SAVE else "TGA")
    with pytest.raises(ValueError, match="cannot be read as an image"):
        decoded(tmp_path / "a.png")
    with (
        pytest.raises(ValueError, match=r"none of PNG\)"),
        opened(saved(tmp_path / "b.png", WIDE, format="GIF"), ("PNG",)),
    ):
        pass


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright_whichever_way_the_camera_was_held(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
    # What such a camera stores, by the table of EXIF: where row 0 and column 0 of the stored picture are to be seen.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[orientation]
    path = tmp_path / f"a.{suffix}"
    lossless = {"lossless": True} if suffix == "webp" else {"quality": 100} if suffix == "jpg" else {}
    saved(path, np.ascontiguousarray(stored), exif=exif, **lossless)
    found, done = pixels(path)
    found = found if found.ndim == 2 else found[..., 0]
    assert found.shape == (5, 7)
    assert np.abs(found.astype(int) - upright).max() <= (3 if suffix == "jpg" else 0)
    assert [what for what in done if what == "turned upright by EXIF"] == ["turned upright by EXIF"] * (orientation > 1)


def test_transparent_pixels_lie_on_the_ground_and_opaque_ones_are_as_they_were(tmp_path):
    grey = np.array([[[40, 255], [40, 0], [40, 51]]], np.uint8)
    path = saved(tmp_path / "a.png", Image.fromarray(grey))
    for alpha, wanted in (("white", [40, 255, 212]), ("black", [40, 0, 8])):
        found, done = pixels(path, alpha=alpha)
        assert found.tolist() == [wanted]  # 40·a + ground·(1 - a)
        assert done == (f"laid on {alpha} where transparent",)
    found, _ = pixels(path, alpha="#ff0000")
    assert found[0, :2].tolist() == [[40, 40, 40], [255, 0, 0]]
    with pytest.raises(ValueError, match=r"a\.png: has transparent pixels; say --alpha white"):
        decoded(path, alpha="refuse")
    grey[..., 1] = 255
    found, done = pixels(saved(path, Image.fromarray(grey)), alpha="refuse")
    assert (found.tolist(), done) == ([[40, 40, 40]], ())


def test_one_transparent_colour_of_a_palette_or_of_grey_lies_on_the_ground_too(tmp_path):
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    palette.putpalette([9, 9, 9, 200, 0, 0, 0, 0, 250])
    found, done = pixels(saved(tmp_path / "p.png", palette, transparency=2))
    assert found.tolist() == [[[9, 9, 9], [200, 0, 0], [255, 255, 255]]]
    assert done == ("laid on white where transparent",)
    found, done = pixels(saved(tmp_path / "p.png", palette))
    assert (found[0, 2].tolist(), done) == ([0, 0, 250], ("brought from a palette to colours",))
    found, _ = pixels(saved(tmp_path / "l.png", np.array([[7, 8]], np.uint8), transparency=8))
    assert found.tolist() == [[7, 255]]
    found, done = pixels(saved(tmp_path / "d.png", np.array([[700, 800]], np.uint16), transparency=800))
    assert found.tolist() == [[700 >> 8, 255]]


def test_sixteen_bits_keep_their_upper_eight_in_grey_and_in_colour(tmp_path):
    deep = np.array([[0, 255, 256, 65535]], np.uint16)
    for suffix in ("png", "tif", "pgm"):
        found, done = pixels(saved(tmp_path / f"a.{suffix}", deep))
        assert (found.tolist(), done) == ([[0, 0, 1, 255]], ("brought from 16 bits to 8",)), suffix
    rows = b"\0" + np.array([[[256, 511, 65535]]], ">u2").tobytes()
    (tmp_path / "c.png").write_bytes(png(struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0), rows))
    found, done = pixels(tmp_path / "c.png")
    assert (found.tolist(), done) == ([[[1, 1, 255]]], ("brought from 16 bits to 8",))
    with pytest.raises(ValueError, match=r"f\.tif: has pixels of 32 bits \(F\)"):
        decoded(saved(tmp_path / "f.tif", np.zeros((2, 2), np.float32)))


def test_of_an_animation_the_first_frame_counts_and_it_is_said(tmp_path):
    frames = [Image.fromarray(np.full((2, 2), level, np.uint8)) for level in (10, 200)]
    for suffix in ("gif", "webp", "png", "tif"):
        lossless = {"lossless": True} if suffix == "webp" else {}
        path = saved(tmp_path / f"a.{suffix}", frames[0], save_all=True, append_images=frames[1:], **lossless)
        found, done = pixels(path)
        assert np.unique(found).tolist() == [10]
        assert done[0] == "of which the first frame counts"


def test_other_colours_become_rgb_and_it_is_said(tmp_path):
    found, done = pixels(saved(tmp_path / "a.tif", Image.new("CMYK", (1, 1), (0, 255, 255, 0))))
    assert (found.tolist(), done) == ([[[255, 0, 0]]], ("brought from CMYK to RGB",))


def test_a_ground_is_a_colour_or_refuse():
    assert (ground("white"), ground("#0a0b0c"), ground("refuse")) == ((255, 255, 255), (10, 11, 12), None)
    for alpha in ("", "whit", "#fff0", "hsl(0,0%,0%)", "#00000000"):
        with pytest.raises(ValueError, match=r"give white, black or another colour, #rrggbb, or refuse"):
            ground(alpha)


@pytest.mark.parametrize("name", FORMATS)
def test_damage_anywhere_is_one_line_or_a_picture(tmp_path, monkeypatch, capfd, name):
    """Bits flipped and ends cut off by a fixed seed: each file is decoded, or refused by its path in one line."""
    monkeypatch.setattr(image_file, "MOST_PIXELS", 10_000)  # a large one takes its time
    noise = random.Random(name)
    buffer = io.BytesIO()
    packed = {"compression": "tiff_lzw"} if name == "TIFF" else {}
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)).save(buffer, name, **packed)
    path = tmp_path / "a.png"
    for content in damaged(buffer.getvalue(), noise, 30):
        path.write_bytes(content)
        assert_one_line(path, decoded)
    assert capfd.readouterr() == ("", ""), "no library says anything beside"


def test_the_limit_is_of_the_pixels_and_not_of_a_side(tmp_path, monkeypatch):
    monkeypatch.setattr(image_file, "MOST_PIXELS", 6)
    assert decoded(saved(tmp_path / "a.png", WIDE)).image.size == (3, 2)
    with pytest.raises(ValueError, match=r"7×1 is more than 6 pixels"):
        decoded(saved(tmp_path / "b.png", np.zeros((1, 7), np.uint8)))
