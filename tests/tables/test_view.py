"""What of a table people see: its columns, its notes, and that anchors stand once."""

import csv
import io
import re

import pytest
from rich.console import Console

from genbench.runs.suite import parse
from genbench.tables import rows as table
from genbench.tables.captions import by_dataset, footnotes, letters
from genbench.tables.columns import COLUMNS, columns
from genbench.tables.figure import OfMark
from genbench.tables.view import View
from tests.records import anchor, lost, quality, quick, record

USUAL = ["label", "given", "nll_bpd", "fid", "kid", "precision", "recall", "agreement", "images_per_second", "params"]


def keys(records, wanted=("default",)):
    return [[column.key for column in columns(mine, wanted)] for _, mine in by_dataset(table.rows(records))]


def test_the_usual_columns_are_about_nine_and_have_one_answer():
    digits, edges = keys(quick())
    assert digits == USUAL
    assert edges == [key if key != "agreement" else "psnr" for key in USUAL], "a translation is held to its target"
    (plain,) = keys([record("vae")])
    assert plain == [key for key in USUAL if key not in ("given", "agreement")]
    (seeds,) = keys([record("vae", seed=seed) for seed in (0, 1)])
    assert "seeds_run" in seeds


def test_every_other_column_is_among_all():
    (digits, _) = keys(quick(), ("all",))
    assert set(USUAL) < set(digits)
    assert digits == [column.key for column in COLUMNS if column.key in digits], "in one order"


def test_columns_that_are_named_stand_in_that_order_behind_the_label_even_where_empty():
    view = View.of("kid, fid joint")
    assert view.columns == ("kid", "fid", "joint")
    (shown,) = keys([record("vae")], view.columns)
    assert shown == ["label", "kid", "fid", "joint"]
    text = table.render([record("vae")], "md", view=view)
    assert re.search(r"\| vae +\| +5\.00 \| +50\.0 \| +– \|", text)


@pytest.mark.parametrize("wanted", ["fidd", "", "stamp", "default,fid"])
def test_columns_that_there_are_not_are_refused(wanted):
    with pytest.raises(ValueError, match=r"^columns '.*': give default, all or keys of columns"):
        View.of(wanted)


def test_other_words_are_refused_with_the_choices():
    with pytest.raises(ValueError, match="notes='brief': give full, short or none"):
        View.of(notes="brief")
    with pytest.raises(ValueError, match="width='slide': give page or column"):
        View.of(width="slide")


@pytest.mark.parametrize("fmt", ["csv", "json"])
def test_files_that_hold_everything_take_no_choice_of_columns(fmt):
    with pytest.raises(ValueError, match=f"columns fid: {fmt} keeps all"):
        table.render(quick(), fmt, view=View.of("fid"))
    assert table.render(quick(), fmt, view=View.of("all")) == table.render(quick(), fmt)


def test_one_choice_shows_the_same_columns_in_every_format_for_people():
    view, heads = View.of("fid,params", "none"), ["Recipe", "FID (efficientnet-lite0) ↓", "Params"]
    cells = [record("vae")]
    md = [
        cell.strip() for cell in table.render(cells, "md", view=view).split("\n\n")[2].splitlines()[0].split("|")[1:-1]
    ]
    html = re.findall(r"<th scope=\"col\"[^>]*>([^<]*)<", table.render(cells, "html", view=view))
    assert md == [head.replace("\u00a0", " ") for head in html] == heads
    console = Console(width=100, file=io.StringIO())
    table.show(cells, console, view=view)
    shown = next(line for line in console.file.getvalue().splitlines() if "Recipe" in line)
    assert shown.split("  ")[0].strip() == "Recipe"
    assert "FID (efficientnet-lite0) ↓" in shown
    tex = table.render(cells, "tex", view=view)
    assert len(next(line for line in tex.splitlines() if line.startswith("Recipe &")).split(" & ")) == 3
    assert "fid" in next(csv.reader(io.StringIO(table.render(cells, "csv"))))


def test_letters_lead_from_headings_to_their_notes_and_warnings_come_first():
    cells = [*quick(), lost("broken")]
    text = table.render(cells, "md")
    notes = [line[2:] for line in text.splitlines() if line.startswith("- ")]
    first = notes[: sum(note.startswith("⚠") for note in notes)]
    assert all(note.startswith("⚠") for note in first)
    assert any("broken, seed 0, diverged" in note for note in first)
    heads = dict(re.findall(r"\| +([A-Z][^|]*?)<sup>(\w)</sup>", text))
    marked = {note[5]: note for note in notes if note.startswith("<sup>")}
    assert set(marked) == set(heads.values())
    assert "Bits/dim: −log₂" in next(note for note in notes if note.startswith(f"<sup>{heads['Bits/dim (test) ↓']}"))
    assert list(marked) == sorted(marked), "in the order of the columns"


def test_what_is_said_of_several_rows_is_said_once():
    cells = [record(label, status="evaluated", test=None) for label in ("x", "y")]
    rows = table.rows(cells)
    notes = footnotes(rows, columns(rows))
    assert [note.text for note in notes if "from elsewhere" in note.text] == [
        "x, y: samples from elsewhere. What their model was trained with is not known, so nothing ranks them."
    ]


def test_notes_are_full_short_or_none():
    rows = table.rows([*quick(), lost("broken")])
    shown = columns([row for row in rows if row["dataset"] == "mnist5k"])
    full, short, none = (footnotes(rows, shown, detail) for detail in ("full", "short", "none"))
    assert none == []
    assert set(short) < set(full)
    assert [note.text.split(":")[0] for note in short if not note.mark and not note.warning] == ["Bold"]
    assert [note for note in short if note.warning] == [note for note in full if note.warning]
    marks = list(letters(rows, shown).values())
    assert [note.mark for note in short if note.mark and not isinstance(note.text, OfMark)] == marks, "one a column"


def test_anchors_that_data_sets_share_stand_once_and_rows_keep_them():
    both = [anchor("real (test)", dataset=d, quality=quality(fid)) for d, fid in (("a", 9.0), ("b", 9.0), ("c", 9.5))]
    rows = table.rows([*(record("vae", dataset=d) for d in "abc"), *both])
    assert [[row["label"] for row in mine] for _, mine in by_dataset(rows)] == [
        ["vae", "real (test)"], ["vae"], ["vae", "real (test)"],
    ]  # fmt: skip
    assert len(rows) == 6


def test_a_suite_says_which_columns_its_table_has():
    text = 'title = "t"\ndataset = "digits"\nbudget = { steps = 1 }\n%s\n[[row]]\nrecipe = "vae"\n'
    assert parse(text % 'columns = "fid,kid"', "s").columns == "fid,kid"
    assert parse(text % "", "s").columns == "default"
    with pytest.raises(ValueError, match=r"suite s: columns = 'fidd': columns 'fidd'.*did you mean fid"):
        parse(text % 'columns = "fidd"', "s")


@pytest.mark.parametrize("fmt", ["md", "tex", "html", "csv", "json"])
def test_a_data_set_of_which_there_are_only_anchors_that_stand_elsewhere_has_no_table(fmt):
    shared = [anchor("noise", dataset=name, quality=quality(600.0)) for name in ("mnist5k", "edges:mnist5k")]
    rows = table.rows(shared)
    assert [name for name, _ in by_dataset(rows)] == ["mnist5k"]
    assert "noise" in table.render(shared, fmt)
    console = Console(file=io.StringIO(), width=200)
    table.show(shared, console)
    assert console.file.getvalue().count("noise") == 1
