"""The command line: bad input is one line on stderr and exit status 2, and nothing written is touched."""

import errno
import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import genbench
from genbench import DataSpec, catalog, cli, data, runner, spawn, suite
from genbench.record import Record
from tests.records import run as fake_run


@pytest.fixture
def genbench_(monkeypatch, capsys):
    """Runs the console script in this process: (status, stdout, stderr)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["genbench", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    # Nothing here comes as far as a cell: no process to fork them from is needed.
    monkeypatch.setattr(runner, "warm_up", lambda: None)
    monkeypatch.setattr(spawn, "warm_up", lambda: None)
    monkeypatch.delenv(cli.DEBUG, raising=False)
    return call


def refused(result):
    status, out, err = result
    assert status == 2
    assert "Traceback" not in out + err
    assert err.startswith("genbench: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "cells" / "digits" / "vae" / "seed-0"
    genbench.save(folder / "checkpoint" / "model.safetensors", genbench.build("vae", DataSpec((1, 8, 8), 256), width=8))
    return folder


def pictures(folder, n=3, mode="L", side=8):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        values = np.random.default_rng(i).integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(values).convert(mode).save(folder / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "smok"], "unknown suite 'smok': did you mean smoke?"),
        (["run", "smoke", "--recipe", "vea"], "unknown recipe 'vea': did you mean vae"),
        (["run", "smoke", "--dataset", "digit"], "unknown data set 'digit': did you mean digits?"),
        (["run", "smoke", "--dataset", "edge:digits"], "unknown variant 'edge'"),
        (["run", "smoke", "--set", "widht=3"], "has option 'widht': did you mean width"),
        (["run", "smoke", "--recipe", "vae", "--set", "width=0"], "row 'vae' on digits: width=0"),
        (["run", "smoke", "--recipe", "vae", "--set", "width=wide"], "row 'vae' on digits"),
        (["run", "smoke", "--recipe", "pix2pix", "--set", "width="], "give a TOML value"),
        (["run", "smoke", "--images", "3", "--steps", "4"], "give one of --images, --steps and --seconds"),
        (["run", "smoke", "--images", "0"], "budget.images = 0"),
        (["run", "smoke", "--images", "x"], "images"),
        (["run", "smoke", "--imags", "3"], "--imags"),
        (["run", "smoke", "--device", "tpu"], "'tpu'"),
        (["run", "smoke", "--out", "/dev/null/x"], "--out /dev/null/x: cannot be written"),
        (["run", "smoke", "--size", "9"], "size=9: only folder:PATH is resized"),
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
        (["run", "smoke", "--precision", "half"], "precision = 'half': give float32 or bfloat16"),
        (["run", "smoke", "--labelled", "0"], "labelled = 0: "),
        (
            ["run", "smoke", "--recipe", "cgan", "--labelled", "50"],
            "row 'cgan' on digits: train labels: some are unknown",
        ),
        (
            ["run", "smoke", "--recipe", "vae", "--labelled", "9"],
            "row 'vae' on digits: labelled=9: give 10, one a class",
        ),
        (["run", "smoke", "--recipe", "vae", "--labelled", "5000"], "to 1258, all that it has"),
        (["run", "quick", "--dataset", "digits", "--recipe", "aae-semi-supervised"], "labelled"),
        (["sample", "none", "--keep", "3"], "--keep 3: only --complete keeps rows"),
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


def test_a_model_file_that_is_none_is_refused(genbench_, model, tmp_path):
    path = model / "checkpoint" / "model.safetensors"
    whole = path.read_bytes()
    for contents in (whole[:1000], b"\x80\x04cposix\nsystem\n", b""):
        path.write_bytes(contents)
        assert "not a genbench model" in refused(genbench_("sample", model, "-o", tmp_path / "x.png"))
    assert not (tmp_path / "x.png").exists()


def test_sampling_writes_a_picture_and_refuses_labels_that_mean_nothing(genbench_, model, tmp_path):
    target = tmp_path / "grid.png"
    assert genbench_("sample", model, "-n", 5, "-o", target)[0] == 0
    assert Image.open(target).size[0] > 8
    assert "--label 3: vae draws without labels" in refused(genbench_("sample", model, "--label", 3, "-o", target))
    cgan = genbench.build("cgan", DataSpec((1, 8, 8), 17, 10), width=8)
    genbench.save(tmp_path / "cgan.safetensors", cgan)
    assert genbench_("sample", tmp_path / "cgan.safetensors", "-n", 5, "-o", target, "--label", 9)[0] == 0
    assert "knows 0 to 9" in refused(genbench_("sample", tmp_path / "cgan.safetensors", "--label", 10, "-o", target))


@pytest.fixture
def causal(tmp_path):
    """A cell of a model that completes."""
    folder = tmp_path / "cells" / "digits" / "pixelcnn" / "seed-0"
    made = genbench.build("pixelcnn", DataSpec((1, 8, 8), 17, 10), width=8, depth=1, conditional=True)
    for parameter in made.parameters():  # an untrained one finds all levels equally likely, at any temperature
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    genbench.save(folder / "checkpoint" / "model.safetensors", made)
    about = {"dataset": "digits", "recipe": "pixelcnn", "label": "pixelcnn", "family": "x", "seed": 0, "status": "done"}
    hashes = dict(data.load("digits").hashes)
    Record(**about, stamp={"configuration": {"data": hashes}}).write(folder)
    return folder


def test_completing_other_images_than_the_cells_is_refused(genbench_, causal, tmp_path):
    about = Record.read(causal)
    hashes = dict(data.load("digits").hashes) | {"test": "0" * 64}
    about.model_copy(update={"stamp": {"configuration": {"data": hashes}}}).write(causal)
    line = refused(genbench_("sample", causal, "--complete", "-n", 8, "-o", tmp_path / "grid.png"))
    assert "not the images that" in line
    model = causal / "checkpoint" / "model.safetensors"
    assert "give the cell's folder" in refused(genbench_("sample", model, "--complete", "-o", tmp_path / "grid.png"))


def test_completing_keeps_the_top_of_test_images(genbench_, causal, tmp_path):
    target = tmp_path / "grid.png"
    test = data.load("digits").test.images[:8, 0].numpy().astype(int) * 255 // 16
    drawn = {}
    for words in ((), ("--keep", 2), ("--keep", 2, "--label", 3), ("--keep", 2, "--temperature", 0.1)):
        assert genbench_("sample", causal, "--complete", "-n", 8, "-o", target, *words)[0] == 0
        pixels = np.asarray(Image.open(target)).astype(int)
        assert pixels.shape == (2 * 56 + 2, 8 * 56 + 7 * 2)
        shown = np.stack([pixels[y : y + 56 : 7, x : x + 56 : 7] for y in (0, 58) for x in range(0, 8 * 58, 58)])
        kept = 2 if words else 4
        assert np.array_equal(shown[:8], test)
        assert np.array_equal(shown[8:, :kept], test[:, :kept])
        assert not np.array_equal(shown[8:, kept:], test[:, kept:])
        drawn[words] = shown[8:]
    assert not np.array_equal(drawn["--keep", 2], drawn["--keep", 2, "--temperature", 0.1])


def test_a_temperature_is_drawn_at(genbench_, causal, tmp_path):
    plain, cold = tmp_path / "plain.png", tmp_path / "cold.png"
    assert genbench_("sample", causal, "-n", 4, "-o", plain)[0] == 0
    assert genbench_("sample", causal, "-n", 4, "-o", cold, "--temperature", 1)[0] == 0
    assert plain.read_bytes() == cold.read_bytes()
    assert genbench_("sample", causal, "-n", 4, "-o", cold, "--temperature", 0.05)[0] == 0
    assert plain.read_bytes() != cold.read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--complete", "--keep", 8], "--keep 8: images have 8 rows; give 1 to 7"),
        (["--complete", "--keep", 0], "--keep 0: images have 8 rows"),
        (["--complete", "-n", 360], "-n 360: digits has 359 test images"),
        (["--complete", "--label", 10], "--label 10: this model knows 0 to 9"),
        (["--complete", "--temperature", 0], "--temperature 0.0: give a positive number"),
        (["--temperature", -1], "--temperature -1.0: give a positive number"),
        (["--temperature", "nan"], "--temperature nan: give a positive number"),
    ],
)
def test_completions_and_temperatures_that_cannot_be_are_refused(genbench_, causal, tmp_path, words, said):
    assert said in refused(genbench_("sample", causal, "-o", tmp_path / "x.png", *words))
    assert not (tmp_path / "x.png").exists()


def test_a_model_without_the_ability_refuses(genbench_, model, tmp_path):
    assert "--complete: vae does not complete images" in refused(genbench_("sample", model, "--complete"))
    assert "--temperature 0.5: vae draws at no temperature" in refused(
        genbench_("sample", model, "--temperature", 0.5, "-o", tmp_path / "x.png")
    )


def test_a_model_given_labels_by_option_is_sampled_and_scored_with_them(genbench_, causal, tmp_path):
    assert genbench_("sample", causal, "-n", 4, "--label", 3, "-o", tmp_path / "x.png")[0] == 0
    status, out, _ = genbench_("score", causal, "--dataset", "digits", "--limit", 8)
    assert status == 0
    assert "given label" in out


def test_scoring_says_how_and_takes_every_image_of_a_folder(genbench_, model, tmp_path):
    folder = pictures(tmp_path / "images", 4)
    status, out, _ = genbench_("score", model, "--images", folder, "--draws", 3)
    assert status == 0
    assert out.startswith("≤ ")
    assert "bits/dim (bound, iwae, draws 3; 4 images of" in out
    colour = pictures(tmp_path / "colour", 4, "RGB")
    assert "images of (3, 8, 8)" in refused(genbench_("score", model, "--images", colour))
    assert "17 levels; the model was trained on (1, 8, 8) with 256" in refused(
        genbench_("score", model, "--dataset", "digits")
    )
    (folder / "2.png").write_bytes(b"")
    assert str(folder / "2.png") in refused(genbench_("score", model, "--images", folder))


def test_lists_are_json_on_demand(genbench_):
    status, out, _ = genbench_("families", "--json")
    assert status == 0
    assert {entry["name"] for entry in json.loads(out)} == set(catalog.recipes())
    assert set(json.loads(out)[0]) == {"name", "family", "title", "paper", "year", "likelihood", "given"}
    assert "mnist5k" in {entry["name"] for entry in json.loads(genbench_("datasets", "--json")[1])}
    assert "pixelcnn" in genbench_("families")[1]
    assert "mnist5k" in genbench_("datasets")[1]


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
