"""What the documentation says of the tree is so."""

import re
from pathlib import Path

from genbench.records.record import records
from genbench.tables import rows
from genbench.tables.view import View

ROOT = Path(__file__).parents[1]


def test_every_file_that_the_architecture_names_is_there():
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:genbench|families|tests)/[\w/.]*)`", text))
    assert len(named) > 40
    assert not [path for path in named if not (ROOT / path).exists()]
    packages = {path.name for path in (ROOT / "genbench").iterdir() if (path / "__init__.py").is_file()}
    assert packages == set(re.findall(r"\| `genbench/(\w+)/`", text))


def test_links_between_pages_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    for page in pages:
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
        assert not [link for link in links if not (page.parent / link).exists()], page.name


def test_the_readme_s_tables_are_the_command_s():
    text = rows.render(records(ROOT / "results" / "reference" / "quick-cpu"), "md", view=View.of(notes="none"))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    readme = (ROOT / "README.md").read_text()
    assert lines
    assert [line for line in lines if line not in readme] == []
