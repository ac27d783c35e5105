"""The LaTeX table, put through LaTeX where there is one."""

import shutil
import subprocess

import pytest

from genbench import table
from tests.records import quick, record

NASTY = r"50% & co_$x$ #1 {a} ~b^c \d <e> |f| ≤ × · é “q”"
PAGE = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}%s\end{document}"


def test_every_letter_of_the_table_is_one_that_latex_has():
    assert not [char for char in table.render(quick(), "tex") if not char.isascii()]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_the_table_compiles_without_an_error_or_a_missing_letter(tmp_path):
    (tmp_path / "page.tex").write_text(PAGE % table.render([*quick(), record(NASTY)], "tex"))
    order = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(order, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    log = (tmp_path / "page.log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert "Missing character" not in log
    assert "Overfull" not in log
