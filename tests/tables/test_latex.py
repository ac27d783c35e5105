"""The LaTeX table, put through LaTeX where there is one."""

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import genbench
from genbench.tables import latex, rows
from genbench.tables.captions import by_dataset
from genbench.tables.view import View
from tests.records import quick, record

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
NASTY = r"50% & co_$x$ #1 {a} ~b^c \d <e> |f| ≤ × · é “q”"
PAGE = r"\documentclass{article}\usepackage{booktabs}\begin{document}%s\end{document}"


SAYS = (
    *(f"tables.{name}" for name in ("captions", "columns", "comparable", "labels", "rows", "texts", "tooltips")),
    *(f"tables.figures.{name}" for name in ("answers", "collapse", "cost", "likelihood", "quality")),
    *("metrics.quality", "runs.measures", "runs.evaluate", "runs.stamping", "records.stamp", "likelihood.effort"),
)


def test_every_letter_of_the_table_is_one_that_latex_has():
    assert not [char for char in rows.render(quick(), "tex", view=View.of("all", "full")) if not char.isascii()]


@pytest.mark.parametrize("module", SAYS)
def test_every_letter_that_a_table_may_say_is_one_that_latex_has(module):
    tree = ast.parse((Path(genbench.__file__).parent / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)}
    letters = {char for text in strings if text not in docs for char in text if not char.isascii()}
    assert sorted(letters - set(latex.TEX) - set("é")) == []


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_the_table_compiles_without_an_error_or_a_missing_letter(tmp_path):
    (tmp_path / "page.tex").write_text(PAGE % rows.render([*quick(), record(NASTY)], "tex"))
    order = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(order, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    log = (tmp_path / "page.log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert "Missing character" not in log
    assert "Overfull" not in log


@pytest.mark.parametrize(("columns", "width"), [("default", "page"), ("default", "column"), ("all", "page")])
def test_a_table_is_reckoned_to_fit_what_it_is_for(columns, width):
    for text in rows.render(quick(), "tex", view=View.of(columns, "none", width)).split(r"\end{table}")[:-1]:
        assert r"\resizebox" not in text
        assert r"\begin{tabular}" in text
    for _, mine in by_dataset(rows.rows(quick())):
        size, shown, gone = latex.fitted(mine, View.of(columns, "none", width))
        assert latex.points(mine, shown, dict(latex.SIZES)[size]) <= latex.WIDTHS[width]
        assert bool(gone) == (columns == "all" or width == "column")
        assert set(gone) & {"setting", "params"} or not gone
        assert {"label", "nll_bpd"} <= {column.key for column in shown}


def test_columns_that_are_named_stay_though_they_do_not_fit():
    wanted = "nll_bpd,nll_method,setting,fid,kid,precision,recall,is"
    size, shown, gone = latex.fitted(rows.rows(quick()), View.of(wanted, "none", "column"))
    assert (size, len(shown), gone) == ("scriptsize", 9, [])


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
@pytest.mark.parametrize("width", ["page", "column"])
def test_a_table_is_as_wide_as_reckoned_and_fits(tmp_path, width):
    text = rows.render(quick(), "tex", view=View.of("default", "none", width))
    tables = re.findall(r"\\(\w+)\\setlength{(.*?)}%\n(\\begin{tabular}.*?\\end{tabular})", text, re.S)
    body = "".join(
        rf"{{\{size}\setlength{{{gap}}}\setbox0\hbox{{{one}}}\typeout{{WIDE=\the\wd0}}}}" for size, gap, one in tables
    )
    (tmp_path / "page.tex").write_text(PAGE % body)
    order = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(order, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    wide = [float(points) for points in re.findall(r"WIDE=([\d.]+)pt", done.stdout)]
    assert len(wide) == 2
    for points, (_, mine) in zip(wide, by_dataset(rows.rows(quick())), strict=True):
        size, shown, _ = latex.fitted(mine, View.of("default", "none", width))
        assert points <= latex.WIDTHS[width]
        assert points == pytest.approx(latex.points(mine, shown, dict(latex.SIZES)[size]), rel=0.06)
