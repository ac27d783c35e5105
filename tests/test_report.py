import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from genbench import plots, report, table
from genbench.exhibits import NEIGHBOURS, PICTURES
from genbench.record import records
from tests.records import anchor, lost, quality, quick, record, run


class Page(HTMLParser):
    """What a browser would see: tags with attributes, and texts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data.strip())

    def all(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = run(tmp_path_factory.mktemp("run"), quick())
    report.write(folder)
    return folder


@pytest.fixture(scope="module")
def text(folder):
    return (folder / "report.html").read_text()


def test_the_report_opens_without_a_network(text):
    assert not re.search(r"https?:|//[a-z]+\.", text)
    page = Page(text)
    assert not page.all("link")
    assert not page.all("iframe")
    assert all("src" not in attrs for attrs in page.all("script"))
    assert all(attrs["src"].startswith("data:image/png;base64,") for attrs in page.all("img"))
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\((.*?)\)", text))


def test_the_report_holds_every_row_every_grid_and_every_reason(folder, text):
    page = Page(text)
    rows = table.rows(records(folder))
    for row in rows:
        assert row["label"] in page.texts
    pictures = {path.read_bytes() for path in folder.glob("cells/*/*/seed-0/samples.png")}
    shown = {base64.b64decode(attrs["src"].partition(",")[2]) for attrs in page.all("img")}
    assert shown == pictures
    assert len(page.all("details")) == len(rows)
    assert any("loss of turn critic is nan at step 120" in said for said in page.texts)
    assert len(text) < 5_000_000


def test_grids_are_captioned_and_the_real_one_is_first(text):
    page = Page(text)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert captions[0].startswith("<b>real (test)</b><span>FID 25.8</span>")
    (vae,) = [caption for caption in captions if "<b>vae</b>" in caption]
    assert re.search(r"≤ 1\.6\d\d ± 0\.\d{3} bits/dim</span><span>FID 172", vae)
    (cgan,) = [caption for caption in captions if "<b>cgan</b>" in caption]
    assert "87.0 % of the class asked for" in cgan
    assert len(page.all("img")) == len(captions)


def test_curves_and_one_scatter_a_data_set_are_drawn(text):
    page = Page(text)
    drawings = [attrs["class"] for attrs in page.all("div") if "drawing" in attrs["class"]]
    assert drawings == ["drawing scatter", "drawing"] * 2
    assert len(page.all("svg")) == 4
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert "not drawn: f-gan (KL)." in text


def test_numbers_sort_as_numbers_and_absent_ones_are_marked(text):
    cells = re.findall(r'<t[dh][^>]*data-sort="([^"]*)">', text)
    assert "" in cells
    assert {"12900.0", "49.3"} <= set(cells)


def test_a_label_is_text_and_never_markup(tmp_path):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    text = report.write(
        run(tmp_path, [record(evil, quality=quality()), lost(evil + "$ --> 2", reason="<b>&</b>")])
    ).read_text()
    page = Page(text)
    assert len(page.all("script")) == 1
    assert not any("onerror" in attrs for _, attrs in page.tags)
    assert evil in page.texts
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in text


def test_one_grid_a_row_and_every_image_as_large(tmp_path):
    folder = run(tmp_path, [record("a", seed=0), record("a", seed=1), record("b")])
    narrow = folder / "cells" / "mnist5k" / "b" / "seed-0" / "samples.png"
    plots.grid(np.zeros((10, 1, 28, 28), dtype=np.uint8), narrow, columns=4)
    page = Page(report.write(folder).read_text())
    # 8 columns of 56 pixels and 7 gaps against 4 and 3
    assert sorted(attrs["style"] for attrs in page.all("img")) == ["width: 100.00%", f"width: {100 * 230 / 462:.2f}%"]
    assert any("seed 0, one of 2" in said for said in page.texts)


def test_a_cell_without_picture_or_with_a_broken_history_is_no_fault(tmp_path):
    folder = run(tmp_path, [record("a"), record("b")])
    for path in folder.glob("cells/*/a/seed-0/*"):
        if path.name == "samples.png":
            path.unlink()
        elif path.name == "history.csv":
            path.write_text("phase,step,ima")
    page = Page(report.write(folder).read_text())
    assert len(page.all("img")) == 1
    assert len(page.all("svg")) == 2


def test_abilities_have_sections_laid_out_alike_and_say_where_they_failed(tmp_path):
    said = {"reconstruct": "reconstructions.png", "complete": "failed: RuntimeError: <no> codes"}
    folder = run(tmp_path, [record("a", abilities=said), record("b", abilities={"reconstruct": "reconstructions.png"})])
    for name in "ab":
        path = folder / "cells" / "mnist5k" / name / "seed-0" / "reconstructions.png"
        plots.grid(np.full((8, 1, 28, 28), ord(name), dtype=np.uint8), path)
    page = Page(report.write(folder).read_text())
    heads = [text for text in page.texts if text in ("Samples", *(picture.title for picture in PICTURES))]
    assert heads == ["Samples", "Reconstructions", "Completions"]
    alts = [attrs["alt"] for attrs in page.all("img")]
    assert alts == ["Samples of a", "Samples of b", "Reconstructions of a", "Reconstructions of b"]
    shown = {base64.b64decode(attrs["src"].partition(",")[2]) for attrs in page.all("img")}
    assert shown == {path.read_bytes() for path in folder.rglob("*.png")}
    assert "a failed: RuntimeError: <no> codes" in page.texts


def test_nearest_training_images_have_a_section_with_the_real_ones_first(tmp_path):
    folder = run(tmp_path, [record("a"), record("b"), anchor("real (test)", quality=quality(9.0))])
    for slug in ("a", "real--test"):
        path = folder / "cells" / "mnist5k" / slug / "seed-0" / NEIGHBOURS.file
        plots.grid(np.full((32, 1, 28, 28), len(slug), dtype=np.uint8), path)
    page = Page(report.write(folder).read_text())
    heads = [text for text in page.texts if text in ("Samples", *(picture.title for picture in PICTURES))]
    assert heads == ["Samples", "Nearest training images"]
    assert any(text.startswith("The first 16 samples; below each") for text in page.texts)
    images = {attrs["alt"]: base64.b64decode(attrs["src"].partition(",")[2]) for attrs in page.all("img")}
    assert [alt for alt in images if alt.startswith("Nearest")] == [
        "Nearest training images of real (test)",
        "Nearest training images of a",
    ]
    assert (
        images["Nearest training images of a"]
        == (folder / "cells" / "mnist5k" / "a" / "seed-0" / "neighbours.png").read_bytes()
    )


def test_rows_of_one_label_have_pictures_of_their_own(tmp_path):
    folder = run(tmp_path, [record("a", seed=0), record("a", seed=1, stamp={"threads": 16})])
    page = Page(report.write(folder).read_text())
    images = {attrs["alt"]: base64.b64decode(attrs["src"].partition(",")[2]) for attrs in page.all("img")}
    for seed, name in ((0, "Samples of a (2 threads)"), (1, "Samples of a (16 threads)")):
        assert images[name] == (folder / "cells" / "mnist5k" / "a" / f"seed-{seed}" / "samples.png").read_bytes()
    assert len(images) == 2


def test_half_written_cells_are_not_read(tmp_path):
    folder = run(tmp_path, [record("a")])
    cell = folder / "cells" / "mnist5k" / "a" / "seed-0"
    record("a", seed=1).write(cell.with_name("seed-1.part"))
    assert len(report.cells(folder)) == 1


def test_a_folder_without_records_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(ValueError, match="no records"):
        report.write(tmp_path)
    assert not list(tmp_path.iterdir())
