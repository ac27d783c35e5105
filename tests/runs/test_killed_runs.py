"""A run that is killed or interrupted: no process of it is left, and the next goes on and sweeps."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from genbench.cli import SAID
from genbench.records.record import Record
from genbench.runs.suite import to_toml
from tests.toys import cell, installed, run, suite


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site:
        yield site


def processes(session):
    """Those of a session that are still at work, as the system lists them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            words = stat.read_text().rpartition(")")[2].split()
            if int(words[3]) == session and words[0] != "Z":
                found.append(stat.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system lists no processes")
def test_a_killed_or_interrupted_run_takes_its_processes_with_it_and_goes_on(tmp_path, site):
    mine = tmp_path / "mine.toml"
    mine.write_text(to_toml(suite(("good", {"sleep": 0.05}), steps=60, anchors=False)))
    command = [sys.executable, "-m", "genbench.cli", "run", str(mine), "--out", str(tmp_path / "out")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    part = cell(tmp_path / "out", "good").with_name("seed-0.part")
    training = part / "checkpoint" / "training.pt"
    for end, status in ((os.kill, -signal.SIGKILL), (os.killpg, 130)):
        began = time.time()
        child = subprocess.Popen(
            command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        waited = time.monotonic()
        while not (training.exists() and training.stat().st_mtime > began):
            assert time.monotonic() - waited < 120
            assert child.poll() is None, child.stderr.read()
            time.sleep(0.05)
        end(child.pid, signal.SIGKILL if status < 0 else signal.SIGINT)
        _, err = child.communicate()
        assert child.returncode == status
        assert err == ("" if status < 0 else f"{SAID}\n")
        waited = time.monotonic()
        while processes(child.pid):
            assert time.monotonic() - waited < 5, "the run left processes"
            time.sleep(0.05)
    for path in (part / ".history.csv.9.part", tmp_path / "out" / ".table.md.9.part"):
        path.write_text("cut off")
    for path in (part / "cell.json", part / "history.csv"):
        whole = path.read_text()
        path.write_text("[]")
        with pytest.raises(ValueError, match=f"{path.name}.*; delete it, and"):
            run(suite(("good", {"sleep": 0.05}), steps=60, anchors=False), tmp_path / "out")
        path.write_text(whole)
    status, said = run(suite(("good", {"sleep": 0.05}), steps=60, anchors=False), tmp_path / "out")
    assert status == 0
    assert "resumed: good" in said
    assert Record.read(cell(tmp_path / "out", "good")).fit.steps == 60
    assert not list(tmp_path.rglob("*.part"))
