import base64
import io
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genbench.plots.grid import draw_grid
from genbench.records.parts import Parzen
from genbench.records.pictures import NEIGHBOURS, PICTURES
from genbench.records.record import records
from genbench.tables import page as report
from genbench.tables import rows as table
from genbench.tables.captions import by_dataset
from genbench.tables.panels import embedded
from tests.records import anchor, lost, quality, quick, record, run

TITLES = [picture.title for picture in PICTURES]


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


def seen(source):
    """The pixels of a picture on the page."""
    assert re.match(r"data:image/(png|webp);base64,", source)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB")).tobytes()


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).tobytes()


def pictures(page):
    """Pixels by alternative text, of the page's pictures in their order."""
    return {attrs["alt"]: seen(attrs["src"]) for attrs in page.all("img") if "src" in attrs}


def headings(page, *names):
    return [text for text in page.texts if text in names]


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
    assert [attrs["href"] for attrs in page.all("link")] == ["data:,"]
    assert not page.all("iframe")
    assert all("src" not in attrs for attrs in page.all("script"))
    assert all(attrs["src"].startswith("data:image/") for attrs in page.all("img") if "src" in attrs)
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\((.*?)\)", text))


def test_the_report_holds_every_row_every_grid_and_every_reason(folder, text):
    page = Page(text)
    rows = [row for _, mine in by_dataset(table.rows(records(folder))) for row in mine]
    for row in rows:
        assert row["label"] in page.texts
    shown = {seen(attrs["src"]) for attrs in page.all("img") if "src" in attrs}
    assert shown == {pixels(path) for path in folder.glob("cells/*/*/*/samples.png")}
    stamps = [attrs for attrs in page.all("details") if attrs["class"].startswith("stamp")]
    assert len(stamps) == len(rows)
    assert {f"#{attrs['id']}" for attrs in stamps} <= {attrs["href"] for attrs in page.all("a")}
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
    assert len(pictures(page)) + len(page.all("dialog")) <= len(page.all("img")) == len(captions) + 1


def test_curves_and_one_scatter_a_data_set_are_drawn(text):
    page = Page(text)
    drawings = [attrs["class"] for attrs in page.all("div") if "drawing" in attrs.get("class", "")]
    assert drawings == ["drawing scatter", *["drawing"] * 7, "drawing scatter", "drawing"]
    assert len(page.all("svg")) == len(drawings)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert "not drawn: f-gan (KL)." in text


def test_numbers_sort_as_numbers_and_absent_ones_are_marked(text):
    cells = re.findall(r'<t[dh][^>]*data-sort="([^"]*)">', text)
    assert "" in cells
    assert {"12900.0", "49.3"} <= set(cells)


def test_headings_sort_best_first_as_their_figures_declare(tmp_path):
    parzen = Parzen(nats=150.0, standard_error=5.0, sigma=0.2, samples=100, validation=100, images=100)
    report.write(run(tmp_path, [record("vae", parzen=parzen)]))
    text = (tmp_path / "report.html").read_text()
    heads = re.findall(r'<th scope="col"[^>]*data-better="([^"]*)"[^>]*>([^<]*)<', text)
    better = {head.replace("\u00a0", " "): direction for direction, head in heads}
    assert better["Parzen, nats"] == "high", "though it has no arrow, since nothing is ranked by it"
    # By the arrow where there is one; other columns begin with the least.
    assert {better[head] for head in better if "↑" in head} == {"high"}
    assert {better[head] for head in better if "↓" in head} == {better["Recipe"]} == {"low"}


def test_a_figure_says_what_it_was_measured_on(text):
    titles = {said.replace("&#34;", '"') for said in re.findall(r'title="([^"]*)"', text)}
    (samples,) = [said for said in titles if "1,000 samples against" in said and "Data: mnist5k" in said]
    assert samples.splitlines() == [
        "1,000 samples against 3,500 training images",
        "Features: efficientnet-lite0, hash cccccccc",
        "Resize: bilinear to 112, antialiased",
        "Data: mnist5k, train split, hash aaaaaaaa",
        "Seed 0; revision dddddddd",
    ]
    assert any("An estimate, by ais, 2 draws an image" in s and "the work doubled" in s for s in titles)
    assert any("An upper bound, by elbo" in s and "hash bbbbbbbb" in s and "standard error" in s for s in titles)
    assert any("One image at a time" in s and "Some Processor 9000, 2 threads" in s for s in titles)


def test_pictures_are_pixel_for_pixel_the_cells_and_ten_recipes_of_colour_are_below_5_mb(tmp_path):
    folder = run(tmp_path, [record(f"recipe-{i}") for i in range(10)])
    yy, xx = np.mgrid[:32, :32] / 32
    noise = np.random.default_rng(0)
    # As much detail as photographs have: smooth shapes under a grain that differs in every channel.
    waves = np.sin(6 * (noise.uniform(0.2, 1, (64, 3, 1, 1)) * xx + noise.uniform(-1, 1, (64, 3, 1, 1)) * yy))
    images = (128 + 80 * waves + noise.normal(0, 6, (64, 3, 32, 32))).clip(0, 255).astype(np.uint8)
    cell = folder / "cells" / "mnist5k" / "recipe-0" / "seed-0"
    draw_grid(images, cell / "samples.png")
    draw_grid(images[:32], cell / NEIGHBOURS.file)
    for other in folder.glob("cells/mnist5k/recipe-[1-9]/seed-0"):
        for name in ("samples.png", NEIGHBOURS.file):
            shutil.copy(cell / name, other)
    page = report.write(folder)
    assert page.stat().st_size < 5_000_000
    for path in (cell / "samples.png", cell / NEIGHBOURS.file):
        source, wide = embedded(path)
        assert source.startswith("data:image/webp")
        assert seen(source) == pixels(path)
        assert wide == Image.open(path).width


def test_figures_are_written_in_three_formats(tmp_path):
    folder = run(tmp_path, [record("a"), record("b", quality=quality(80.0))])
    written = report.figures(folder)
    stems = ["mnist5k-scatter", "mnist5k-curves", "mnist5k-samples"]
    assert [path.name for path in written] == [f"{stem}.{end}" for stem in stems for end in ("pdf", "svg", "png")]
    starts = {".pdf": b"%PDF", ".svg": b"<?xml", ".png": b"\x89PNG"}
    assert all(path.read_bytes().startswith(starts[path.suffix]) for path in written)
    before = [path.read_bytes() for path in written]
    assert before == [path.read_bytes() for path in report.figures(folder)]


def test_all_text_stands_out_from_its_ground_in_light_and_dark():
    css = (Path(report.__file__).parent / "templates" / "report.css").read_text()
    themes = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", css, re.S)
    ]
    themes = [theme for theme in themes if theme]
    assert len(themes) == 3  # light, dark, paper
    for theme in themes:
        for text in ("ink", "soft", "warn", "mark"):
            for ground in ("paper", "wash"):
                assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground)


def contrast(a, b):
    """WCAG's ratio of relative luminances."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def test_a_label_is_text_and_never_markup(tmp_path):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    text = report.write(
        run(tmp_path, [record(evil, quality=quality()), lost(evil + "$ --> 2", reason="<b>&</b>")])
    ).read_text()
    page = Page(text)
    assert len(page.all("script")) == 1
    assert not any(attrs.get("src") == "x" for attrs in page.all("img"))
    assert not any("onerror" in attrs for _, attrs in page.tags)
    assert evil in page.texts
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in text


def test_one_grid_a_row_and_every_image_as_large(tmp_path):
    folder = run(tmp_path, [record("a", seed=0), record("a", seed=1), record("b")])
    narrow = folder / "cells" / "mnist5k" / "b" / "seed-0" / "samples.png"
    draw_grid(np.zeros((10, 1, 28, 28), dtype=np.uint8), narrow, columns=4)
    page = Page(report.write(folder).read_text())
    # 8 columns of 56 pixels and 7 gaps against 4 and 3
    ratios = {attrs["style"] for attrs in page.all("figure")}
    assert ratios in (
        {"--ratio: 1.0000", f"--ratio: {230 / 462:.4f}"},
        {"--ratio: 1.0000", f"--ratio: {462 / 230:.4f}"},
    )
    assert any("seed 0, one of 2" in said for said in page.texts)


def test_a_cell_without_picture_is_no_fault_and_one_with_a_broken_picture_or_history_says_so(tmp_path):
    folder = run(tmp_path, [record("a"), record("b"), record("c")])
    (folder / "cells" / "mnist5k" / "c" / "seed-0" / "samples.png").unlink()
    for path in folder.glob("cells/*/a/seed-0/*"):
        if path.name != "record.json":
            path.write_bytes(path.read_bytes()[:14])
    page = Page(report.write(folder).read_text())
    assert len(pictures(page)) == 1
    assert any(text.startswith("a has no picture: ") and "samples.png" in text for text in page.texts)
    assert len(page.all("svg")) == 3
    assert any(text.startswith("a has no curve: history ") for text in page.texts)


def test_abilities_have_sections_laid_out_alike_and_say_where_they_failed(tmp_path):
    said = {"reconstruct": "reconstructions.png", "complete": "failed: RuntimeError: <no> codes"}
    folder = run(tmp_path, [record("a", abilities=said), record("b", abilities={"reconstruct": "reconstructions.png"})])
    for name in "ab":
        path = folder / "cells" / "mnist5k" / name / "seed-0" / "reconstructions.png"
        draw_grid(np.full((8, 1, 28, 28), ord(name), dtype=np.uint8), path)
    page = Page(report.write(folder).read_text())
    assert headings(page, "Samples", *TITLES) == ["Samples", "Reconstructions", "Completions"]
    shown = pictures(page)
    assert list(shown) == ["Samples of a", "Samples of b", "Reconstructions of a", "Reconstructions of b"]
    assert set(shown.values()) == {pixels(path) for path in folder.rglob("*.png")}
    assert "a failed: RuntimeError: <no> codes" in page.texts


def test_nearest_training_images_have_a_section_with_the_real_ones_first(tmp_path):
    folder = run(tmp_path, [record("a"), record("b"), anchor("real (test)", quality=quality(9.0))])
    for slug in ("a", "real--test"):
        path = folder / "cells" / "mnist5k" / slug / "seed-0" / NEIGHBOURS.file
        draw_grid(np.full((32, 1, 28, 28), len(slug), dtype=np.uint8), path)
    page = Page(report.write(folder).read_text())
    assert headings(page, "Samples", *TITLES) == ["Samples", "Nearest training images"]
    assert any(text.startswith("The first 16 samples; below each") for text in page.texts)
    images = pictures(page)
    assert [alt for alt in images if alt.startswith("Nearest")] == [
        "Nearest training images of real (test)",
        "Nearest training images of a",
    ]
    assert images["Nearest training images of a"] == pixels(folder / "cells/mnist5k/a/seed-0/neighbours.png")


def test_rows_of_one_label_have_pictures_of_their_own(tmp_path):
    folder = run(tmp_path, [record("a", seed=0), record("a", seed=1, stamp={"threads": 16})])
    page = Page(report.write(folder).read_text())
    images = pictures(page)
    assert len(images) == 2
    for seed, name in ((0, "Samples of a (2 threads)"), (1, "Samples of a (16 threads)")):
        assert images[name] == pixels(folder / "cells" / "mnist5k" / "a" / f"seed-{seed}" / "samples.png")


def test_half_written_cells_are_not_read(tmp_path):
    folder = run(tmp_path, [record("a")])
    record("a", seed=1).write(folder / "cells" / "mnist5k" / "a" / "seed-1.part")
    assert len(records(folder)) == 1


def test_a_folder_without_records_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(ValueError, match="no records"):
        report.write(tmp_path)
    assert not list(tmp_path.iterdir())
