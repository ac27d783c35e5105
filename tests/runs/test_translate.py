"""A user's own images through a trained cell, by the command line."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import genbench
from genbench import DataSpec
from genbench.data.folder import pictures
from genbench.records import layout
from genbench.spec import Field
from tests.commands import refused, script
from tests.records import record
from tests.toys import installed

SPEC = DataSpec((1, 8, 8), source=(1, 8, 8))
DOMAINS = replace(SPEC, fields={"domain": Field((), 3)})


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")):
        yield


@pytest.fixture
def genbench_(monkeypatch, capsys):
    return script(monkeypatch, capsys)


@pytest.fixture
def cell(tmp_path):
    """A function that saves an untrained turner of a spec, which copies its source, and returns its file."""

    def save(spec):
        genbench.save(tmp_path / "turner.safetensors", genbench.build("turner", spec))
        return tmp_path / "turner.safetensors"

    return save


@pytest.fixture
def theirs(tmp_path):
    """A folder of three grey images, and their levels."""
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    (tmp_path / "theirs").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "theirs" / f"{i}.png")
    return tmp_path / "theirs", images


def tiles(path, lines, columns):
    """The images of a grid of 8×8 ones, each enlarged to 56 pixels: ``(lines, columns, 8, 8)``."""
    paper = np.asarray(Image.open(path))
    assert paper.shape == (lines * 58 - 2, columns * 58 - 2)
    places = [[(58 * y, 58 * x) for x in range(columns)] for y in range(lines)]
    return np.array([[paper[y : y + 56 : 7, x : x + 56 : 7] for y, x in line] for line in places])


def test_sources_stand_above_what_is_made_of_them(genbench_, cell, theirs, tmp_path):
    folder, images = theirs
    assert genbench_("sample", cell(SPEC), "--source", folder, "-o", tmp_path / "out.png")[0] == 0
    shown = tiles(tmp_path / "out.png", 2, 3)
    assert np.array_equal(shown[0], images)
    assert np.array_equal(shown[1], images), "a turner without domains copies"
    assert genbench_("sample", cell(SPEC), "--source", folder / "1.png", "-o", tmp_path / "one.png")[0] == 0
    assert np.array_equal(tiles(tmp_path / "one.png", 2, 1)[:, 0], images[[1, 1]])
    assert genbench_("sample", cell(SPEC), "--source", folder, "-n", 2, "-o", tmp_path / "two.png")[0] == 0
    assert np.array_equal(tiles(tmp_path / "two.png", 2, 2)[0], images[:2])
    Image.fromarray(images[0]).save(folder / "3.png")
    said = genbench_("sample", cell(SPEC), "--source", folder, "-n", 2, "-o", tmp_path / "two.png")[1]
    assert said.strip() == f"{tmp_path / 'two.png'}: 2 of 4 images, evenly spread"
    assert np.array_equal(tiles(tmp_path / "two.png", 2, 2)[0], images[[0, 2]])


def test_a_domain_is_translated_into_or_each_of_them(genbench_, cell, theirs, tmp_path):
    folder, images = theirs
    words = ("sample", cell(DOMAINS), "--source", folder, "-o", tmp_path / "out.png")
    assert genbench_(*words, "--domain", 1)[0] == 0
    assert np.array_equal(tiles(tmp_path / "out.png", 2, 3)[1], 255 - images)
    assert genbench_(*words)[0] == 0
    shown = tiles(tmp_path / "out.png", 4, 3)
    assert np.array_equal(shown, np.stack([images, images, 255 - images, 255 - images]))


def test_channels_are_brought_to_the_cells_where_nothing_is_lost(genbench_, cell, theirs, tmp_path):
    folder, images = theirs
    Image.open(folder / "0.png").convert("RGB").save(tmp_path / "grey in colour.png")
    words = ("sample", cell(SPEC), "-o", tmp_path / "out.png", "--source")
    assert genbench_(*words, tmp_path / "grey in colour.png")[0] == 0
    assert np.array_equal(tiles(tmp_path / "out.png", 2, 1)[0, 0], images[0])
    colour = np.zeros((8, 8, 3), np.uint8)
    colour[..., 0] = 200
    Image.fromarray(colour).save(tmp_path / "red.png")
    assert "3 channels where this cell translates 1" in refused(genbench_(*words, tmp_path / "red.png"))
    three = DataSpec((3, 8, 8), source=(3, 8, 8))
    assert genbench_("sample", cell(three), "--source", folder, "-o", tmp_path / "out.png")[0] == 0


def trained(folder, cell, dataset="domains:folder:theirs+mnist5k", **how):
    """The folder of a cell whose record says how the pictures were read that it was trained on."""
    record(dataset=dataset, stamp={"configuration": how}).write(folder)
    (folder / layout.MODEL).parent.mkdir(exist_ok=True)
    shutil.copy(cell, folder / layout.MODEL)
    return folder


def test_pictures_are_cut_and_resized_as_those_that_the_cell_was_trained_on(genbench_, cell, tmp_path):
    wide = np.random.default_rng(0).integers(0, 256, (16, 40), dtype=np.uint8)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    words = ("--source", tmp_path / "wide.png", "-o", tmp_path / "out.png")
    for name, size in (("sized", 8), ("larger", 32)):  # the latter's sources were made smaller than its images
        assert genbench_("sample", trained(tmp_path / name, cell(SPEC), size=size), *words)[0] == 0
        shown = tiles(tmp_path / "out.png", 2, 1)[:, 0]
        assert np.array_equal(shown[0], pictures(tmp_path / "wide.png", size=8)[0, 0].numpy())
        assert np.array_equal(shown[0], shown[1])
    as_they_are = trained(tmp_path / "as they are", cell(SPEC), size=None)
    assert "images are 40×16; this cell translates 8×8" in refused(genbench_("sample", as_they_are, *words))
    ours = trained(tmp_path / "ours", cell(SPEC), "domains:mnist5k+folder:theirs", size=8)  # it resized no source
    assert "images are 40×16; this cell translates 8×8" in refused(genbench_("sample", ours, *words))


def test_transparent_pixels_lie_on_the_ground_that_the_cell_was_trained_with(genbench_, cell, tmp_path):
    Image.new("RGBA", (8, 8)).save(tmp_path / "clear.png")
    words = ("--source", tmp_path / "clear.png", "-o", tmp_path / "out.png")
    dark = trained(tmp_path / "dark", cell(SPEC), alpha="black")
    for where, level, more in (
        (dark, 0, ()),
        (dark, 255, ("--alpha", "white")),
        (trained(tmp_path / "old", cell(SPEC)), 255, ()),
        (cell(SPEC), 255, ()),
        (cell(SPEC), 0, ("--alpha", "black")),
    ):
        assert genbench_("sample", where, *words, *more)[0] == 0
        assert set(tiles(tmp_path / "out.png", 2, 1).flatten().tolist()) == {level}, (where, more)


def test_what_cannot_be_translated_is_refused_in_one_line(genbench_, cell, theirs, tmp_path):
    folder, _ = theirs
    out = tmp_path / "out.png"

    def said(file, *words):
        return refused(genbench_("sample", file, "-o", out, *words))

    Image.fromarray(np.zeros((6, 9), np.uint8)).save(tmp_path / "wide.png")
    assert "images are 9×6; this cell translates 8×8" in said(cell(SPEC), "--source", tmp_path / "wide.png")
    assert "nowhere: there is no such file" in said(cell(SPEC), "--source", tmp_path / "nowhere")
    assert "--domain 1: turner is told no domain" in said(cell(SPEC), "--source", folder, "--domain", 1)
    assert "--domain 3: this model knows 0 to 2" in said(cell(DOMAINS), "--source", folder, "--domain", 3)
    assert "--domain 1: goes with --source alone" in said(cell(DOMAINS), "--domain", 1)
    assert "--label 1: turner draws without labels" in said(cell(SPEC), "--source", folder, "--label", 1)
    assert "--keep 1: does not go with --source" in said(cell(SPEC), "--source", folder, "--keep", 1)
    genbench.save(tmp_path / "toy.safetensors", genbench.build("toy", DataSpec((1, 8, 8))))
    assert "toy translates nothing" in said(tmp_path / "toy.safetensors", "--source", folder)
    assert not out.exists()


def test_a_cell_that_is_told_more_says_what_it_lacks(genbench_, cell, theirs, tmp_path, monkeypatch):
    from genbench.runs import translate

    folder, _ = theirs
    fields = {"source_domain": Field((), 2, "source"), "landmarks": Field((4, 2), 8, "source")}
    model = genbench.build("turner", replace(SPEC, fields=fields))
    monkeypatch.setattr(translate, "model_of", lambda path, device: model)
    words = ("sample", tmp_path, "-o", tmp_path / "out.png", "--source", folder)
    model.given = ("source", "source_domain")
    assert "say --source-domain K" in refused(genbench_(*words))
    assert genbench_(*words, "--source-domain", 1)[0] == 0
    model.given = ("source", "landmarks")
    assert "is told landmarks too, which no file of an image says" in refused(genbench_(*words))
