"""A folder's lock: one process at a time, told by its number, let go of however it ends."""

import os
import signal
import subprocess
import sys

import pytest

from genbench.files import LOCK, held, linked, locked, remove, settle, unfinished_of, written_whole

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


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_lock_that_is_another_file_s_name_is_refused_and_that_file_stays(tmp_path, link):
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "run").mkdir()
    link(tmp_path / "mine", tmp_path / "run" / LOCK)
    with pytest.raises(ValueError, match=r"run/\.lock: is no file of its own"), locked(tmp_path / "run"):
        pass
    assert not held(tmp_path / "run"), "nobody waits for it"
    assert (tmp_path / "mine").read_text() == "precious"


def test_what_is_written_goes_through_no_link_and_by_no_name_that_is_known_before(tmp_path):
    (tmp_path / "mine").write_text("precious")
    path = tmp_path / "report.html"
    path.symlink_to(tmp_path / "mine")
    names = set()
    for _ in range(2):
        with written_whole(path) as part:
            assert part.parent == tmp_path
            assert part.match(".report.html.*.part")
            assert not part.is_symlink()
            names.add(part.name)
            part.write_text("<p>")
    assert len(names) == 2
    assert (path.is_symlink(), path.read_text(), (tmp_path / "mine").read_text()) == (False, "<p>", "precious")
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask(), "as others may read as of any file"
    assert not list(tmp_path.glob("*.part"))


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_name_for_a_part_that_is_taken_is_not_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr("genbench.files.secrets.token_hex", lambda _: "0")
    (tmp_path / ".a.0.part").symlink_to(tmp_path / "mine")
    with pytest.raises(FileExistsError), written_whole(tmp_path / "a"):
        pass
    assert not (tmp_path / "mine").exists()


def test_folders_that_are_links_are_replaced_and_what_they_lead_to_stays(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a").write_text("precious")
    folder = tmp_path / "seed-0"
    assert not linked(mine)
    for name in ("seed-0", ".seed-0.old"):
        (tmp_path / name).symlink_to(mine)
    unfinished_of(folder).mkdir()
    (unfinished_of(folder) / "a").write_text("new")
    settle(unfinished_of(folder), folder)
    assert (folder / "a").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "seed-0"]
    (folder / "checkpoint").symlink_to(mine)
    assert linked(folder)
    remove(folder)
    assert (mine / "a").read_text() == "precious"
