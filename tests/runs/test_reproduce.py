"""A cell made again comes out equal bit for bit, whatever decided how long it was trained; and it is seen where not."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import genbench
from genbench.console import console
from genbench.files import digest
from genbench.interface import Phase
from genbench.records.layout import FRACTIONS, MODEL, SAMPLES
from genbench.records.record import Record
from genbench.runs import reproduce, runner
from genbench.training.config import Budget, FitConfig, PhasePlan, State, Trace
from tests.commands import refused, script
from tests.records import likelihood, lost, quality, record
from tests.toys import cell, installed, run, suite

SECONDS = {"seconds": 1.5}


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    """Of a revision that is clean, whatever has been edited since."""
    with installed(tmp_path_factory.mktemp("site")) as site, pytest.MonkeyPatch.context() as patch:
        for module in (runner, reproduce):
            patch.setattr(module, "revision", lambda: "d" * 40)
        yield site


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Runs by steps and by the clock, of a recipe whose learning rate follows the fraction that is spent."""
    out = tmp_path_factory.mktemp("ran")
    rows = [
        {"recipe": "vae", "options": {"width": 8}},
        {"recipe": "toy", "label": "lost", "options": {"fails": "diverges"}},
        {"recipe": "toy", "label": "broken", "options": {"fails": "raises"}},
    ]
    run(suite(row=rows), out / "steps")
    run(suite(row=rows[:1], budget=SECONDS), out / "seconds")
    return out


def again(folder, out):
    """Exit status and the lines of a reproduction, as the command has them."""
    found, made = reproduce.reproduce(folder, out, console())
    return found, made


@pytest.mark.parametrize("budget", ["steps", "seconds"])
def test_a_cell_comes_out_equal_bit_for_bit(ran, tmp_path, budget):
    folder = cell(ran / budget, "vae")
    found, made = again(folder, tmp_path)
    assert found.exact
    assert found.equal
    assert {"weights", "samples", "steps", "nll_bpd", "fid", "all, image by image"} <= {x.what for x in found.lines}
    assert np.array_equal(np.load(made / "samples.npy"), np.load(folder / "samples.npy"))
    models = [genbench.load(x / "checkpoint" / "model.safetensors").state_dict() for x in (folder, made)]
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])
    assert (folder / FRACTIONS).is_file() == (budget == "seconds")
    before, after = Record.read(folder), Record.read(made)
    assert after.digests == before.digests == reproduce.digests(folder)
    assert after.stamp["configuration"] == before.stamp["configuration"]
    assert after.stamp["command"] == before.stamp["command"]
    assert after.stamp.get("course") == ("again, at the fractions as they were" if budget == "seconds" else None)
    assert list(found.said) == ["equal, bit for bit; timings and memory are not compared"]


def test_a_cell_that_was_measured_again_comes_out_equal_by_the_threads_of_its_training(ran, tmp_path):
    folder = tmp_path / "cell"
    shutil.copytree(cell(ran / "steps", "vae"), folder)
    before = Record.read(folder)
    place = {name: before.stamp[name] for name in ("revision", "device", "threads", "machine", "versions")}
    before.model_copy(update={"stamp": before.stamp | {"trained": place}}).write(folder)
    found, _ = again(folder, tmp_path / "a")
    assert list(found.said) == ["equal, bit for bit; timings and memory are not compared"]
    there = place | {"threads": place["threads"] + 1, "revision": "e" * 40 + "-dirty"}
    record = before.model_copy(update={"stamp": before.stamp | {"trained": there}})
    _, setting = reproduce.planned(record, folder, tmp_path / "b", None, None)
    assert setting.threads == place["threads"] + 1
    reasons = reproduce.compared(record, before, folder, folder).reasons
    assert [reason.split(" differs")[0] for reason in reasons[:2]] == ["trained threads", "trained revision"]
    assert "the revision was dirty, so nobody knows its code" in reasons


def test_without_the_clock_schedules_follow_the_steps_and_it_is_said(ran, tmp_path):
    folder = tmp_path / "cell"
    shutil.copytree(cell(ran / "seconds", "vae"), folder)
    (folder / FRACTIONS).unlink()
    found, made = again(folder, tmp_path / "again")
    assert not found.exact
    assert any("nobody kept what the clock showed" in line for line in found.said)
    before, after = Record.read(folder), Record.read(made)
    assert after.fit.phase_steps == before.fit.phase_steps
    assert after.digests["weights"] != before.digests["weights"], "the schedule went another way"
    allowed = {line.what: line.allowed for line in found.lines}
    error = np.hypot(before.test.standard_error, after.test.standard_error)
    assert allowed["nll_bpd"] == f"± {2 * error:.3g}"


def test_what_diverged_diverges_again_and_what_failed_is_refused(ran, tmp_path):
    found, _ = again(cell(ran / "steps", "lost"), tmp_path)
    assert found.equal
    assert [line.was for line in found.lines] == ["diverged", "the loss is not finite in turn 'pixels' at step 4"]
    with pytest.raises(ValueError, match="it failed, so there is nothing to make again"):
        again(cell(ran / "steps", "broken"), tmp_path)


def test_an_anchor_is_made_again_alone(ran, tmp_path):
    found, made = again(cell(ran / "steps", "noise"), tmp_path)
    assert found.exact
    assert found.equal
    assert [path.name for path in made.parents[1].iterdir()] == ["noise"]


def test_the_command_ends_with_0_where_equal_and_1_where_not(ran, tmp_path, monkeypatch, capsys):
    genbench_ = script(monkeypatch, capsys)
    folder = tmp_path / "cell"
    shutil.copytree(cell(ran / "steps", "vae"), folder)
    status, said, _ = genbench_("reproduce", folder, "--out", tmp_path / "a")
    assert status == 0
    assert "equal, bit for bit" in said
    about = json.loads((folder / "record.json").read_text())
    about["test"]["per_image"][3] += 1e-9
    about["digests"]["samples"] = "0" * 64
    (folder / "record.json").write_text(json.dumps(about))
    status, said, _ = genbench_("reproduce", folder, "--out", tmp_path / "b")
    assert status == 1
    assert "NOT EQUAL in samples, file of samples, all, image by image" in said
    assert "there already; give another --out" in refused(genbench_("reproduce", folder, "--out", tmp_path / "a"))
    about["stamp"]["configuration"]["data"]["train"] = "0" * 64
    (folder / "record.json").write_text(json.dumps(about))
    assert "not the images that" in refused(genbench_("reproduce", folder, "--out", tmp_path / "c"))
    del about["stamp"]["configuration"]
    (folder / "record.json").write_text(json.dumps(about))
    assert "not one of this version's cells" in refused(genbench_("reproduce", folder, "--out", tmp_path / "c"))
    assert "cannot be read" in refused(genbench_("reproduce", tmp_path / "none"))
    assert not (tmp_path / "c").exists()


MACHINE = {"device": "cpu", "threads": 2, "machine": {"processor": "A"}, "versions": {"torch": "2"}, "revision": "a"}


def compare(tmp_path, before, **fields):
    after = before.model_copy(update=fields)
    return reproduce.compared(before, after, tmp_path, tmp_path)


def test_an_estimate_that_was_given_more_work_need_not_be_the_same(tmp_path):
    before = record(stamp=MACHINE | {"budget": {"steps": 9}}, test=likelihood())
    near = likelihood(tuple(x + 0.1 for x in before.test.per_image)).model_copy(update={"work": 4})
    found = compare(tmp_path, before, test=near)
    assert found.reasons == ["the estimate had 1 and 4 times its work"]
    assert found.equal


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threads": 4}, "threads differs (2 / 4)"),
        ({"machine": {"processor": "B"}}, "machine processor differs (A / B)"),
        ({"versions": {"torch": "3"}}, "versions torch differs (2 / 3)"),
        ({"revision": "b"}, "revision differs (a / b)"),
        ({"device": "cuda"}, "kernels of a GPU may add in another order"),
    ],
)
def test_elsewhere_figures_are_held_to_their_stated_errors(tmp_path, change, said):
    before = record(
        stamp=MACHINE | {"budget": {"steps": 9}},
        test=likelihood(),
        quality=quality(50, kid=0.01, kid_standard_error=0.001),
    )
    stamp = before.stamp | change
    near = likelihood(tuple(x + 0.1 for x in before.test.per_image))
    found = compare(tmp_path, before, stamp=stamp, test=near, quality=quality(80, kid=0.0125, kid_standard_error=0.001))
    assert any(said in reason for reason in found.reasons)
    assert found.equal
    verdict = {line.what: line.equal for line in found.lines}
    assert (verdict["nll_bpd"], verdict["kid"]) == (True, True)
    assert verdict["precision"] is None, "no error of it is stated"
    # Two standard errors of the difference of (1, 1.2, 1.4) ± 0.1155 from another such are 0.327; of KID 0.00283.
    far = likelihood(tuple(x + 0.4 for x in before.test.per_image))
    found = compare(tmp_path, before, stamp=stamp, test=far, quality=quality(50, kid=0.013, kid_standard_error=0.001))
    assert {line.what for line in found.lines if line.equal is False} == {"nll_bpd", "kid"}
    assert list(found.said)[-1] == "NOT EQUAL in nll_bpd, kid"


def test_here_the_last_bit_counts(tmp_path):
    before = record(stamp=MACHINE | {"budget": {"steps": 9}}, digests={"samples": "a" * 64})
    assert compare(tmp_path, before).equal
    for fields in (
        {"test": likelihood((1.0, 1.2, 1.4 + 1e-15))},
        {"quality": quality(50.000000001)},
        {"digests": {"samples": "b" * 64}},
        {"params": 1},
        {"fit": before.fit.model_copy(update={"phase_steps": {"fit": 1199}})},
        {"test": None},
        {"status": "failed"},
    ):
        found = compare(tmp_path, before, **fields)
        assert found.exact
        assert not found.equal, fields
    timed = before.fit.model_copy(update={"seconds": 9.9})
    assert compare(tmp_path, before, fit=timed, peak_memory_mb=1.0).equal, "timings are not compared"


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_file_that_is_not_what_was_measured_is_a_difference_wherever_it_is_made_again(tmp_path, elsewhere):
    known = {"samples": digest({"samples": torch.zeros(2, 1, 2, 2, dtype=torch.uint8)}), "weights": "a" * 64}
    before = record(stamp=MACHINE | {"budget": {"steps": 9}}, digests=known)
    after = before.model_copy(update={"stamp": before.stamp | ({"threads": 4} if elsewhere else {})})
    for name in ("was", "now"):
        (tmp_path / name).mkdir()
    np.save(tmp_path / "was" / SAMPLES, np.zeros((2, 1, 2, 2), np.uint8))
    assert reproduce.compared(before, after, tmp_path / "was", tmp_path / "now").equal
    (tmp_path / "was" / MODEL).parent.mkdir()
    save_file({"w": torch.ones(1)}, tmp_path / "was" / MODEL)
    found = reproduce.compared(before, after, tmp_path / "was", tmp_path / "now")
    assert [line.what for line in found.lines if line.equal is False] == ["file of weights"]
    (tmp_path / "was" / MODEL).write_bytes(b"cut")
    with pytest.raises(ValueError, match=r"^checkpoint .*model\.safetensors: not a genbench model"):
        reproduce.compared(before, after, tmp_path / "was", tmp_path / "now")


def test_an_older_record_is_compared_by_what_it_has(tmp_path):
    before = record(stamp=MACHINE | {"budget": {"steps": 9}}, collapse=None)
    later = before.stamp | {"revision": "b"}
    found = compare(tmp_path, before, stamp=later, digests={"samples": "a" * 64, "weights": "b" * 64})
    assert found.equal
    assert {line.was for line in found.lines if line.what in ("weights", "samples")} == {"not recorded"}


def test_what_was_not_trained_here_is_refused(tmp_path):
    for about in (lost("x", status="failed", reason="r"), record(status="evaluated")):
        about.write(tmp_path / about.status)
        with pytest.raises(ValueError, match="nothing to make again"):
            again(tmp_path / about.status, tmp_path / "again")


def test_a_trace_is_followed_phase_by_phase():
    phases = [Phase("a", 0.5, []), Phase("b", 0.0, []), Phase("c", 0.5, [])]
    plan = PhasePlan.plan(phases, Budget(seconds=9), 4, Trace((3, 0, 2), (0.0, 0.2, 0.9, 0.1, 0.7)))
    assert [plan.fraction(State([n])) for n in range(4)] == [0.0, 0.2, 0.9, 1.0]
    assert plan.fraction(State([3, 0])) == 1.0
    assert [plan.fraction(State([3, 0, n])) for n in range(3)] == [0.1, 0.7, 1.0]
    assert plan.whole(State([3, 0, 1])) == 4 / 5
    by_steps = PhasePlan.plan(phases, Budget(seconds=9), 4, Trace((4, 0, 2)))
    assert [by_steps.fraction(State([n])) for n in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    assert by_steps.fraction(State([4, 0, 1])) == 0.5, "and not by a third of all six"
    with pytest.raises(ValueError, match="3 fractions for 5 steps"):
        Trace((3, 2), (0.1, 0.2, 0.3))
    with pytest.raises(ValueError, match="trace of 1 phases"):
        PhasePlan.plan(phases, Budget(steps=9), 4, Trace((3,)))


def test_fractions_survive_a_training_that_is_cut_off(splits, tmp_path):
    def model():
        return genbench.build("vae", genbench.DataSpec((1, 8, 8), 4), width=8)

    class Cut(Exception):
        pass

    def cut(progress):
        if progress.step == 2:
            raise Cut

    config = FitConfig(Budget(seconds=1.0), 8, checkpoint=tmp_path / "t.pt", checkpoint_seconds=0.0)
    with pytest.raises(Cut):
        model().fit(splits, config, callbacks=[cut])
    first = model()
    report = first.fit(splits, config, resume=tmp_path / "t.pt")
    assert len(report.fractions) == report.steps > 2
    assert list(report.fractions) == sorted(report.fractions)
    assert "fractions" not in report.spent
    trace = Trace(tuple(report.phase_steps.values()), report.fractions)
    second, third = model(), model()
    repeated = second.fit(splits, FitConfig(Budget(seconds=1.0), 8, trace=trace))
    assert (repeated.phase_steps, repeated.fractions) == (report.phase_steps, report.fractions)
    third.fit(splits, FitConfig(Budget(steps=report.steps), 8))
    same, other = (
        all(torch.equal(value, first.state_dict()[name]) for name, value in of.state_dict().items())
        for of in (second, third)
    )
    assert same
    assert not other, "its learning rate followed the steps"


def test_a_figure_that_the_older_record_lacks_is_not_judged():
    assert reproduce._figure("reconstruction", None, 3.0, None).equal is None
    assert reproduce._figure("reconstruction", 3.0, 3.0, None).equal is True
    assert reproduce._figure("reconstruction", 3.0, None, None).equal is False
