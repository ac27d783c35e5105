"""docs/adding-a-family.md, taken at its word: its code is installed and run."""

import json
import re
import subprocess
import sys
from pathlib import Path

from genbench.contract import checks
from tests.installing import install

ROOT = Path(__file__).parents[1]


def test_the_documented_package_adds_a_recipe_by_entry_point(tmp_path):
    page = (ROOT / "docs" / "adding-a-family.md").read_text()
    blocks = dict(re.findall(r"```\w+\n# (\S+)\n(.*?)```", page, flags=re.S))
    assert set(blocks) == {"pyproject.toml", "genbench_histogram.py", "mine.toml"}
    source, site = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    for name, text in blocks.items():
        (source / name).write_text(text)
    env = install(source, site)

    def genbench(*arguments):
        command = [sys.executable, "-m", "genbench.cli", *arguments]
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    listed = {entry["name"]: entry for entry in json.loads(genbench("families", "--json"))}
    assert listed["histogram"]["family"] == "baseline"
    genbench("run", str(source / "mine.toml"), "--out", "out")
    rows = {row["label"]: row for row in json.loads((tmp_path / "out" / "table.json").read_text())}
    row = rows["histogram"]
    assert row["status"] == "done"
    assert row["stamp"]["checked"] == {"by": checks.BY, "passed": ["training", *checks.CHECKS]}
    assert row["checked"] is True
    assert row["nll_kind"] == "exact"
    assert 1.5 < row["nll_bpd"] < rows["uniform"]["nll_bpd"]
    assert row["fid"] < rows["noise"]["fid"]
