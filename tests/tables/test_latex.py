"""The LaTeX table, put through LaTeX where there is one."""

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

import genbench
from genbench.tables import render, rows
from tests.records import quick, record

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
NASTY = r"50% & co_$x$ #1 {a} ~b^c \d <e> |f| ≤ × · é “q”"
PAGE = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}%s\end{document}"


SAYS = (
    *(f"tables.{name}" for name in ("captions", "columns", "comparable", "labels", "rows", "texts", "tooltips")),
    *(f"tables.figures.{name}" for name in ("answers", "collapse", "cost", "likelihood", "quality")),
    *("metrics.quality", "runs.measures", "runs.evaluate", "runs.stamping", "records.stamp", "likelihood.effort"),
)


def test_every_letter_of_the_table_is_one_that_latex_has():
    assert not [char for char in rows.render(quick(), "tex") if not char.isascii()]


@pytest.mark.parametrize("module", SAYS)
def test_every_letter_that_a_table_may_say_is_one_that_latex_has(module):
    tree = ast.parse((Path(genbench.__file__).parent / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)}
    letters = {char for text in strings if text not in docs for char in text if not char.isascii()}
    assert sorted(letters - set(render.TEX) - set("é")) == []


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
