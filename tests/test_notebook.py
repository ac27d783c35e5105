"""Runs and tables as pandas has them, with the stamps attached; the examples of docs/python.md run."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pandas
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import genbench
from genbench.records.record import Record
from genbench.runs import suite
from genbench.tables import rows as table
from genbench.tables.keys import KEYS
from genbench.training import logs as callbacks
from genbench.training.config import Progress
from genbench.training.logs import History
from tests.conftest import tiny_splits
from tests.records import lost, quality, quick, record
from tests.records import run as fake_run

ROOT = Path(__file__).parents[1]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.S)


def test_a_table_is_a_frame_with_stamps(tmp_path):
    hashes = {"extractor": {"name": "efficientnet-lite0", "hash": "f" * 64, "resize": "none"}}
    cells = [record("a"), record("b", stamp=hashes), record("c", quality=quality(math.inf)), lost("a", seed=1)]
    found = genbench.table(fake_run(tmp_path, cells))
    assert isinstance(found, pandas.DataFrame)
    assert list(found.columns) == list(KEYS)
    rows = table.rows(cells)
    assert [row["label"] for row in rows] == list(found["label"])
    assert found["fid"].dtype == float
    assert found.set_index("label").loc["b", "fid"] == 50.0
    assert found.attrs["stamps"]["b on mnist5k"] == found.set_index("label").loc["b", "stamp"]
    assert found.attrs["stamps"]["b on mnist5k"]["extractor"]["hash"] == "f" * 64
    assert {"a on mnist5k", "a on mnist5k, diverged"} < set(found.attrs["stamps"])
    assert any("extractor hash differs (cccccccc / ffffffff)" in note for note in found.attrs["notes"])
    assert genbench.table(tmp_path, sort="fid")["label"].iloc[0] in ("a", "b")
    with pytest.raises(ValueError, match="no such column"):
        genbench.table(tmp_path, sort="fidd")
    with pytest.raises(ValueError, match="give the folder of a run"):
        genbench.table()


def test_a_run_is_shown_as_its_page_has_it_and_a_frame_of_some_rows_too(tmp_path):
    folder = fake_run(tmp_path, list(quick()))
    whole = genbench.show(folder)
    assert "<b>= 1.2" in whole._repr_html_()
    assert "± 0.0" in whole.html
    assert "FID and its kin are not ranked" in whole.html
    assert repr(whole) == table.render(quick(), "md")
    frame = genbench.table(folder)
    assert repr(genbench.show(frame)) == repr(whole)
    few = genbench.show(frame[frame["label"].isin(["vae", "gan"])], columns="params,nll_rank", notes="none")
    assert [line.split("|")[1].strip() for line in few.text.splitlines() if line.startswith("|")][2:] == ["vae", "gan"]
    assert re.findall(r"<th scope=\"col\"[^>]*>([^<]*)<", few.html) == ["Recipe", "Params", "Rank"]
    assert "<li>" not in few.html
    with pytest.raises(ValueError, match="table without dataset, recipe, label"):
        genbench.show(frame[["fid"]])
    with pytest.raises(ValueError, match="did you mean fid"):
        genbench.show(folder, columns="fidd")


def test_a_quiet_run_is_quiet_in_a_notebook_too_and_passes_on_what_is_asked_for(tmp_path, monkeypatch, capsys):
    heard, shown = {}, []

    def run(suite, out, console, **_):
        heard.update(suite=suite)
        console.print("said")
        fake_run(out, [record("vae")])

    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda *said: shown.append(said))
    monkeypatch.setattr("genbench.runs.runner.run", run)
    genbench.run("smoke", out=tmp_path, quiet=True, checkpoint="best on validation", watch=["fid"])
    assert (heard["suite"].checkpoint, heard["suite"].watch) == ("best on validation", ("fid",))
    assert not shown
    assert capsys.readouterr().out == ""
    genbench.run("smoke", out=tmp_path)
    assert shown, "what is not quiet is shown"


def test_samples_are_shown_as_one_picture():
    samples = torch.arange(12, dtype=torch.uint8).view(12, 1, 1, 1).expand(12, 1, 2, 2)
    picture = genbench.show(samples, levels=16, across=4)
    assert picture.size == (4 * 56 + 3 * 2, 3 * 56 + 2 * 2)
    assert picture.getpixel((58, 58)) == 5 * 255 // 15
    assert genbench.show(samples.numpy(), levels=16, across=4).tobytes() == picture.tobytes()
    with pytest.raises(ValueError, match="give uint8"):
        genbench.show(samples.float())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("smok",), "unknown suite 'smok': did you mean smoke"),
        (({"title": "x"},), "out is missing"),
        (({"title": "x"}, "x"), "suite: key dataset is missing"),
        (({"titel": "x", "dataset": "digits"}, "x"), "suite: "),
        (("smoke", None, {"steps": 3, "images": 4}), "give one of images, steps and seconds"),
        (("smoke", None, {"recipes": ["vea"]}), "unknown recipe 'vea'"),
        (("smoke", None, {"options": {"widht": 3}}), "has option 'widht'"),
        (("smoke", None, {"device": "tpu", "recipes": ["vae"]}), "device='tpu'"),
    ],
)
def test_bad_input_is_refused_before_any_training(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    what, out, more = (*arguments, None, None)[:3]
    with pytest.raises(ValueError, match=r".") as error:
        genbench.run(what, out=out, **(more or {}))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.rglob("*"))


def test_the_examples_of_the_documentation_run_as_a_script(tmp_path):
    # As a script without a main guard, which the processes of the cells must not run again.
    path = tmp_path / "example.py"
    path.write_text("print('once')\n" + "\n".join(EXAMPLES))
    done = subprocess.run([sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("once") == 1
    assert "SAMPLES" not in done.stderr
    assert "my model" in done.stdout
    found = genbench.table(tmp_path / "results" / "digits")
    assert set(found["label"]) >= {"vae", "nice", "my model", "real (test)"}
    by_label = found.set_index("label")
    assert by_label.loc["my model", "copies"] > 0.9, "they are training images"
    out = tmp_path / "results" / "digits"
    command = Record.read(out / "cells" / "digits" / "vae" / "seed-0").stamp["command"]
    assert command.startswith("genbench run results/digits/suite.toml --recipe vae --seed 0 --steps 20")
    assert suite.read(str(out / "suite.toml")).title == "Two models of 8×8 digits"
    assert scalars(tmp_path / "results" / "logs" / "vae")


def scalars(folder):
    """Tag → (step, value) of the event file that TensorBoard reads."""
    events = EventAccumulator(str(folder)).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_reads_back_what_training_logged(tmp_path):
    model = genbench.build("vae", genbench.DataSpec((1, 8, 8), 4), width=8)
    heard: dict[str, list[tuple[int, float]]] = {}

    def listen(progress: Progress):
        for name, value in progress.logs.items():
            heard.setdefault(name, []).append((progress.step, float(value)))

    with callbacks.TensorBoard(tmp_path / "tb", every=4) as logs:
        config = genbench.FitConfig(genbench.Budget(steps=10), 8)
        model.fit(tiny_splits(), config, callbacks=[listen, logs, History(tmp_path / "h.csv")])
    found = scalars(tmp_path / "tb")
    assert found.pop("images_per_second")
    assert set(found) == set(heard)
    for name, points in found.items():
        assert [step for step, _ in points] == [4, 8, 10], "every fourth, and the last"
        assert [value for _, value in points] == pytest.approx([dict(heard[name])[step] for step in (4, 8, 10)])


def test_what_was_written_beyond_where_training_goes_on_is_hidden(tmp_path):
    import torch

    def told(logs, step, value):
        logs(Progress("fit", step, 0.5, step, 1.0, {"a/loss": torch.tensor(value)}))

    with callbacks.TensorBoard(tmp_path, every=1) as logs:
        for step in (1, 2, 3):
            told(logs, step, 1.0)
    with callbacks.TensorBoard(tmp_path, every=1) as logs:
        told(logs, 2, 5.0)
    assert scalars(tmp_path)["a/loss"] == [(1, 1.0), (2, 5.0)]


def test_without_tensorboard_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'genbench\[tensorboard\]'"):
        callbacks.TensorBoard(tmp_path)
    with pytest.raises(ValueError, match="TensorBoard is not installed"):
        genbench.run("smoke", out=tmp_path / "out", recipes=["vae"], tensorboard=True)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="every=0"):
        callbacks.TensorBoard(tmp_path, every=0)
