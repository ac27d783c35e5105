"""Cells on a Ray cluster of two nodes on this machine: what comes back, and what is lost when something dies."""

import json
import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ray.cluster_utils import Cluster

from genbench.files import unfinished_of
from genbench.records import layout
from genbench.records.record import Record
from genbench.runs import parcels
from genbench.runs.engine import Lost
from genbench.runs.here import Here
from genbench.runs.nodes import Nodes
from genbench.runs.on_ray import OnRay
from genbench.runs.storage import Storage
from tests.toys import cell, installed, run, suite

SMALL = {"num_cpus": 1, "object_store_memory": 80_000_000}
SAME = ("status", "test", "train", "quality", "agreement", "collapse", "parzen", "digests", "params")
GROUPS = ("nll", "fid")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(Path(__file__).parents[2])]))
        for name in ("RAY_USAGE_STATS_ENABLED", "RAY_worker_niceness"):
            patch.setenv(name, "0")
        head = {"num_cpus": 0, "object_store_memory": 80_000_000, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        cluster.nodes = [cluster.add_node(**SMALL), cluster.add_node(**SMALL)]
        yield cluster
        cluster.shutdown()


def on(cluster, **more):
    return OnRay(cluster.address, 1, 1, "cpu", **{"travels": True, "every": 0.0} | more)


def toys(tmp_path, *labels, steps=12):
    rows = [(label, {"sleep": 0.2, "at": 99, "once": str(tmp_path / label)}) for label in labels]
    return suite(*rows, steps=steps, anchors=False, measures=GROUPS)


def workers():
    """The processes of the cluster that are at work on a cell."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if line.read_bytes().startswith(b"ray::work"):
                found.append(int(line.parent.name))
        except OSError:
            continue
    return found


def calls(tmp_path, label):
    return [int(word) for word in (tmp_path / f"{label}.calls").read_text().split()]


def same(one, other, label):
    a, b = (Record.read(cell(out, label)) for out in (one, other))
    for name in SAME:
        assert getattr(a, name) == getattr(b, name), name
    assert a.fit.steps == b.fit.steps
    lines, whole = ((cell(out, label) / "history.csv").read_text().splitlines() for out in (one, other))
    assert [line.split(",")[:3] for line in lines] == [line.split(",")[:3] for line in whole]
    return a, b


@pytest.fixture(scope="module")
def alone(cluster, tmp_path_factory):
    """The same cells, one after the other on this machine, that nothing disturbed."""
    out = tmp_path_factory.mktemp("alone")
    assert run(toys(out, "one", "two"), out / "out", engine=Here(1))[0] == 0
    return out / "out"


@pytest.mark.slow
def test_cells_of_killed_workers_and_nodes_go_on_elsewhere_bit_for_bit(cluster, alone, tmp_path, monkeypatch):
    keep, kills = parcels.keep, []

    def disturbed(job, files):
        keep(job, files)
        if not kills:
            kills.append("worker")
            os.kill(workers()[0], signal.SIGKILL)
        elif kills == ["worker"]:
            kills.append("node")
            cluster.remove_node(cluster.nodes.pop(), allow_graceful=False)

    monkeypatch.setattr(parcels, "keep", disturbed)
    try:
        status, said = run(toys(tmp_path, "one", "two"), tmp_path / "out", engine=on(cluster))
    finally:
        cluster.nodes += [cluster.add_node(**SMALL) for _ in range(2 - len(cluster.nodes))]
    assert kills == ["worker", "node"]
    assert status == 0, said
    assert "it goes on elsewhere" in said, "once for both, where the worker that died was the node's"
    for label in ("one", "two"):
        same(tmp_path / "out", alone, label)
        assert len(calls(tmp_path, label)) < 2 * 12, "what had come back is not done again"


@pytest.mark.slow
def test_a_training_that_is_too_large_to_be_sent_goes_on_from_the_storage(cluster, alone, tmp_path, monkeypatch):
    keep, kept, kills = parcels.keep, [], []

    def disturbed(job, files):
        keep(job, files)
        assert layout.TRAINING.as_posix() not in files
        kept.append(files[layout.AWAY.as_posix()].decode())
        if not kills and len(kept) > 1:
            kills.append("worker")
            os.kill(workers()[0], signal.SIGKILL)

    monkeypatch.setattr(parcels, "keep", disturbed)
    out = tmp_path / "out"
    engine = on(cluster, most=1, storage=Storage.of_run(f"{tmp_path}/store", out))
    status, said = run(toys(tmp_path, "one"), out, engine=engine)
    assert kills
    assert (status, "it goes on elsewhere" in said) == (0, True), said
    same(out, alone, "one")
    assert len(calls(tmp_path, "one")) < 2 * 12
    assert all(uri.startswith(f"{tmp_path}/store/out-") for uri in kept)
    assert not [path for path in (tmp_path / "store").rglob("cells/**/*") if path.is_file()], "it is whole"


def done_with_fewer_steps(tmp_path, out):
    """The training of a finished cell with 12 steps, cut off: what came back of it lies beside the cell of 4."""
    rows = (("one", {"sleep": 0.0, "at": 9, "fails": "diverges", "once": str(tmp_path / "one")}),)
    assert run(suite(*rows, steps=4, anchors=False, measures=GROUPS), out, engine=Here(1))[0] == 0
    longer = suite(*rows, steps=12, anchors=False, measures=GROUPS)
    return longer, Record.read(cell(out, "one"))


@pytest.mark.slow
def test_a_longer_training_that_diverges_elsewhere_leaves_the_cell_that_is_done(cluster, tmp_path, monkeypatch):
    longer, before = done_with_fewer_steps(tmp_path, tmp_path / "out")
    packed = []
    plain = parcels.earlier
    monkeypatch.setattr(parcels, "earlier", lambda job: packed.append(job.how) or plain(replace(job, how="resume")))
    monkeypatch.setattr(parcels, "packed", lambda job: {"one": parcels.read(unfinished_of(job.folders["one"]))})
    keep = parcels.read(cell(tmp_path / "out", "one"))
    part = unfinished_of(cell(tmp_path / "out", "one"))
    configuration = before.stamp["configuration"] | {"budget": {"steps": 12}}
    names = (layout.TRAINING.as_posix(), layout.HISTORY)
    parcels.write(
        part, {name: keep[name] for name in names} | {layout.CONFIGURATION: json.dumps(configuration).encode()}
    )
    status, said = run(longer, tmp_path / "out", engine=on(cluster))
    assert status == 1
    assert "trained on, " in said
    assert packed == ["resume"]
    after = Record.read(cell(tmp_path / "out", "one"))
    assert (after.status, after.fit.steps) == ("done", 4)


@pytest.mark.slow
def test_ctrl_c_leaves_everything_resumable_and_the_cluster_clean(cluster, alone, tmp_path, monkeypatch):
    keep = parcels.keep

    def interrupted(job, files):
        keep(job, files)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(parcels, "keep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(toys(tmp_path, "one"), tmp_path / "out", engine=on(cluster))
    assert not workers()
    part = cell(tmp_path / "out", "one").with_name("seed-0.part")
    assert (part / "checkpoint" / "training.pt").is_file()
    before = len(calls(tmp_path, "one"))
    status, said = run(toys(tmp_path, "one"), tmp_path / "out", engine=on(cluster))
    assert (status, "resumed: one" in said) == (0, True)
    assert calls(tmp_path, "one")[before] > 0
    same(tmp_path / "out", alone, "one")


def test_a_cell_that_fails_by_itself_is_not_tried_again_and_speed_is_measured_alone(cluster, tmp_path):
    once = str(tmp_path / "never" / "there")
    rows = [("good", {}), ("raises", {"fails": "raises"}), ("dies", {"fails": "dies"}), ("bad", {"once": once})]
    rows.append(("says", {"fails": "says"}))
    status, said = run(suite(*rows, anchors=False, measures=("speed",)), tmp_path / "out", engine=on(cluster))
    found = {label: Record.read(cell(tmp_path / "out", label)) for label, _ in rows}
    assert status == 1
    assert {label: record.status for label, record in found.items()} == {
        "good": "done",
        "raises": "failed",
        "dies": "failed",
        "bad": "failed",
        "says": "done",
    }
    assert (cell(tmp_path / "out", "says") / "log.txt").read_text() == "a word of its own\n"
    assert not (cell(tmp_path / "out", "good") / "log.txt").exists()
    assert found["raises"].reason == "RuntimeError: it broke"
    assert "signal 9" in found["dies"].reason
    assert "elsewhere" not in said
    assert found["good"].stamp["company"] == {"jobs": 2, "cores": 1}, "two nodes of one machine"
    assert found["good"].speed is not None
    assert "owed" not in found["good"].stamp
    assert said.index("good on digits, seed 0 is timed alone") > said.index("dies on digits, seed 0: failed")


def test_a_node_without_the_data_is_not_used_and_without_any_other_the_run_ends_in_a_line(
    cluster, tmp_path, monkeypatch
):
    path = tmp_path / "own.npz"
    np.savez(path, images=np.zeros((300, 1, 8, 8), np.uint8), labels=np.arange(300) % 10)
    meet = Nodes.meet
    monkeypatch.setattr(Nodes, "meet", lambda nodes, *words: (path.unlink(), meet(nodes, *words)))
    mine = suite(("good", {}), dataset=f"npz:{path}", anchors=False, measures=("nll",))
    with pytest.raises(ValueError, match=r"^--ray .*: no node will do: node .*: .*own\.npz"):
        run(mine, tmp_path / "out", engine=on(cluster, travels=False))
    assert not list((tmp_path / "out").rglob("record.json"))


@pytest.mark.slow
def test_data_that_each_node_has_are_read_there(cluster, tmp_path):
    mine = suite(("good", {}), measures=("nll",))
    status, said = run(mine, tmp_path / "out", engine=on(cluster, travels=False))
    assert status == 0, said
    assert Record.read(cell(tmp_path / "out", "uniform")).status == "anchor"


def test_other_data_of_the_same_name_will_not_do(cluster, tmp_path, monkeypatch):
    meet = Nodes.meet

    def other(nodes, setting, cells):
        meet(nodes, setting, [one.model_copy(update={"data": one.data | {"train": "0" * 8}}) for one in cells])

    monkeypatch.setattr(Nodes, "meet", other)
    with pytest.raises(ValueError, match="digits is another one here than on the machine of the run"):
        run(suite(("good", {}), anchors=False, measures=("nll",)), tmp_path / "out", engine=on(cluster, travels=False))


def test_a_node_that_does_not_reach_the_storage_is_refused(cluster, tmp_path, monkeypatch):
    kept = Storage.of_run(str(tmp_path / "store"), tmp_path / "out")
    monkeypatch.setattr(Storage, "leave", lambda self: str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"--ray .*: node .*: --storage .*store/out-.*: cannot be read"):
        on(cluster, storage=kept).__enter__()


def test_a_node_with_another_genbench_is_refused(cluster, monkeypatch):
    ours = parcels.versions() | {"genbench": "9.9"}
    monkeypatch.setattr(parcels, "versions", lambda: ours)
    with pytest.raises(
        ValueError, match=r"--ray .*: node .* has genbench .* for 9\.9 here.*; install the same on every"
    ):
        on(cluster).__enter__()


def test_more_threads_than_any_node_has_are_refused(cluster):
    with pytest.raises(ValueError, match=r"no node has 99 cores; give fewer --threads"):
        OnRay(cluster.address, 1, 99, "cpu", travels=True).__enter__()


def test_a_cell_that_its_machines_die_of_fails_in_the_end():
    engine = OnRay(None, 2, 1, "cpu", travels=False)
    losses = Counter()
    said = [engine._lost(0, "its node was lost", losses) for _ in range(6)]
    assert all(isinstance(event, Lost) for event in said[:5])
    assert "6 times with no checkpoint between" in said[5].failure.why
