"""A folder's lock: one process at a time, told by its number, let go of however it ends."""

import os
import signal
import subprocess
import sys

import pytest

from genbench.files import LOCK, held, locked

HOLD = """
import sys, time
from pathlib import Path
from genbench.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process of its own that holds the lock of ``tmp_path / "run"``."""
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_a_folder_in_use_is_refused_with_the_others_number_each_time(tmp_path, holder):
    for _ in range(3):
        said = f"process {holder.pid} runs in it; wait, or give another folder"
        with pytest.raises(ValueError, match=said), locked(tmp_path / "run"):
            pass
    assert (tmp_path / "run" / LOCK).read_text() == str(holder.pid), "who is refused leaves the holder's number"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path, holder, how):
    holder.send_signal(how)
    holder.wait()
    assert (tmp_path / "run" / LOCK).read_text() == str(holder.pid), "it had no time to tidy up"
    with locked(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK).read_text() == str(os.getpid())


def test_folders_made_for_nothing_go_and_those_with_something_in_them_stay(tmp_path):
    with pytest.raises(ValueError, match="refused"), locked(tmp_path / "a" / "b"):
        raise ValueError("refused")
    assert not list(tmp_path.iterdir())
    with locked(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "table.md").write_text("| |")
    assert (tmp_path / "a" / "b" / "table.md").exists()
    with locked(tmp_path / "a" / "b"):  # and again: what it left is no lock that holds
        pass


def test_a_folder_beside_it_that_appeared_meanwhile_stays_and_hides_no_error(tmp_path):
    def refused_beside(other):
        with locked(tmp_path / "a" / "b"):
            other.mkdir()
            raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        refused_beside(tmp_path / "a" / "other")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["other"]


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    said = r"--out .*file/x: cannot be written \(.*\); give another folder"
    with pytest.raises(ValueError, match=said), locked(tmp_path / "file" / "x"):
        pass


def test_whether_a_folder_is_held_is_seen_without_holding_it(tmp_path, holder):
    assert held(tmp_path / "run")
    holder.kill()
    holder.wait()
    assert not held(tmp_path / "run")
    assert not held(tmp_path / "no run")
    assert not (tmp_path / "no run").exists()
    with locked(tmp_path / "run"):
        pass
