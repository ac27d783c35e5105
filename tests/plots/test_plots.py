import io
import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from genbench.plots import drawing, scatter
from genbench.plots.curves import draw_curves, read_history
from genbench.plots.drawing import inline
from genbench.plots.grid import draw_grid
from genbench.plots.pareto import pareto_front
from genbench.plots.scatter import draw_scatter, drawable
from genbench.plots.sheet import draw_sheet
from genbench.tables import rows as table
from tests.records import likelihood, quality, quick, record, speed
from tests.tables.test_page import contrast


def pixels(path):
    return np.asarray(Image.open(path))


def test_grid_puts_each_image_in_its_place_in_whole_pixels(tmp_path):
    images = torch.arange(3, dtype=torch.uint8)[:, None, None, None].expand(3, 1, 2, 2).contiguous()
    images[0, 0, 0, 1] = 2
    draw_grid(images, tmp_path / "g.png", levels=3, columns=2, scale=3)
    got = pixels(tmp_path / "g.png")
    assert got.shape == (2 * 6 + 2, 2 * 6 + 2)
    assert (got[:3, :3] == 0).all()
    assert (got[:3, 3:6] == 255).all()
    assert (got[:6, 8:] == 127).all()
    assert (got[8:, :6] == 255).all()
    assert (got[6:8] == 255).all()
    assert (got[8:, 8:] == 255).all()  # where there is no fourth image: paper


@pytest.mark.parametrize(("levels", "top"), [(256, 17), (17, 255), (2, None)])
def test_grid_stretches_levels_by_the_data_sets_range_never_by_the_batchs(tmp_path, levels, top):
    images = np.full((1, 1, 8, 8), min(levels - 1, 17 if levels > 17 else 16), dtype=np.uint8)
    draw_grid(images, tmp_path / "g.png", levels=levels, scale=1)
    assert set(pixels(tmp_path / "g.png").ravel()) == {255 if top is None else top}


def test_grid_keeps_colours_and_brings_small_images_up(tmp_path):
    images = np.zeros((2, 3, 8, 8), dtype=np.uint8)
    images[:, 0], images[:, 2] = 200, 7
    draw_grid(images, tmp_path / "g.png")
    got = pixels(tmp_path / "g.png")
    assert got.shape == (56, 2 * 56 + 2, 3)
    assert tuple(got[0, 0]) == (200, 0, 7)
    assert [path.name for path in tmp_path.iterdir()] == ["g.png"]


@pytest.mark.parametrize(
    ("images", "options", "said"),
    [
        (np.zeros((1, 1, 8, 8), dtype=np.float32), {}, "float32"),
        (np.zeros((8, 8), dtype=np.uint8), {}, r"\(8, 8\)"),
        (np.zeros((1, 2, 8, 8), dtype=np.uint8), {}, "1 or 3"),
        (np.zeros((0, 1, 8, 8), dtype=np.uint8), {}, "at least 1"),
        (np.full((1, 1, 8, 8), 17, dtype=np.uint8), {"levels": 17}, "up to 17"),
        (np.zeros((1, 1, 8, 8), dtype=np.uint8), {"columns": 0}, "columns=0"),
        (np.zeros((1, 1, 8, 8), dtype=np.uint8), {"scale": 0}, "scale=0"),
    ],
)
def test_grid_refuses_what_it_cannot_show(tmp_path, images, options, said):
    with pytest.raises(ValueError, match=said):
        draw_grid(images, tmp_path / "g.png", **options)
    assert not list(tmp_path.iterdir())


def digits(records):
    return [row for row in table.rows(records) if row["dataset"] == "mnist5k"]


def test_scatter_shows_every_row_with_both_figures_and_no_label_on_another(tmp_path, monkeypatch):
    boxes = []
    place = scatter._label

    def spy(figure, axes, rows, names):
        place(figure, axes, rows, names)
        renderer = scatter.FigureCanvasAgg(figure).get_renderer()
        boxes.extend((text.get_text(), text.get_window_extent(renderer)) for text in axes.texts if text.get_text())

    monkeypatch.setattr(scatter, "_label", spy)
    crowd = [
        record(f"recipe-{i}", test=likelihood((2 + 0.01 * i,) * 2), quality=quality(100 + 0.5 * i)) for i in range(15)
    ]
    few = digits([*quick(), *crowd[:5]])
    many = digits([*quick(), *crowd])
    for rows in (few, many):
        boxes.clear()
        draw_scatter(rows, tmp_path / "s.png")
        none_on_another(boxes)
        named = {text for text, _ in boxes}
        shown = [row for row in rows if drawable(row)]
        if rows is few:
            assert {f"recipe-{i}" for i in range(5)} | {"pixelcnn", "vae", "gan*", "real (test)"} <= named
            assert not {"f-gan (KL)", "noise", "png", "1"} & named
        else:  # numbers in the order of the rows
            assert named == {str(place) for place in range(1, len(shown) + 1)} | {"real (test)"}
            text = inline(draw_scatter, rows, "x")
            for place, row in enumerate(shown, start=1):
                assert f">{place}  {row['label']}" in re.sub(r"\s*\n\s*", "", text)
    assert Image.open(tmp_path / "s.png").size[0] > 800


def none_on_another(boxes):
    for i, (_, a) in enumerate(boxes):
        for _, b in boxes[i + 1 :]:
            assert min(a.x1, b.x1) <= max(a.x0, b.x0) or min(a.y1, b.y1) <= max(a.y0, b.y0)


def of_one_family(*speeds):
    return table.rows(
        record(f"r{i}", test=likelihood((2 + i,) * 2), quality=quality(100 + 9 * i), speed=speed(1.0, fast))
        for i, fast in enumerate(speeds)
    )


def test_rows_of_one_family_have_a_colour_each_and_families_one():
    text = inline(draw_scatter, of_one_family(9.0, 9.0, 9.0), "x")
    assert all(colour in text for colour in drawing.COLOURS[:3])
    assert drawing.COLOURS[3] not in text
    crowd = inline(draw_scatter, of_one_family(*[9.0] * 9), "x")
    assert drawing.COLOURS[0] in crowd
    assert drawing.COLOURS[1] not in crowd


def test_areas_are_explained_where_speeds_differ():
    assert "images/s" not in inline(draw_scatter, of_one_family(1000.0, 1100.0), "x")
    assert "images/s" not in inline(draw_scatter, of_one_family(0.0, 0.0), "x")
    text = inline(draw_scatter, of_one_family(30.0, 90_000.0), "x")
    assert all(f"{speed} images/s" in text for speed in ("10", "1,000", "100,000"))


def test_scatter_refuses_figures_that_do_not_compare():
    with pytest.raises(ValueError, match=r"several of dataset: edges:mnist5k, mnist5k"):
        draw_scatter(table.rows(quick()), io.BytesIO())
    with pytest.raises(ValueError, match=r"several of extractor: classifier, efficientnet-lite0"):
        draw_scatter(table.rows([record("a"), record("b", extractor="classifier")]), io.BytesIO())
    with pytest.raises(ValueError, match="none has both"):
        draw_scatter(table.rows([record(quality=None)]), io.BytesIO())


def test_infinite_likelihoods_are_not_drawn():
    rows = table.rows([record("a"), record("b", test=likelihood((1, math.inf), standard_error=math.nan))])
    assert [drawable(row) for row in rows] == [True, False]


def history(tmp_path, text):
    path = tmp_path / "history.csv"
    path.write_text(text)
    return path


def test_history_reads_columns_and_blanks(tmp_path):
    text = "phase,step,images,seconds,critic/loss,generator/loss\na,1,64,0.1,2.5,\na,2,128,0.2,2.25,-1e-3\n"
    read = read_history(history(tmp_path, text))
    assert list(read["images"]) == [64, 128]
    assert list(read["critic/loss"]) == [2.5, 2.25]
    assert np.isnan(read["generator/loss"][0])
    assert read["generator/loss"][1] == -0.001


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no table of texts"),
        ('phase,step,images,seconds\na,"1', "no table of texts"),
        ("phase,step,images\n", "its columns are not phase, step, images, seconds"),
        ("phase,step,images,seconds,x/y,x/y\na,1,1,1,1,1\n", "its columns are not"),
        ("phase,step,images,seconds,x/y\na,1,1,1\n", "line 2: 4 columns, not 5"),
        ("phase,step,images,seconds,x/y\na,1,1,1,what\n", "line 2: x/y = 'what' is no number"),
        ("phase,step,images,seconds\na,1,1,1\na,1.5,1,1\n", "line 3: step = '1.5' is no number"),
    ],
)
def test_a_history_that_is_none_is_named_with_its_line_and_column(tmp_path, text, said):
    with pytest.raises(ValueError, match=rf"^history .*history\.csv.*{re.escape(said)}"):
        read_history(history(tmp_path, text))


def test_a_history_without_a_line_yet_has_no_columns(tmp_path):
    assert read_history(history(tmp_path, "phase,step,images,seconds\n")) == {}


def test_curves_have_a_panel_a_cell_and_survive_what_diverges(tmp_path):
    steps = np.arange(1.0, 101)
    good = {"step": steps, "images": 64 * steps, "model/loss": np.exp(-steps / 20), "model/kl": steps * np.nan}
    bad = good | {"model/loss": np.where(steps > 90, np.inf, steps)}
    draw_curves({"good": good, "b$ad": bad, "empty": {"images": steps}}, tmp_path / "c.png")
    assert Image.open(tmp_path / "c.png").size[0] > 1000
    with pytest.raises(ValueError, match="none to draw"):
        draw_curves({}, tmp_path / "d.png")


def test_inline_drawings_need_no_network_take_the_pages_colour_and_do_not_vary():
    rows = digits(quick())
    text = inline(draw_scatter, rows, "one")
    assert text == inline(draw_scatter, rows, "one")
    assert "http" not in text
    assert "currentColor" in text
    ElementTree.fromstring(text)
    other = inline(draw_scatter, rows, "two")
    ids = [{e.get("id") for e in ElementTree.fromstring(t).iter() if e.get("id")} for t in (text, other)]
    assert not ids[0] & ids[1]
    used = {e.get("href")[1:] for e in ElementTree.fromstring(text).iter() if e.get("href")}
    assert used <= ids[0]


def on_front(*points, **fields):
    """Places on the front of rows with these bits/dim, FIDs and images a second."""
    cells = [
        record(f"r{i}", test=likelihood((bits,) * 3), quality=quality(fid), speed=speed(1.0, fast), **fields)
        for i, (bits, fid, fast) in enumerate(points)
    ]
    rows = sorted(table.rows(cells), key=lambda row: row["label"])
    return pareto_front(rows)


def test_the_front_is_what_no_comparable_row_beats_in_all_three():
    assert on_front((1.0, 50.0, 10.0), (2.0, 40.0, 10.0), (2.0, 50.0, 10.0), (3.0, 90.0, 99.0)) == [0, 1, 3]
    assert on_front((1.0, 50.0, 10.0), (1.0, 50.0, 10.0)) == [0, 1]  # equals do not beat each other
    assert on_front((1.0, 50.0, 10.0)) == []  # nothing to compare with


def test_rows_that_do_not_compare_never_push_each_other_off_the_front():
    better = {"test": likelihood((1.0,) * 3), "quality": quality(10.0), "speed": speed(1.0, 99.0)}
    worse = {"test": likelihood((2.0,) * 3), "quality": quality(20.0), "speed": speed(1.0, 9.0)}
    assert pareto_front(table.rows([record("a", **better), record("b", **worse)])) == [0]
    bound = worse | {"test": likelihood((2.0,) * 3, "bound", "elbo")}
    assert pareto_front(table.rows([record("a", **better), record("b", **bound)])) == [0], "code lengths both"
    guess = likelihood((2.0,) * 3, "estimate", "ais", converged=True)
    unconverged = likelihood((1.0,) * 3, "estimate", "ais", converged=False)
    for change in (
        {"test": guess},
        {"given": ("label",)},
        {"stamp": {"threads": 16}},
        {"extractor": "classifier"},
        {"stamp": {"budget": {"steps": 7}}},
    ):
        assert pareto_front(table.rows([record("a", **better), record("b", **worse | change)])) == [], change
    assert pareto_front(table.rows([record("a", **better), record("b", seed=1, **worse)])) == []
    estimates = [record(label, **better | {"test": unconverged}) for label in "ab"]
    assert pareto_front(table.rows(estimates)) == []
    estimate = likelihood((2.0,) * 3, "estimate", "ais", converged=True)
    both = [record("a", **better | {"test": unconverged}), record("b", **worse | {"test": estimate})]
    assert pareto_front(table.rows(both)) == []  # what is really better still pushes the worse one off
    worst = likelihood((3.0,) * 3, "estimate", "ais", converged=False)
    both = [record("a", **worse | {"test": worst}), record("b", **better | {"test": estimate})]
    assert [table.rows(both)[i]["label"] for i in pareto_front(table.rows(both))] == ["b"]
    liar = record("c", **better | {"stamp": {"checked": {"by": "genbench check", "failed": {"sum": "2"}}}})
    there = table.rows([liar, record("a", **better), record("b", **worse)])
    assert [there[i]["label"] for i in pareto_front(there)] == ["a"]
    assert pareto_front(table.rows([liar, record("b", **worse)])) == [], "what is not believed pushes nobody off"


def test_a_row_that_nothing_ranks_is_marked_in_the_drawing():
    liar = record("liar", stamp={"checked": {"by": "genbench check", "failed": {"sum": "2"}}})
    text = inline(draw_scatter, table.rows([liar, record("b", quality=quality(80.0))]), "x")
    assert ">liar †<" in text
    assert ">† not ranked<" in text
    assert "†" not in inline(draw_scatter, table.rows([record("b", quality=quality(80.0))]), "x")


def test_colours_stand_out_on_white_and_on_dark_paper():
    for colour in drawing.COLOURS:
        assert min(contrast(colour, "#ffffff"), contrast(colour, "#17191c")) >= 3


def test_inline_letters_are_letters_and_numbers_in_them_whole():
    row = record("r 1.23456", quality=quality(80.0))
    text = inline(draw_scatter, table.rows([row]), "x")
    assert ">r 1.23456</text>" in re.sub(r"\s+<", "<", text)
    assert not re.search(r'="[^"]*\.\d{3}', text)


def test_a_sheet_puts_pictures_at_one_scale(tmp_path):
    for name, columns in (("wide", 8), ("narrow", 4)):
        draw_grid(np.zeros((64, 1, 28, 28), dtype=np.uint8), tmp_path / f"{name}.png", columns=columns)
    draw_sheet([(name, tmp_path / f"{name}.png") for name in ("wide", "narrow")], tmp_path / "sheet.png")
    dark = np.asarray(Image.open(tmp_path / "sheet.png").convert("L")) < 30
    middle = dark.shape[1] // 2
    widths = [np.flatnonzero(half.mean(axis=0) > 0.3) for half in (dark[:, :middle], dark[:, middle:])]
    wide, narrow = (np.ptp(columns) + 1 for columns in widths)
    assert narrow / wide == pytest.approx(230 / 462, abs=0.02)
    with pytest.raises(ValueError, match="none to draw"):
        draw_sheet([], tmp_path / "none.png")
