"""What a training is seen to do on validation images, and the weights that are kept for it."""

import csv
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import genbench
from families.autoencoder.model import Autoencoder
from genbench import catalog, data
from genbench.records import layout
from genbench.records.record import Record
from genbench.runs import fitting, watching
from genbench.runs.config import BEST, Setting
from genbench.runs.reproduce import reproduce
from genbench.runs.watching import BITS, FID, Watch, decides, take_best
from genbench.training.checkpoint import read_tensors
from tests.toys import cell, console, installed, run, suite
from tests.translated import cell_of, translated

QUIET = Setting("Toys", None, None, lambda cell, spent: "again")
SMALL = {"width": 8}


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def trained(digits, folder, steps=20, recipe="vae", options=SMALL, **more):
    asked = cell_of(digits, recipe, (), budget={"steps": steps}, options=options, **more)
    model = catalog.build(recipe, digits.spec, seed=0, **options)
    (folder / "checkpoint").mkdir(parents=True, exist_ok=True)
    fitting.train(asked, QUIET, model, digits, folder, lambda stage, fraction: None)
    return asked, model


def seen(folder, name):
    with (folder / layout.HISTORY).open() as file:
        return [(int(row["step"]), float(row[name])) for row in csv.DictReader(file) if row.get(name)]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("recipe", ["vae", "gan", "ae"])
def test_nothing_of_a_training_depends_on_who_looks(digits, tmp_path, recipe):
    _, alone = trained(digits, tmp_path / "alone", 10, recipe)
    _, watched = trained(digits, tmp_path / "watched", 10, recipe, watch=("fid",))
    assert same(alone.state_dict(), watched.state_dict())
    looks = seen(tmp_path / "watched", FID)
    assert [step for step, _ in looks] == list(range(1, 11))
    assert all(value > 0 for _, value in looks)


def test_fid_is_that_of_samples_against_the_validation_split(digits, tmp_path):
    _, model = trained(digits, tmp_path, 3, watch=("fid",))
    network = watching.measures.extractor("classifier", digits, "cpu")
    count = min(300, len(digits.validation))
    drawn = model.sample(count, generator=genbench.seed.generator(0, "watch"))
    sets = (network.features(images, digits.spec.levels).features for images in (digits.validation.images, drawn))
    assert seen(tmp_path, FID)[-1] == (3, pytest.approx(watching.fid(*sets).fid, rel=1e-4))


def test_the_weights_with_the_fewest_bits_are_kept_and_taken(digits, tmp_path, monkeypatch):
    script = [3.0, 2.0, float("nan"), 1.0, 1.5, 1.0, 4.0, 5.0, 6.0, 7.0]
    found = iter(script)
    states = []

    def bits(watch, model):
        states.append({name: value.clone() for name, value in watch.model.state_dict().items()})
        return next(found)

    monkeypatch.setattr(Watch, "_bits", bits)
    asked, model = trained(digits, tmp_path, checkpoint=BEST)
    assert seen(tmp_path, BITS)[-1] == (20, 7.0)
    assert not same(model.state_dict(), states[3])
    best = take_best(asked, model, digits, tmp_path)
    assert (best.step, best.figure, best.value) == (8, BITS, 1.0), "the first of two that are as good"
    weights = dict(model.named_parameters())
    assert all(torch.equal(weights[name], states[3][name]) for name in weights)
    assert not model.training


def test_where_nothing_is_a_number_nothing_is_best_and_training_goes_on(digits, tmp_path, monkeypatch):
    def broken(model, batch, **words):
        nats = torch.full((len(batch),), float("nan"), dtype=torch.float64)
        return genbench.LogLikelihood(nats, "bound", method="elbo")

    monkeypatch.setattr(Autoencoder, "log_likelihood", broken)
    asked, model = trained(digits, tmp_path, 3, checkpoint=BEST)
    assert [step for step, _ in seen(tmp_path, BITS)] == [1, 2, 3]
    assert all(math.isnan(value) for _, value in seen(tmp_path, BITS))
    with pytest.raises(ValueError, match=r"no validation/bits_per_dim of this training was a number"):
        take_best(asked, model, digits, tmp_path)
    (tmp_path / layout.BEST).write_bytes(b"x")
    with pytest.raises(ValueError, match=r"best\.safetensors: not a genbench model"):
        take_best(asked, model, digits, tmp_path)
    genbench.save(tmp_path / layout.BEST, model)
    with pytest.raises(ValueError, match=r"best\.safetensors: not the best weights of a training .*; delete it"):
        take_best(asked, model, digits, tmp_path)


def test_looks_are_behind_the_same_batches_cut_off_anywhere_or_not():
    for total in (7, 10, 20, 33, 104):
        due = {step for step in range(1, total + 1) if step * 10 // total > (step - 1) * 10 // total}
        watch = Watch.__new__(Watch)
        watch.at = None
        for step in range(1, total + 1):  # each as the first that a resumed training comes to
            here = SimpleNamespace(step=step, fraction=step / total, before=(step - 1) / total)
            assert watch._due(here) == (step in due), (total, step)
        assert len(due) == min(total, 10)


def test_by_the_clock_best_weights_of_steps_that_were_lost_are_dropped(digits, tmp_path, monkeypatch):
    found = iter([3.0, 2.0, 1.0])
    monkeypatch.setattr(Watch, "_bits", lambda watch, model: next(found))
    asked, model = trained(digits, tmp_path, 3, checkpoint=BEST)
    path = tmp_path / layout.BEST
    assert [watching.read(each).step for each in (path, path.with_name("earlier-best.safetensors"))] == [3, 2]
    counted = Watch(asked, model, digits, tmp_path)
    counted._remembered(3)
    assert watching.read(path).step == 3, "by the count it comes to the same"
    timed = Watch(asked.model_copy(update={"budget": {"seconds": 9.0}}), model, digits, tmp_path)
    timed._remembered(3)
    assert watching.read(path).step == 2
    timed._remembered(2)
    assert not path.exists()


def test_a_part_that_holds_still_in_training_does_so_behind_a_look():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2))
    model[0].eval()
    model[1].weight.requires_grad_(False)
    with watching._looking(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model] == [False, True]
    assert [module.weight.requires_grad for module in model] == [True, False]


def test_what_the_clock_chose_is_chosen_again(tmp_path):
    best = {"checkpoint": "best on validation", "anchors": False, "measures": ("nll",)}
    row = {"recipe": "vae", "options": SMALL | {"lr": 0.05}}
    assert run(suite(row=[row], budget={"seconds": 1.5}, **best), tmp_path / "out")[0] == 0
    found, made = reproduce(cell(tmp_path / "out", "vae"), tmp_path / "again", console())
    assert found.equal, list(found.said)
    was, now = (Record.read(folder).stamp["best"] for folder in (cell(tmp_path / "out", "vae"), made))
    assert was == now


def test_estimates_are_too_dear_so_that_fid_decides():
    assert [decides(name) for name in ("vae", "glow", "ae", "gan")] == [BITS, BITS, BITS, FID]


def test_a_suite_that_says_best_on_validation_says_so_in_table_and_stamp(tmp_path):
    row = ("good", {"fails": "dies", "at": 6, "once": str(tmp_path / "once")})
    best = {"checkpoint": "best on validation", "anchors": False, "measures": ("nll",)}
    assert run(suite(row, steps=10, **best), tmp_path / "cut")[0] == 1
    assert run(suite(row, steps=10, **best), tmp_path / "cut")[0] == 0
    assert run(suite(("good", {}), steps=10, **best), tmp_path / "whole")[0] == 0
    record, whole = (Record.read(cell(tmp_path / out, "good")) for out in ("cut", "whole"))
    assert record.digests == whole.digests, "cut off, it keeps the same weights"
    assert record.stamp["best"] == whole.stamp["best"]
    assert record.stamp["best"]["figure"] == BITS
    assert record.stamp["checkpoint"] == "best on validation"
    assert "checkpoint: best on validation" in (tmp_path / "whole" / "table.md").read_text()
    folder = cell(tmp_path / "whole", "good") / "checkpoint"
    kept, taken = (read_tensors(folder / name)[0] for name in ("best.safetensors", "model.safetensors"))
    assert same(kept, taken)
    again = suite(("good", {}), steps=10, **best | {"checkpoint": "last"})
    with pytest.raises(ValueError, match="checkpoint was 'best on validation' and is now 'last'"):
        run(again, tmp_path / "whole")


def test_what_fid_says_nothing_of_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", lambda name, **words: translated())
    rows = [{"recipe": "turner", "options": {"perceptual": "classifier"}}]
    for more in ({"watch": ("fid",)}, {"checkpoint": "best on validation"}):
        with pytest.raises(ValueError, match="it is trained on classifier, whose FID says nothing of it; leave out"):
            run(suite(row=rows, **more), tmp_path)
    assert not list(tmp_path.iterdir())
