"""Devices without numbers of 64 bits: what is trained there, what is refused, and what the CPU measures of it."""

from contextlib import nullcontext

import pytest
import torch

import genbench
from genbench import catalog, data, narrow, seed
from genbench.files import digest
from genbench.runs import preflight
from genbench.runs.cell import at_rest
from genbench.runs.inference import model_of
from genbench.training import checkpoint, parallel, precision
from tests.families.elsewhere import ELSEWHERE, Elsewhere, Generator
from tests.runs.test_cell import alone
from tests.toys import suite


def test_a_cell_is_trained_there_and_measured_by_the_cpu_but_for_its_speed(tmp_path, monkeypatch):
    monkeypatch.setattr(narrow, "LACKING", {ELSEWHERE.type})
    monkeypatch.setattr(seed, "Generator", Generator)
    monkeypatch.setattr(torch, "autocast", lambda *kind, **options: nullcontext())
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)  # the one that is not there cannot do it
    drawn = []
    plain = genbench.GenerativeModel.sample

    def heard(model, n, **given):
        drawn.append(model.device)
        return plain(model, n, **given)

    monkeypatch.setattr(genbench.GenerativeModel, "sample", heard)
    with Elsewhere(narrow=True):
        record = alone("vae", tmp_path / "cell", device=str(ELSEWHERE), measures=("nll", "speed"))
    assert record.stamp["device"] == str(ELSEWHERE)
    assert record.test.bpd > 0
    assert drawn[0] == torch.device("cpu")
    assert set(drawn[1:]) == {ELSEWHERE}
    model = genbench.load(tmp_path / "cell" / "checkpoint" / "model.safetensors")
    assert digest(model.state_dict()) == record.digests["weights"]


def test_buffers_of_64_bits_come_back(tmp_path):
    (row,) = suite(row=[{"recipe": "gan", "options": {"width": 4}}]).row
    spec = data.load("digits").spec
    model = catalog.build(row.recipe, spec, **row.options)
    model.variance.fill_(2.5)
    trained = catalog.build(row.recipe, spec, **row.options).float()
    trained.load_state_dict(model.state_dict())
    assert trained.variance.dtype == torch.float32
    cell = type("Cell", (), {"device": "mps", "recipe": row.recipe, "seed": 0, "options": row.options})
    rested = at_rest(cell, trained)
    assert (rested.variance.dtype, float(rested.variance), rested.training) == (torch.float64, 2.5, False)


def test_what_learns_in_64_bits_is_refused_before_any_training():
    digits = {"digits": data.load("digits")}
    asked = suite(row=[{"recipe": "realnvp", "options": {"width": 4}}])
    with pytest.raises(ValueError, match=r"row 'realnvp' on digits: mps has no numbers of 64 bits, in which FlowModel"):
        preflight.built_models(asked, digits, "mps")
    assert len(preflight.built_models(asked, digits, "cpu")) == 1


def test_what_is_asked_of_a_trained_cell_the_cpu_answers(tmp_path):
    model = genbench.build("vae", data.load("digits").spec, width=4)
    genbench.save(tmp_path / "m.safetensors", model)
    assert model_of(tmp_path / "m.safetensors", "mps").device == torch.device("cpu")


def test_apples_device_is_asked_for_by_name_and_is_one(monkeypatch):
    with pytest.raises(ValueError, match="--device mps: torch sees no MPS device here; say auto or cpu"):
        precision.chosen_device("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert (precision.chosen_device("mps"), precision.chosen_device("auto")) == ("mps", "cpu")
    with pytest.raises(ValueError, match="devices=2: there are 1 mps devices here"):
        parallel.check(2, "mps", 8)
    with pytest.raises(ValueError, match="precision='bfloat16': mps lacks it"):
        precision.check("bfloat16", "mps")


def test_its_global_generator_is_put_back_and_saved(monkeypatch):
    states = [torch.tensor([1, 2], dtype=torch.uint8)]
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: states[-1])
    monkeypatch.setattr(torch.mps, "set_rng_state", states.append)
    with seed.kept_rng():
        states.append(torch.tensor([3, 4], dtype=torch.uint8))
    assert states[-1] is states[0]
    assert checkpoint.ACCELERATORS["mps"].get_rng_state() is states[0]


def test_a_training_from_before_it_goes_on(tmp_path):
    path = tmp_path / "training.pt"
    config = genbench.FitConfig(genbench.Budget(steps=1), 8, checkpoint=path)
    digits = data.load("digits")
    genbench.build("gan", digits.spec, width=4).fit(digits.splits, config)
    whole = torch.load(path, weights_only=True)
    whole["cuda"] = whole.pop("accelerator")
    torch.save(whole, path)
    assert genbench.build("gan", digits.spec, width=4).fit(digits.splits, config, resume=path).steps == 1
