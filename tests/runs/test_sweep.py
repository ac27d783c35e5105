"""What killed runs leave behind: swept by the next run, gone on with, or refused by name where it is broken."""

import pytest

from genbench.records import layout
from genbench.runs import unfinished
from genbench.runs.sweep import sweep


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def left(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_killed_runs_left_is_swept_and_what_can_be_gone_on_with_stays(tmp_path):
    row = tmp_path / "cells" / "digits" / "vae"
    write(tmp_path, "table.md", ".table.md.9.part", ".runs.json.9.part")
    write(row / "seed-0", "record.json", "checkpoint/model.safetensors", "samples.npy", "keep.part")
    write(row / "seed-0", ".history.csv.9.part", "checkpoint/.training.pt.9.part", "checkpoint/training.pt")
    write(row / "seed-0", "cell.json", ".lock")
    write(row, ".seed-0.old/record.json", ".seed-1.failed/error.txt", ".seed-1.old/record.json")
    write(row / "seed-1.part", "cell.json", "checkpoint/training.pt", "history.csv")
    write(row / "seed-2.part", "samples.npy")  # of samples from elsewhere: nothing says how it would go on
    write(row / "seed-3.part", "cell.json", "record.json")
    sweep(tmp_path)
    assert left(tmp_path) == {
        "table.md",
        *(f"cells/digits/vae/seed-0/{name}" for name in ("record.json", "samples.npy", "keep.part")),
        *(f"cells/digits/vae/seed-0/checkpoint/{name}" for name in ("model.safetensors", "training.pt")),
        "cells/digits/vae/.seed-1.old/record.json",
        *(f"cells/digits/vae/seed-1.part/{name}" for name in ("cell.json", "checkpoint/training.pt", "history.csv")),
        *(f"cells/digits/vae/seed-3.part/{name}" for name in ("cell.json", "record.json")),
    }


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 9999, "null"])
def test_a_configuration_that_is_none_is_named(tmp_path, content):
    path = tmp_path / layout.CONFIGURATION
    path.write_text(content)
    with pytest.raises(ValueError, match=r"cell\.json: .*; delete it, and the cell begins again") as error:
        unfinished.configuration_of(path)
    assert "\n" not in str(error.value)
    path.write_text('{"seed": 3}')
    assert unfinished.configuration_of(path) == {"seed": 3}


def test_a_history_that_is_none_is_refused_before_training_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "read_training", lambda path: None)
    unfinished.check_resumable(tmp_path)
    (tmp_path / layout.HISTORY).write_text("phase,st")
    with pytest.raises(ValueError, match=r"^history .*; delete it, and it begins where the training goes on"):
        unfinished.check_resumable(tmp_path)
