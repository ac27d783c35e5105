"""The loop serves what later systems need, and a run that is cut off ends as if it had not been."""

import copy
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from genbench import Budget, FitConfig, ImplicitModel, Splits
from genbench.abilities import Detects, Pairs
from genbench.seed import fork_rng
from tests.contract import toys, toys_conditioned

TOYS = [*toys.TOYS, *toys_conditioned.TOYS]
CONFIG = FitConfig(Budget(steps=23), batch_size=5, seed=3)


def make(toy):
    with fork_rng(0):
        return toy()


def ends(model):
    """Everything that training leaves: weights, buffers, samples."""
    images = model.sample(6, generator=torch.Generator().manual_seed(1), **toys.given(model))
    return {**{k: v.clone() for k, v in model.state_dict().items()}, "samples": images}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


class Cut(Exception):
    pass


@pytest.mark.parametrize("toy", TOYS)
def test_trains_every_parameter_that_a_turn_learns_and_no_other(toy):
    model = make(toy)
    before = copy.deepcopy(model.state_dict())
    learned = {id(p) for phase in model.phases() for turn in phase.turns for m in turn.learns for p in m.parameters()}
    report = model.fit(toys.data(model.spec), CONFIG)
    for name, parameter in model.named_parameters():
        moved = not torch.equal(before[name], parameter)
        by_after = name.startswith("average.")
        assert moved == (id(parameter) in learned or by_after), name
    assert report.steps == 23
    assert report.images == 23 * 5
    assert not model.training


@pytest.mark.parametrize("toy", TOYS)
@pytest.mark.parametrize("at", [1, 7, 12, 22])
def test_resumes_bit_for_bit(toy, at, tmp_path):
    whole = make(toy)
    whole.fit(toys.data(whole.spec), CONFIG)

    def cut(progress):
        if progress.step == at + 1:
            raise Cut

    path = tmp_path / "training.pt"
    config = FitConfig(CONFIG.budget, 5, 3, checkpoint=path, checkpoint_seconds=0)
    first = make(toy)
    with pytest.raises(Cut):
        first.fit(toys.data(first.spec), config, callbacks=[cut])
    with fork_rng(99):  # another process would start from other weights and another global state
        second = toy()
        torch.rand(5)
        report = second.fit(toys.data(second.spec), config, resume=path)
    assert same(ends(whole), ends(second))
    assert report.steps == 23
    again = toy()
    again.fit(toys.data(again.spec), config, resume=path)  # a finished run resumes to its end, and enters nothing
    assert same(ends(whole), ends(again))


def noise(seed=1):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("toy", TOYS)
def test_samples_and_scores_what_it_is_given_and_refuses_by_name_what_is_missing(toy):
    model = make(toy)
    model.fit(toys.data(model.spec), CONFIG)
    told = toys.given(model)
    images = model.sample(6, generator=noise(), **told)
    assert images.dtype == torch.uint8
    assert images.shape == (6, *model.spec.shape)
    assert torch.equal(images, model.sample(6, generator=noise(), **told))
    silent = isinstance(model, ImplicitModel) and model.latents == 0
    assert torch.equal(images, model.sample(6, generator=noise(2), **told)) == silent
    batch = toys.data(model.spec).validation.rows(slice(0, 5))
    answer = model.log_likelihood(batch, generator=noise())
    assert answer.nats.shape == (5,)
    assert answer.given == model.given
    for name in model.given:
        bare = {key: value for key, value in told.items() if key != f"{name}s"}
        if "fields" in told and name in told["fields"]:
            bare["fields"] = {key: value for key, value in told["fields"].items() if key != name}
        if name != "label":  # labels that nobody asks for are drawn
            with pytest.raises(ValueError, match=f"^{name}s?: this model needs one for each of the 6 samples"):
                model.sample(6, generator=noise(), **bare)
        with pytest.raises(ValueError, match=f"^{name}s?[: ]"):
            model.log_likelihood(without(batch, name))


def without(batch, name):
    """``batch`` of which ``name`` is not known."""
    known = {"label": "labels", "source": "sources"}
    if name in known:
        return replace(batch, **{known[name]: None})
    return replace(batch, fields={key: value for key, value in batch.fields.items() if key != name})


def test_fields_that_are_ill_shaped_or_out_of_range_are_refused_by_name():
    model = make(toys_conditioned.Captioned)
    fields = toys.given(model)["fields"]
    for wrong, said in (
        (fields["caption"][:4], "caption: 4 for 6 samples"),
        (fields["caption"][:, :3], r"caption has shape \(6, 3\)"),
        (fields["caption"] + 7, "caption runs from 7 to"),
        (fields["caption"].float(), "caption is torch.float32: give int64"),
    ):
        with pytest.raises(ValueError, match=said):
            model.sample(6, fields={"caption": wrong}, generator=noise())
    with pytest.raises(ValueError, match="colour: this model takes caption"):
        model.sample(6, fields={**fields, "colour": fields["caption"]}, generator=noise())
    others = {"caption": (fields["caption"] + 1) % 7}
    assert not torch.equal(
        model.sample(6, fields=fields, generator=noise()), model.sample(6, fields=others, generator=noise())
    )


def test_a_translation_without_noise_is_measured_on_its_pairs():
    model = make(toys_conditioned.Translator)
    splits = toys.data(model.spec)
    model.fit(splits, CONFIG)
    pairs = splits.validation
    with torch.no_grad():
        residual = (model.decode(None, pairs).clamp(0, 3) - pairs.images.float()).square().double().mean()
    torch.testing.assert_close(model.variance, residual, rtol=1e-6, atol=0)
    apart = make(toys_conditioned.Translator)
    before = apart.variance.clone()
    apart.fit(Splits(splits.train, replace(pairs, sources=None)), CONFIG)
    assert torch.equal(apart.variance, before), (
        "no source belongs to a validation image: nothing says how far it is off"
    )


def test_few_labels_train_what_does_not_need_all_and_are_counted_where_known():
    model = make(toys_conditioned.FewLabels)
    splits = toys.data(model.spec)
    model.fit(splits, CONFIG)
    known = splits.train.labels[splits.train.labels >= 0]
    counts = known.bincount(minlength=3).double()
    assert torch.equal(model.frequencies, counts / counts.sum())
    unknown = replace(splits.validation, labels=torch.full_like(splits.validation.labels, -1))
    with pytest.raises(ValueError, match="validation labels: some are unknown"):
        model.fit(Splits(splits.train, unknown), CONFIG)
    strict = make(toys_conditioned.FewLabels)
    strict.needs_every_label = True
    with pytest.raises(ValueError, match="train labels: some are unknown"):
        strict.fit(splits, CONFIG)


def test_abilities_are_had_by_having_the_method():
    detector, coupled = make(toys.Detector), make(toys_conditioned.Coupled)
    assert isinstance(detector, Detects)
    assert not isinstance(coupled, Detects)
    assert isinstance(coupled, Pairs)
    assert not isinstance(detector, Pairs)
    batch = toys.data().validation
    scores = detector.anomaly(batch)
    assert scores.dtype == torch.float64
    assert torch.equal(scores, torch.cat([detector.anomaly(batch.rows(slice(i, i + 1))) for i in range(len(batch))]))
    images, sources = coupled.pairs(6, generator=noise())
    assert images.shape == sources.shape == (6, 1, 4, 4)
    assert make(toys.Perceptual).perceptual == "classifier"
    assert detector.perceptual is None


SCRIPT = """
import sys, time, torch
from pathlib import Path
from genbench import Budget, FitConfig
from tests.contract import toys
from tests.contract.test_toys import make, ends
torch.set_num_threads(1)
toy, path, out = getattr(toys, sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
model = make(toy)
config = FitConfig(Budget(steps=60), batch_size=5, seed=3, checkpoint=path, checkpoint_seconds=0)
def slowly(progress):
    print(progress.step, flush=True)
    time.sleep(0.01)
model.fit(toys.data(model.spec), config, callbacks=[slowly], resume=path if path.exists() else None)
torch.save(ends(model), out)
"""


@pytest.mark.parametrize(
    "toy", ["Growing", *(pytest.param(toy, marks=pytest.mark.slow) for toy in ("Pool", "Prepared"))]
)
def test_survives_sigkill_of_a_real_process(toy, tmp_path):
    def start(name):
        command = [sys.executable, "-c", SCRIPT, toy, tmp_path / f"{name}.pt", tmp_path / f"{name}.out"]
        root = Path(__file__).parents[2]
        return subprocess.Popen(
            command, cwd=root, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True
        )

    whole = start("whole")
    kills = 0
    for delay in (0.02, 0.1, 0.15):  # after the first steps it reports, somewhere, checkpointing or not
        process = start("killed")
        for _ in range(3):
            process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stdout.close()
    assert kills >= 2
    last = start("killed")
    first_step = int(last.stdout.readline())
    assert first_step > 3  # it went on, it did not start again
    for process in (whole, last):
        process.communicate()
        assert process.returncode == 0
    assert same(torch.load(tmp_path / "whole.out"), torch.load(tmp_path / "killed.out"))
