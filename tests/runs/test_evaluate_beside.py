"""Samples from elsewhere in a run that measured no quality: extractor and columns are those of the run's suite."""

import numpy as np

from genbench import data
from genbench.records.record import Record
from genbench.runs.suite import Suite, write
from tests.commands import script
from tests.toys import cell


def test_the_command_takes_extractor_and_columns_from_a_suite_without_a_measured_row(monkeypatch, capsys, tmp_path):
    row = {"recipe": "vae", "label": "vae", "dataset": "digits", "options": {}}
    said = {"title": "Bits", "dataset": "digits", "budget": {"steps": 3}, "row": [row], "anchors": False}
    said |= {"extractor": "classifier", "columns": "recall,coverage", "measures": ["nll"]}
    write(Suite.model_validate(said), tmp_path)
    np.save(tmp_path / "x.npy", data.load("digits").test.images[:40])
    words = ("--dataset", "digits", "--label", "mine", "--out", tmp_path)
    status, out, err = script(monkeypatch, capsys)("evaluate", tmp_path / "x.npy", *words)
    assert status == 0, err
    assert Record.read(cell(tmp_path, "mine")).extractor == "classifier"
    assert "Recall" in out
    assert "Coverage" in out
    assert "FID (" not in out
