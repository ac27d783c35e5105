"""Workers, nodes and the run itself killed two dozen times: in training, in measuring, with cells on their way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ray.cluster_utils import Cluster
from safetensors.torch import load_file

from genbench.records import layout
from genbench.records.record import Record
from genbench.runs.here import Here
from tests.disturbed import KILLED, LABELS, STEPS, cells, workers
from tests.toys import cell, installed, run

ROOT = Path(__file__).parents[2]
SMALL = {"object_store_memory": 80_000_000}
SAME = ("status", "test", "train", "quality", "agreement", "collapse", "parzen", "digests", "params")
KILLS = 2  # of each victim at each moment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(ROOT)]))
        for name in ("RAY_USAGE_STATS_ENABLED", "RAY_worker_niceness"):
            patch.setenv(name, "0")
        yield site


@pytest.fixture(scope="module")
def alone(site, tmp_path_factory):
    """The same cells, one after the other on this machine, that nothing disturbed."""
    out = tmp_path_factory.mktemp("alone")
    assert run(cells(out), out / "out", engine=Here(1))[0] == 0
    return out / "out"


@pytest.fixture
def cluster(site):
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **SMALL})
    for _ in range(2):
        cluster.add_node(num_cpus=1, **SMALL)
    yield cluster
    cluster.shutdown()


def started(cluster, out, calls, victim, moment, kills):
    """Run to the end, with a new node for each that is killed; return the exit status and the number of kills."""
    words = [cluster.address, out, calls, victim, moment, kills]
    command = [sys.executable, "-m", "tests.disturbed", *map(str, words)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, killed = [], 0
    for line in child.stdout:
        said.append(line)
        if line.startswith(KILLED):
            killed += 1
            if victim == "node":
                cluster.add_node(num_cpus=1, **SMALL)
    return child.wait(timeout=60), killed, "".join(said)


def finished(out):
    """The finished cells by their records, each as the file that it is."""
    return {path: path.stat().st_ino for path in out.rglob(layout.RECORD) if ".part" not in str(path)}


@pytest.mark.parametrize("moment", ["fit", "measuring", "keep", "finish"])
@pytest.mark.parametrize("victim", ["worker", "node", "driver"])
def test_nothing_is_lost_and_nothing_finished_is_done_twice(cluster, alone, tmp_path, victim, moment):
    out, killed, starts = tmp_path / "out", 0, 0
    while True:
        done = finished(out)
        status, kills, said = started(cluster, out, tmp_path, victim, moment, KILLS - killed)
        assert done.items() <= finished(out).items(), "a finished cell was made again"
        killed += kills
        starts += 1
        if status == 0:
            break
        assert (victim, status) == ("driver", -9), said
        assert starts <= KILLS, said
    assert killed == KILLS
    assert not workers()
    assert not list(out.rglob("*.part"))
    for label in LABELS:
        record, whole = (Record.read(cell(folder, label)) for folder in (out, alone))
        for name in SAME:
            assert getattr(record, name) == getattr(whole, name), name
        weights, same = (load_file(cell(folder, label) / layout.MODEL) for folder in (out, alone))
        assert all(torch.equal(weights[name], same[name]) for name in weights | same)
        lines, theirs = ((cell(folder, label) / layout.HISTORY).read_text().splitlines() for folder in (out, alone))
        assert [line.split(",")[:3] for line in lines] == [line.split(",")[:3] for line in theirs]
        steps = [int(word) for word in (tmp_path / f"{label}.calls").read_text().split()]
        assert set(steps) == set(range(STEPS))
        if moment in ("measuring", "finish"):
            assert len(steps) <= STEPS + KILLS * 2, "a training that was over was begun again"
