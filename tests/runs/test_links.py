"""Links that a stranger left in a run's folder: nothing is written through one."""

import json
from types import SimpleNamespace

import pytest

from genbench import data
from genbench.records import layout
from genbench.runs import plan, sweep, worker
from genbench.runs import unfinished as unfinished_cells
from tests.runs.test_stamping import cell_of
from tests.toys import run, suite


@pytest.fixture
def precious(tmp_path):
    (tmp_path / "mine").write_text("precious")
    return tmp_path / "mine"


def test_why_measuring_again_failed_is_written_beside_the_cell_and_through_no_link(tmp_path, precious):
    folder = tmp_path / "seed-0"
    folder.mkdir()
    (folder / layout.ERROR).symlink_to(precious)
    cell = SimpleNamespace(label="a")
    worker.failed(
        SimpleNamespace(how="measure", unfinished=tmp_path / "x", folders={"a": folder}, cell=cell), None, "", "trace"
    )
    assert (precious.read_text(), (folder / layout.ERROR).read_text()) == ("precious", "trace")


def test_an_unfinished_cell_with_a_link_in_it_is_begun_again(tmp_path, monkeypatch, precious):
    monkeypatch.setattr(unfinished_cells, "read_training", lambda path: None)
    cell = cell_of("vae", data.load("digits"))
    folder = tmp_path / "seed-3"
    unfinished = tmp_path / "seed-3.part"
    (unfinished / layout.TRAINING).parent.mkdir(parents=True)
    (unfinished / layout.TRAINING).write_text("")
    (unfinished / layout.CONFIGURATION).write_text(json.dumps(cell.configuration))

    def how():
        return plan._job(cell, {cell.label: folder}, False, False).how

    assert how() == "resume"
    (unfinished / layout.SAMPLES).symlink_to(precious)
    assert how() == "run"
    unfinished.rename(tmp_path / "elsewhere")
    unfinished.symlink_to(tmp_path / "elsewhere")
    assert how() == "run"


@pytest.mark.parametrize("linked", ["cells", "cells/digits", "cells/digits/a", "cells/digits/a/seed-0"])
def test_a_link_among_the_folders_of_cells_is_refused_and_what_it_leads_to_is_left_alone(tmp_path, linked):
    theirs = tmp_path / "theirs"
    left = [theirs / name for name in ("seed-0.part/mine", ".seed-9.failed/mine", "a/seed-0.part/mine", ".b.part")]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious")
    link = tmp_path / "out" / linked
    link.parent.mkdir(parents=True)
    link.symlink_to(theirs)
    for ask in (lambda: run(suite(("good", {})), tmp_path / "out"), lambda: sweep.check_unlinked(tmp_path / "out")):
        with pytest.raises(ValueError, match="is a link, and cells would be written elsewhere"):
            ask()
    assert [path.read_text() for path in left] == ["precious"] * 4


def test_the_link_of_an_unfinished_cell_is_no_matter(tmp_path):
    (tmp_path / "cells/digits/a").mkdir(parents=True)
    (tmp_path / "cells/digits/a/seed-0.part").symlink_to(tmp_path)
    sweep.check_unlinked(tmp_path)
