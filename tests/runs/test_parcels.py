"""Finished cells travel without the state of their training, and keep it at home."""

import pickle
from dataclasses import replace

import pytest

from genbench import data
from genbench.files import unfinished_of
from genbench.records import layout
from genbench.runs import parcels
from genbench.runs.plan import plan
from tests.toys import cell, installed, run, suite

QUICK = {"anchors": False, "measures": ("nll",)}


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site:
        yield site


def laid_out(out, budget):
    (job,) = plan(suite(("good", {}), budget=budget, **QUICK), out, data.load, device="cpu", fresh=False).jobs
    return job


def test_what_is_only_measured_leaves_the_training_where_it_is(tmp_path):
    assert run(suite(("good", {}), steps=4, **QUICK), tmp_path)[0] == 0
    folder = cell(tmp_path, "good")
    training = (folder / layout.TRAINING).read_bytes()
    job = laid_out(tmp_path, {"steps": 4})
    assert job.how == "skip"
    for how in ("measure", "time"):
        (files,) = parcels.packed(replace(job, how=how)).values()
        assert layout.TRAINING.as_posix() not in files
        assert layout.MODEL.as_posix() in files
        parcels.finish(replace(job, how=how), {"good": files | {"new.txt": b"figures"}})
        assert (folder / layout.TRAINING).read_bytes() == training
        assert (folder / "new.txt").read_bytes() == b"figures"
        assert not unfinished_of(folder).exists()
    on = laid_out(tmp_path, {"steps": 8})
    assert on.how == "on"
    assert layout.TRAINING.as_posix() in parcels.packed(on)["good"]


def test_a_data_set_travels_without_what_its_splits_share():
    digits = data.load("digits")
    sent = len(pickle.dumps(digits.each(lambda split, name: parcels.compact(split))))
    pixels = sum(len(getattr(digits, name)) for name in ("train", "validation", "test")) * 64
    assert sent < 1.5 * pixels + 8 * pixels / 64 + 20_000
    assert sent < 0.6 * len(pickle.dumps(digits))


def test_a_job_that_is_trained_on_is_expected_to_take_what_is_left_of_its_budget(tmp_path):
    assert run(suite(("good", {}), budget={"seconds": 0.3}, **QUICK), tmp_path)[0] == 0
    assert laid_out(tmp_path, {"seconds": 30}).fit_seconds == pytest.approx(29.7)
    assert laid_out(tmp_path / "none", {"seconds": 30}).fit_seconds == 30


def test_a_parcel_of_anchors_is_unpacked_too(tmp_path):
    out, digits = tmp_path / "out", suite(("good", {}), steps=4, measures=("nll",))
    anchors = next(job for job in plan(digits, out, data.load, device="cpu", fresh=False).jobs if not job.trains)
    parcel = parcels.Parcel(anchors, None, parcels.packed(anchors), {}, {}, 0.0, 0)
    with parcels.unpacked(parcel) as job:
        assert set(job.folders) == set(anchors.folders)
