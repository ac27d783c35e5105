"""The smoke suite from an installed wheel: suites and templates are package data, the console script works."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from genbench import catalog
from tests.installing import install

ROOT = Path(__file__).parents[1]


EVERY = catalog.recipes()
ONE_A_FAMILY = {recipe.family: name for name, recipe in reversed(EVERY.items())}.values()


@pytest.mark.parametrize("names", [ONE_A_FAMILY, pytest.param(EVERY, marks=pytest.mark.slow)], ids=["some", "all"])
def test_smoke_runs_from_an_installed_wheel(names, tmp_path):
    site, out = tmp_path / "site", tmp_path / "out"
    copy = tmp_path / "copy"  # built elsewhere, so that the checkout stays clean
    tracked = ["pyproject.toml", "README.md", "LICENSE", "genbench", "families"]
    copy.mkdir()
    subprocess.run(["cp", "-r", *(str(ROOT / name) for name in tracked), f"{copy}/"], check=True)
    env = install(copy, site)
    where = [sys.executable, "-c", "import genbench, families; print(genbench.__file__, families.__file__)"]
    assert str(ROOT) not in subprocess.run(where, env=env, cwd=tmp_path, capture_output=True, text=True).stdout
    run = [sys.executable, str(site / "bin" / "genbench"), "run", "smoke", "--out", str(out)]
    run += [word for name in names for word in ("--recipe", name)]
    done = subprocess.run(run, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((out / "table.json").read_text())
    recipes = {row["recipe"]: row for row in rows if row["status"] == "done"}
    assert set(recipes) == set(names)
    for row in recipes.values():
        for key in ("nll_bpd", "fid", "kid", "precision", "recall", "is", "latency_ms", "images_per_second"):
            unaligned = key == "nll_bpd" and row["dataset"].startswith("domains:")  # no source has an image of its own
            assert (row[key] is None) == unaligned, (row["label"], key)
    anchors = {row["label"]: row for row in rows if row["status"] == "anchor" and row["dataset"] == "digits"}
    assert {"real (test)", "noise", "pixel-gaussian", "uniform"} <= set(anchors)
    assert anchors["real (test)"]["fid"] < min(row["fid"] for row in recipes.values())
    report = [sys.executable, str(site / "bin" / "genbench"), "report", str(out)]
    subprocess.run(report, env=env, cwd=tmp_path, check=True, capture_output=True)
    assert (out / "report.html").stat().st_size > 10_000
