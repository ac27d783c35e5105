"""A user's own images through the codes of a trained model, by the command line."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import genbench
from genbench import Batch, DataSpec
from genbench.records import layout
from genbench.spec import from_bytes, to_bytes
from tests.commands import pictures, refused, script
from tests.records import record

GREY = DataSpec((1, 8, 8), levels=17)
STEPS = 5


@pytest.fixture
def genbench_(monkeypatch, capsys):
    return script(monkeypatch, capsys)


@pytest.fixture
def saved(tmp_path):
    """A function that saves an untrained model, and returns it with its file."""

    def save(recipe, spec, **options):
        model = genbench.build(recipe, spec, **options)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for parameter in model.parameters():  # as they are built, most show one image whatever the code
                torch.nn.init.normal_(parameter, std=0.5)
        genbench.save(tmp_path / f"{recipe}.safetensors", model)
        return model, tmp_path / f"{recipe}.safetensors"

    return save


@pytest.fixture
def ae(saved):
    return saved("ae", GREY, width=4, latents=3)


def levels(path):
    """Its image as a batch of one of 17 levels."""
    bytes_ = torch.from_numpy(np.array(Image.open(path)))[None, None]
    return (bytes_.double() * 16 / 255).round().to(torch.uint8)


def tile(paper, line, column):
    return paper[58 * line :: 7, 58 * column :: 7][:8, :8]


def test_bytes_go_back_to_the_levels_that_they_were():
    for count in (2, 3, 17, 200, 256):
        images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1)
        assert torch.equal(from_bytes(to_bytes(images, count), count), images)
    assert from_bytes(torch.tensor([127, 128], dtype=torch.uint8), 2).tolist() == [0, 1]


def test_transparent_pixels_lie_on_the_ground_that_the_cell_was_trained_with(genbench_, ae, tmp_path):
    clear = tmp_path / "clear.png"
    Image.new("RGBA", (8, 8)).save(clear)
    dark = tmp_path / "dark"
    record(stamp={"configuration": {"alpha": "black"}}).write(dark)
    (dark / layout.MODEL).parent.mkdir(exist_ok=True)
    shutil.copy(ae[1], dark / layout.MODEL)
    for where, level, more in ((dark, 0, ()), (dark, 255, ("--alpha", "white")), (ae[1], 255, ())):
        words = ("sample", where, "--reconstruct", clear, "-o", tmp_path / "out.png", *more)
        assert genbench_(*words)[0] == 0
        assert set(tile(np.array(Image.open(tmp_path / "out.png")), 0, 0).flatten().tolist()) == {level}, (where, more)


def test_images_stand_above_what_is_made_of_their_codes(genbench_, ae, tmp_path):
    model, file = ae
    folder = pictures(tmp_path / "theirs", 4)
    out = tmp_path / "again.png"
    said = genbench_("sample", file, "--reconstruct", folder, "-n", 2, "-o", out)
    assert (said[0], said[1].strip()) == (0, f"{out}: 2 of 4 images, evenly spread")
    paper = np.asarray(Image.open(out))
    assert paper.shape == (2 * 58 - 2, 2 * 58 - 2)
    for column, name in enumerate(("0.png", "2.png")):
        image = levels(folder / name)
        again = model.reconstruct(Batch(image))
        assert np.array_equal(tile(paper, 0, column), (image.int() * 255 // 16)[0, 0])
        assert np.array_equal(tile(paper, 1, column), (again.int() * 255 // 16)[0, 0])
    assert genbench_("sample", file, "--reconstruct", folder / "2.png", "-o", tmp_path / "again.npz")[0] == 0
    with np.load(tmp_path / "again.npz") as alone:
        assert np.array_equal(alone["images"], again[:, 0])


def test_the_way_from_one_image_to_another_is_a_strip_or_a_gif(genbench_, ae, tmp_path):
    model, file = ae
    folder = pictures(tmp_path / "theirs", 2)
    ends = folder / "0.png", folder / "1.png"
    first, last = (Batch(levels(end)) for end in ends)
    wanted = model.interpolate(first, last, STEPS)[0, :, 0].int() * 255 // 16
    assert len(wanted.unique(dim=0)) == STEPS
    words = ("sample", file, "--interpolate", *ends, "-n", STEPS, "-o")
    assert genbench_(*words, tmp_path / "way.png")[0] == 0
    paper = np.asarray(Image.open(tmp_path / "way.png"))
    assert paper.shape == (56, STEPS * 58 - 2)
    assert np.array_equal([tile(paper, 0, step) for step in range(STEPS)], wanted)
    assert genbench_(*words, tmp_path / "way.GIF")[0] == 0
    with Image.open(tmp_path / "way.GIF") as film:
        assert (film.format, film.info["loop"], film.n_frames) == ("GIF", 0, STEPS)
        for step in range(STEPS):
            film.seek(step)
            assert np.array_equal(tile(np.asarray(film.convert("L")), 0, 0), wanted[step])
    assert genbench_(*words, tmp_path / "way-%d.png")[0] == 0
    assert len(list(tmp_path.glob("way-*.png"))) == STEPS
    assert genbench_("sample", file, "--interpolate", *ends, "-o", tmp_path / "way.npz")[0] == 0
    with np.load(tmp_path / "way.npz") as whole:
        assert len(whole["images"]) == 16


def test_photographs_are_cut_and_resized_and_grey_is_taken_for_colour(genbench_, saved, tmp_path):
    model, file = saved("ae", DataSpec((3, 8, 8)), width=4, latents=3)
    wide = pictures(tmp_path / "wide", 1, side=24) / "0.png"
    with Image.open(wide) as image:
        Image.merge("L", [image]).crop((0, 0, 24, 16)).save(wide)
    with Image.open(wide) as image:
        square = np.asarray(ImageOps.fit(image, (8, 8), Image.Resampling.BICUBIC))
    batch = Batch(torch.from_numpy(square.copy()).expand(1, 3, -1, -1))
    assert genbench_("sample", file, "--reconstruct", wide, "-o", tmp_path / "x.npz")[0] == 0
    with np.load(tmp_path / "x.npz") as made:
        assert np.array_equal(made["images"], model.reconstruct(batch).permute(0, 2, 3, 1))


def test_a_model_that_is_told_the_class_hears_it(genbench_, saved, tmp_path):
    model, file = saved("cvae", DataSpec((1, 8, 8), classes=3), width=4, latents=3)
    one = pictures(tmp_path / "theirs", 1) / "0.png"
    images = torch.from_numpy(np.array(Image.open(one)))[None, None]
    assert "cvae is told the class of an image; say --label" in refused(
        genbench_("sample", file, "--reconstruct", one, "-o", tmp_path / "x.npz")
    )
    for label in (0, 2):
        words = ("sample", file, "--reconstruct", one, "--label", label, "-o", tmp_path / "x.npz")
        assert genbench_(*words)[0] == 0
        with np.load(tmp_path / "x.npz") as made:
            wanted = model.reconstruct(Batch(images, torch.tensor([label])))
            assert np.array_equal(made["images"], wanted[:, 0])


def test_what_has_no_codes_or_does_not_fit_is_refused_in_one_line(genbench_, ae, saved, tmp_path):
    _, file = ae
    folder = pictures(tmp_path / "theirs", 2)
    one = folder / "0.png"
    out = tmp_path / "out.png"

    def said(file, *words, output=out):
        return refused(genbench_("sample", file, "-o", output, *words))

    _, gan = saved("gan", GREY, width=4)
    assert "--reconstruct: gan has no code for an image" in said(gan, "--reconstruct", one)
    assert "--interpolate: gan has no codes to go between" in said(gan, "--interpolate", one, one)
    assert "theirs: 2 images; give one file for each end" in said(file, "--interpolate", one, folder)
    assert "-n 1: an interpolation has 2 images or more" in said(file, "--interpolate", one, one, "-n", 1)
    assert "--label 1: ae draws without labels" in said(file, "--reconstruct", one, "--label", 1)
    assert "way.jpg: give grid.png" in said(file, "--interpolate", one, one, output=tmp_path / "way.jpg")
    assert "way.gif: give grid.png" in said(file, "--reconstruct", one, output=tmp_path / "way.gif")
    assert "does not go with --reconstruct" in said(file, "--reconstruct", one, "--interpolate", one, one)
    assert "--keep 1: does not go with --interpolate" in said(file, "--interpolate", one, one, "--keep", 1)
    assert "--alpha black: goes with --source, --reconstruct, --interpolate alone" in said(file, "--alpha", "black")
    colour = pictures(tmp_path / "colour", 1, "RGB") / "0.png"
    assert "3 channels where this cell's images have 1" in said(file, "--reconstruct", colour)
    _, wide = saved("vae", DataSpec((1, 8, 12)), width=4)
    assert "images are 8×8; this cell's are 12×8; resize them" in said(wide, "--reconstruct", one)
    assert not out.exists()
