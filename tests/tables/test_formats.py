"""The table as Markdown, JSON, CSV, LaTeX and HTML, in files and in a terminal."""

import csv
import io
import json
import math
import re

import pytest
from rich.console import Console

from genbench.records.record import records as read_records
from genbench.tables import rows as table
from genbench.tables.view import View
from tests.records import anchor, likelihood, quality, quick, record


def test_markdown_has_every_row_units_and_footnotes():
    text = table.render(quick(), "md", view=View.of("all"))
    for row in table.rows(quick()):
        assert f"| {row['label']}" in text or f"| *{row['label']}*" in text
    for said in ("FID (efficientnet-lite0) ↓", "KID ×10³", "Latency, ms", "Bits/dim (test)", "PSNR, dB"):
        assert said in text
    for said in ("= exact", "≤ an upper bound", "~ an estimate", "95 % t-interval", "train 3,500", "threads: 2"):
        assert said in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) <= 2  # one width a table


def test_json_is_the_rows_and_infinity_a_text():
    records = [*quick(), record("sure", test=likelihood((1.0, math.inf), standard_error=math.nan))]

    def refuse(word):
        raise AssertionError(word)

    read = json.loads(table.render(records, "json"), parse_constant=refuse)
    assert read[-1]["label"] != "sure"
    sure = next(row for row in read if row["label"] == "sure")
    assert sure["nll_bpd"] == "Infinity"
    plain = json.loads(table.render(quick(), "json"))
    assert plain == json.loads(json.dumps(table.rows(quick())))


def test_csv_reads_back_the_same():
    rows = table.rows(quick())
    read = list(csv.DictReader(io.StringIO(table.render(quick(), "csv"))))
    assert len(read) == len(rows)
    for got, row in zip(read, rows, strict=True):
        assert list(got) == list(row)
        assert json.loads(got["stamp"]) == row["stamp"]
        for key in ("nll_bpd", "fid", "latency_ms", "params"):
            assert got[key] == "" if row[key] is None else float(got[key]) == row[key]
        assert got["seeds"] == " ".join(map(str, row["seeds"]))
        assert got["label"] == row["label"]


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@sum(a1)", "\t=1", "  =1"])
def test_csv_holds_no_formula_and_numbers_stay_numbers(label):
    cells = [record(label, test=likelihood((-1.0, -1.5)), options={"a": -1})]
    (got,) = csv.DictReader(io.StringIO(table.render(cells, "csv")))
    assert got["label"] == f"'{label}"
    assert float(got["nll_bpd"]) == -1.25
    assert json.loads(got["options"]) == {"a": -1}
    (row,) = json.loads(table.render(cells, "json"))
    assert row["label"] == label


@pytest.mark.parametrize("fmt", ["md", "csv", "tex", "json", "html"])
def test_a_label_of_a_stranger_s_record_commands_no_terminal(fmt, tmp_path):
    esc = chr(27)
    record("plain", reason="x", stamp={"title": "title"}).write(tmp_path / "cells" / "a" / "b" / "seed-0")
    path = tmp_path / "cells" / "a" / "b" / "seed-0" / "record.json"
    for word in ("plain", "title", "mnist5k"):
        path.write_text(path.read_text().replace(f'"{word}"', json.dumps(f"{esc}[31m{word}{esc}]0;x{chr(7)}")))
    cells = read_records(tmp_path)
    assert cells[0].label == "\\x1b[31mplain\\x1b]0;x\\x07"
    shown = io.StringIO()
    table.show(cells, Console(file=shown, width=200))
    assert esc not in table.render(cells, fmt) + shown.getvalue()


NASTY = '50% & co_$x$ #1 {a} ~b^c \\d <script>alert(1)</script> | *bold* "q"'


def test_latex_escapes_whatever_a_label_holds():
    text = table.render([record(NASTY)], "tex")
    cell = next(line for line in text.splitlines() if line.startswith("50")).split(" & ")
    assert " & ".join(cell[:2]).startswith(r"50\% \& co\_\$x\$ \#1 \{a\} $\sim$b\textasciicircum{}c \textbackslash{}d ")
    assert not re.search(r"(?<!\\)[%#]", re.sub("^%.*|}%$", "", text, flags=re.M))
    assert text.count("{") == text.count("}")


def test_latex_has_booktabs_and_as_many_cells_as_columns():
    text = table.render(quick(), "tex")
    for part in text.split(r"\begin{table}")[1:]:
        columns_ = len(re.search(r"\\begin{tabular}{@{}([lr]+)@{}}", part)[1])
        lines = [line for line in part.splitlines() if line.endswith(r"\\")]
        assert all(len(re.split(r"(?<!\\) & ", line)) == columns_ for line in lines if "multicolumn" not in line)
        assert part.index(r"\toprule") < part.index(r"\midrule") < part.index(r"\bottomrule")
    assert r"\textbf{\boldmath $=$" in text


def test_markdown_and_html_show_a_label_as_it_is():
    md, html = (table.render([record(NASTY)], fmt) for fmt in ("md", "html"))
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert r"\| \*bold\*" in md
    assert "<script>" not in md.replace(r"\<script\>", "")


def test_written_files_are_the_renderings_and_leave_nothing_else(tmp_path):
    table.write(tmp_path, list(quick()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv", "table.json", "table.md", "table.tex"]
    for fmt in ("csv", "json", "md", "tex"):
        assert (tmp_path / f"table.{fmt}").read_text() == table.render(quick(), fmt)


@pytest.mark.parametrize("width", [60, 80, 120, 200, 300, 350, 420])
def test_the_terminal_never_cuts_a_number(width):
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    table.show([*quick(), record("[red]tag")], console, view=View.of("all"))
    text = console.file.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for row in table.rows(quick()):
        assert row["label"] in text
    assert "[red]tag" in text
    assert ("More columns: a wider terminal." in text) == (width < 350)
    assert "--columns all" not in text, "which is what was asked for"


def test_anchors_alone_make_a_table():
    assert "real (test)" in table.render([anchor("real (test)", quality=quality(25.8))], "md")
    assert [table.render([], fmt) for fmt in ("json", "html")] == ["[]\n", ""]


def test_a_narrow_terminal_leaves_out_settings_and_collapse_first():
    def heads(width):
        console = Console(width=width, file=io.StringIO(), force_terminal=False)
        table.show(quick(), console, view=View.of("all", "none"))
        words = set(console.file.getvalue().partition("───")[0].split())
        return {word for word in words if "efficientnet" not in word and "lite0" not in word}  # may part at its hyphen

    found = [heads(width) for width in range(420, 100, -10)]
    whole, narrower = found[0], next(words for words in found if "Setting" not in words)
    assert {"Setting", "Duplicates,", "Copies,", "Classes"} <= whole
    assert whole - narrower == {"Setting"}, "the widest goes first"
    assert all(words <= whole for words in found), "no word is cut in two"
    last = next(words for words in found if "Duplicates," not in words)
    assert {"Family", "Params", "Peak"} <= last
    assert not {"Classes", "Copies,", "Diversity"} & last


@pytest.mark.parametrize("width", range(38, 47))
def test_columns_that_are_named_stay_however_narrow_the_terminal_is(width):
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    table.show(quick(), console, view=View.of("fid,kid,density,coverage,params"))
    text = console.file.getvalue()
    assert {"FID", "KID", "Density", "Params", "172", "1,365", "1.24M"} <= set(text.split())
    assert "Coverage" in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert all("Recipe" in part for part in text.split("Seven models")[1:]), "each part begins with the labels"
    assert "More columns" not in text
