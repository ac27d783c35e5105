"""The command line: bad input is one line on stderr and exit status 2, and nothing written is touched."""

import errno
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from genbench import catalog, cli, suites
from genbench.records.record import Record
from genbench.runs import runner, suite
from genbench.suites import titles
from tests.commands import pictures, refused, script
from tests.records import quality, record
from tests.records import run as fake_run


@pytest.fixture
def genbench_(monkeypatch, capsys):
    return script(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "smok"], "unknown suite 'smok': did you mean smoke?"),
        (["run", "smoke", "--recipe", "vea"], "unknown recipe 'vea': did you mean vae"),
        (["run", "smoke", "--dataset", "digit"], "unknown data set 'digit': did you mean digits?"),
        (["run", "smoke", "--dataset", "edge:digits"], "unknown variant 'edge'"),
        (
            ["run", "smoke", "--set", "widht=3"],
            "has option 'widht': did you mean width or weight? (genbench describe RECIPE lists",
        ),
        (["run", "smoke", "--recipe", "vae", "--set", "width=0"], "row 'vae' on digits: width=0"),
        (["run", "smoke", "--recipe", "vae", "--set", "width=wide"], "row 'vae' on digits"),
        (["run", "smoke", "--recipe", "pix2pix", "--set", "width="], "give a TOML value"),
        (["run", "smoke", "--images", "3", "--steps", "4"], "give one of --images, --steps and --seconds"),
        (["run", "smoke", "--images", "0"], "budget.images = 0"),
        (["run", "smoke", "--images", "x"], "images"),
        (["run", "smoke", "--imags", "3"], "--imags"),
        (["run", "smoke", "--device", "tpu"], "'tpu'"),
        (["run", "smoke", "--out", "/dev/null/x"], "--out /dev/null/x: cannot be written"),
        (["run", "smoke", "--size", "9"], "size=9: only folder:PATH and pairs:PATH are resized"),
        (["run", "smoke", "--alpha", "red"], "alpha='red': only folder:PATH and pairs:PATH have transparent pixels"),
        (["run", "smoke", "--alpha", "rde"], "alpha = 'rde': give white, black or another colour"),
        (
            ["run", "smoke", "--recipe", "vae", "--set", "width=1000000000"],
            "row 'vae' on digits: training its networks",
        ),
        (["run", "smoke", "--dataset", "npz:/dev/zero"], "/dev/zero: is no regular file"),
        (["datasets", "--size", "8"], "say which data set is to be read: genbench datasets folder:PATH"),
        (["datasets", "folder:none"], "folder none: there is none"),
        (["run", "no.toml"], "suite no.toml: cannot be read"),
        (["run", "smoke", "--dataset", "npz:none.npz"], "none.npz"),
        (["run", "smoke", "--dataset", "folder:none"], "folder none: there is none"),
        (["run", "smoke", "--dataset", "mnist", "--data-dir", "none"], "none"),
        (["tabel"], "tabel"),
        (["table", "none"], "none: no records below it"),
        (["table", "none", "--format", "pdf"], "'pdf'"),
        (["report", "none"], "none"),
        (["sample", "none"], "none: no trained model in it"),
        (["score", "none", "--dataset", "digits"], "none: no trained model in it"),
        (["run", "smoke", "--effort", "thorough"], "effort = 'thorough': there are: fast, paper, standard"),
        (["run", "smoke", "--precision", "half"], "precision = 'half': give float32, tf32, bfloat16 or auto"),
        (["run", "smoke", "--labelled", "0"], "labelled = 0: "),
        (
            ["run", "smoke", "--recipe", "cgan", "--recipe", "vae", "--recipe", "cvae", "--labelled", "50"],
            "labelled = 50: cgan on digits, cvae on digits must be told the label of every image; leave it out of them",
        ),
        (
            ["run", "smoke", "--recipe", "vae", "--labelled", "9"],
            "row 'vae' on digits: labelled=9: give 10, one a class",
        ),
        (["run", "smoke", "--recipe", "vae", "--labelled", "5000"], "to 1258, all that it has"),
        (["run", "quick", "--dataset", "digits", "--recipe", "aae-semi-supervised"], "labelled"),
        (["sample", "none", "--keep", "3"], "--keep 3: goes with --complete alone"),
        (["score", "none"], "give one of --dataset and --images"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_refused_in_one_line(genbench_, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    assert said in refused(genbench_(*words))
    assert not list(tmp_path.rglob("*")), "what is refused leaves nothing behind"


def test_a_missing_gpu_is_refused(genbench_, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "torch sees no CUDA device" in refused(
        genbench_("run", "smoke", "--device", "cuda", "--out", tmp_path / "o")
    )


def test_data_that_do_not_fit_are_refused_before_training(genbench_, tmp_path):
    def run(name, *more):
        return refused(genbench_("run", "smoke", "--recipe", "vae", "--out", tmp_path / "o", "--dataset", name, *more))

    folder = pictures(tmp_path / "images", 40)
    (folder / "7.png").write_bytes(b"not an image")
    assert str(folder / "7.png") in run(f"folder:{folder}")
    (folder / "7.png").unlink()
    assert "measures of quality need" in run(f"folder:{folder}")
    images = np.zeros((60, 8, 8), np.uint8)
    arrays = {
        "float": {"images": images / 2},
        "labels": {"images": images, "labels": np.full(60, -3)},
        "none": {"images": images[:0]},
        "channels": {"images": np.zeros((60, 8, 8, 5), np.uint8)},
    }
    for name, contents in arrays.items():
        path = tmp_path / f"{name}.npz"
        np.savez(path, **contents)
        assert str(path) in run(f"npz:{path}") or name == "none"
    whole = (tmp_path / "float.npz").read_bytes()
    (tmp_path / "float.npz").write_bytes(whole[: len(whole) // 2])
    assert "float.npz" in run(f"npz:{tmp_path / 'float.npz'}")


def test_a_full_disk_is_one_line(genbench_, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(runner, "write_suite", full)
    assert "No space left" in refused(genbench_("run", "smoke", "--recipe", "vae", "--images", 64, "--out", tmp_path))


def test_lists_are_json_on_demand(genbench_):
    status, out, _ = genbench_("families", "--json")
    assert status == 0
    assert {entry["name"] for entry in json.loads(out)} == set(catalog.recipes())
    assert set(json.loads(out)[0]) == {"name", "family", "title", "paper", "year", "likelihood", "given", "needs"}
    assert "mnist5k" in {entry["name"] for entry in json.loads(genbench_("datasets", "--json")[1])}
    assert "pixelcnn" in genbench_("families")[1]
    assert "mnist5k" in genbench_("datasets")[1]


def test_what_reading_a_data_set_finds_is_listed(genbench_, tmp_path):
    pictures(tmp_path / "a", 12, "RGBA")
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"")
    status, out, _ = genbench_("datasets", f"folder:{tmp_path}", "--alpha", "refuse", "--size", 4, "--json")
    (found,) = json.loads(out)
    assert status == 0
    assert found["read"] == "12 images, 1 class, 1 file skipped (1 .db)"
    assert (found["shape"], found["classes"], found["train"]) == ([3, 4, 4], 1, 8)
    assert "1 file skipped" in " ".join(genbench_("datasets", f"folder:{tmp_path}")[1].split())


def test_the_doctor_says_what_is_there_and_what_is_missing(genbench_, tmp_path):
    status, out, _ = genbench_("doctor", "--data-dir", tmp_path)
    assert status == 0
    assert torch.__version__.split("+")[0] in out
    assert "threads of torch" in out
    assert "inception-v3" in out
    assert f"missing: not in {tmp_path}" in out.replace("\n", "")


def test_a_table_is_text_in_a_pipe(genbench_, tmp_path):
    folder = fake_run(tmp_path, [])
    Record(dataset="digits", recipe="vae", label="vae", family="x", seed=0, status="failed", reason="r").write(
        folder / "cells" / "digits" / "vae" / "seed-0"
    )
    status, out, _ = genbench_("table", folder, "--format", "json")
    assert status == 0
    assert json.loads(out)[0]["status"] == "failed"
    assert "no such column" in refused(genbench_("table", folder, "--sort", "fidd"))


def test_a_table_is_sorted_in_a_terminal_too(genbench_, tmp_path, monkeypatch):
    folder = fake_run(tmp_path, [record("a", quality=quality(80.0)), record("b", quality=quality(40.0))])
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    status, out, _ = genbench_("table", folder, "--sort", "fid")
    assert status == 0
    assert "|" not in out, "which Markdown has"
    assert out.index(" b ") < out.index(" a ")


def test_a_bug_is_not_hidden_and_debugging_shows_the_trace(genbench_, monkeypatch):
    monkeypatch.setattr(suite, "read", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        genbench_("run", "smoke")
    monkeypatch.setenv(cli.DEBUG, "1")
    monkeypatch.undo()
    monkeypatch.setenv(cli.DEBUG, "1")
    monkeypatch.setattr(sys, "argv", ["genbench", "run", "smok"])
    with pytest.raises(ValueError, match="unknown suite"):
        cli.main()


def test_an_interrupted_run_says_how_it_goes_on(genbench_, monkeypatch, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", interrupted)
    status, _, err = genbench_("run", "smoke", "--out", tmp_path)
    assert status == 130
    assert "the same command goes on where this one was" in err


def test_help_lists_every_packaged_suite_by_its_title(genbench_, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    status, out, _ = genbench_("run", "--help")
    assert status == 0
    folder = Path(suites.__file__).parent
    assert set(titles()) == {path.stem for path in folder.glob("*.toml")}
    for name, title in titles().items():
        assert f"{name}: {title}" in out
    assert set(titles()) >= {"quick", "explicit", "explicit-fashion"}
