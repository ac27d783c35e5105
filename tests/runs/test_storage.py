"""Trainings in a storage: written under new names, fetched by whoever goes on, and gone when the cell is whole."""

import errno
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest

from genbench import data
from genbench.files import unfinished_of
from genbench.records import layout
from genbench.runs import parcels, storage
from genbench.runs.plan import plan
from genbench.runs.ray_task import Checkpoints
from genbench.runs.storage import Storage
from genbench.runs.unfinished import check_resumable, has_training
from tests.toys import cell, installed, run, suite

QUICK = {"anchors": False, "measures": ("nll",)}


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(params=["file", "memory"])
def kept(request, tmp_path):
    if request.param == "memory":
        return Storage(f"memory://{tmp_path.name}", tmp_path / "out")
    return Storage.of_run(f"file://{tmp_path}/store", tmp_path / "out")


def unfinished(tmp_path, training=b"weights", name="seed-0"):
    folder = unfinished_of(cell(tmp_path / "out", "good").with_name(name))
    (folder / layout.TRAINING).parent.mkdir(parents=True, exist_ok=True)
    (folder / layout.TRAINING).write_bytes(training)
    (folder / layout.HISTORY).write_text("step\n")
    return folder


def there(kept):
    system, root = fsspec.core.url_to_fs(kept.uri)
    return sorted(path.partition(root.strip("/") + "/")[2] for path in system.find(root))


def test_a_training_goes_there_and_comes_back_and_the_run_removes_what_is_older(kept, tmp_path):
    folder, other = unfinished(tmp_path), unfinished(tmp_path, name="seed-1")
    uris = []
    for number in range(3):
        (folder / layout.TRAINING).write_bytes(b"weights %d" % number)
        uris.append(kept.put(folder))
    beside = kept.put(other)
    assert [f"{kept.uri}/{name}" for name in there(kept)] == [*sorted(uris), beside]
    assert uris == sorted(set(uris))
    assert uris[0].startswith(f"{kept.uri}/cells/digits/good/seed-0/")
    kept.prune(uris[1])
    assert [f"{kept.uri}/{name}" for name in there(kept)] == [*uris[1:], beside], "newer ones stay, and another cell's"
    for uri, number in zip(uris[1:], (1, 2), strict=True):
        (folder / layout.TRAINING).unlink(missing_ok=True)
        (folder / layout.AWAY).write_text(uri)
        assert has_training(folder)
        check_resumable_training(folder)
        storage.fetch(folder)
        assert (folder / layout.TRAINING).read_bytes() == b"weights %d" % number
        assert not (folder / layout.AWAY).exists()
    kept.clear(cell(tmp_path / "out", "good"))
    assert [f"{kept.uri}/{name}" for name in there(kept)] == [beside]
    kept.clear(cell(tmp_path / "out", "good"))


def check_resumable_training(folder):
    (folder / layout.TRAINING).unlink(missing_ok=True)
    (folder / layout.HISTORY).unlink(missing_ok=True)
    check_resumable(folder)


def test_names_go_on_from_those_that_are_there_whatever_clock_a_machine_has(kept, tmp_path, monkeypatch):
    folder = unfinished(tmp_path)
    uris = []
    for last in "f0":
        monkeypatch.setattr(storage.uuid, "uuid4", lambda last=last: SimpleNamespace(hex=last * 32))
        uris.append(kept.put(folder))
    assert uris == sorted(uris)


def test_an_object_store_has_no_folder_until_something_is_in_it(tmp_path, monkeypatch):
    kept = Storage(f"memory://{tmp_path.name}", tmp_path / "out")
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "makedirs", lambda self, path, exist_ok=False: None)
    kept.check(kept.leave())
    assert kept.put(unfinished(tmp_path)).endswith(there(kept)[0])


def test_machines_must_see_the_same_storage(tmp_path):
    ours = Storage.of_run(f"file://{tmp_path}/ours", tmp_path / "out")
    word = ours.leave()
    ours.check(word)
    with pytest.raises(ValueError, match=r"^--storage .*ours/out-.*: cannot be read \(.*\)$"):
        ours.check(word.replace("ours", "theirs"))
    Path(word).write_text("other")
    with pytest.raises(ValueError, match=r"another one than that of the run$"):
        ours.check(word)
    with pytest.raises(ValueError, match="no other process sees it"):
        Storage.of_run("memory://x", tmp_path)


def test_a_folder_is_the_same_one_from_wherever_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [Storage.of_run(name, tmp_path / "out").uri.rpartition("/")[0] for name in ("store", f"{tmp_path}/store")]
    assert names == [f"{tmp_path}/store"] * 2


def test_what_is_gone_or_cannot_be_reached_is_said_in_a_line(tmp_path):
    folder = unfinished(tmp_path)
    away = folder / layout.AWAY
    away.write_text(f"file://{tmp_path}/gone.pt")
    os.utime(folder / layout.TRAINING, (1, 1))
    with pytest.raises(storage.Unreachable, match=r"gone\.pt: cannot be read \("):
        storage.fetch(folder)
    assert (folder / layout.TRAINING).read_bytes() == b"weights", "what was there stays"
    (folder / layout.TRAINING).unlink()
    (folder / layout.HISTORY).unlink()
    with pytest.raises(ValueError, match=rf"^{away}: .*gone\.pt is gone; delete the file, and the cell begins again$"):
        check_resumable(folder)
    away.write_text("nope://x")
    with pytest.raises(ValueError, match=r"nope://x cannot be reached \(.*\); give this machine access$"):
        check_resumable(folder)
    (tmp_path / "file").write_text("no folder")
    for uri in ("nope://x", f"{tmp_path}/file/x"):
        with pytest.raises(ValueError, match=rf"^--storage {uri}.*: cannot be written \(.+\)$"):
            Storage.of_run(uri, tmp_path).leave()


def test_a_full_disk_is_no_fault_of_the_storage(tmp_path, monkeypatch):
    folder = unfinished(tmp_path)
    (tmp_path / "there").write_bytes(b"weights")
    (folder / layout.TRAINING).unlink()
    (folder / layout.AWAY).write_text(str(tmp_path / "there"))

    def full(source, into):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        storage.fetch(folder)


def test_runs_do_not_meet_and_a_run_finds_its_own_again(tmp_path):
    out = tmp_path / "out"
    first = Storage.of_run(f"{tmp_path}/x/", out)
    assert not out.exists(), "a run that is refused leaves nothing"
    first.claim()
    again, other = Storage.of_run(f"{tmp_path}/x", out), Storage.of_run(f"{tmp_path}/x", tmp_path / "other")
    assert again == first
    assert first.uri.startswith(f"{tmp_path}/x/out-")
    assert other.uri != first.uri
    shutil.copytree(out, tmp_path / "copy")
    assert Storage.of_run(f"{tmp_path}/x", tmp_path / "copy").uri != first.uri, "a copy is another run"
    for damaged in ("", "x\n", f"../..\n{out}\n"):
        (out / layout.STORAGE).write_text(damaged)
        assert Storage.of_run(f"{tmp_path}/x", out).uri.startswith(f"{tmp_path}/x/out-")


def test_what_others_put_beside_trainings_is_left_alone(kept, tmp_path):
    folder = unfinished(tmp_path)
    first = kept.put(folder)
    system, place = fsspec.core.url_to_fs(first.rpartition("/")[0])
    system.pipe_file(f"{place}/.nfs0001", b"open elsewhere")
    second = kept.put(folder)
    kept.prune(second)
    assert {name.rpartition("/")[2] for name in there(kept)} == {".nfs0001", second.rpartition("/")[2]}


def test_a_training_that_came_back_later_than_one_was_stored_is_the_one_to_go_on_from(kept, tmp_path):
    folder = unfinished(tmp_path, b"older")
    (folder / layout.AWAY).write_text(kept.put(folder))
    (folder / layout.TRAINING).write_bytes(b"newer")
    os.utime(folder / layout.AWAY, (1, 1))
    storage.fetch(folder)
    assert (folder / layout.TRAINING).read_bytes() == b"newer"
    assert not (folder / layout.AWAY).exists()


def test_what_whole_cells_and_earlier_runs_left_is_swept(kept, tmp_path):
    kept.leave()
    folder, gone = unfinished(tmp_path), unfinished(tmp_path, name="seed-1")
    (folder / layout.AWAY).write_text(kept.put(folder))
    kept.put(gone)
    kept.claim()
    assert [name.rpartition("/")[0] for name in there(kept)] == ["cells/digits/good/seed-0"]


def parcel_of(job, kept, most):
    return parcels.Parcel(job, None, {}, {}, {}, 0.0, most, kept)


def sent(folder, parcel):
    """What a cell that failed sends in the end."""
    return list(Checkpoints(folder, parcel).last())


def test_a_node_sends_what_is_small_and_stores_what_is_not(kept, tmp_path, monkeypatch):
    folder = unfinished(tmp_path)
    for most, name in ((10**6, layout.TRAINING), (8, layout.AWAY)):
        ((files,),) = sent(folder, parcel_of(None, kept, most))
        assert set(files) == {name.as_posix(), layout.HISTORY}
    (folder / layout.TRAINING).unlink()
    (folder / layout.AWAY).write_bytes(files[layout.AWAY.as_posix()])
    storage.fetch(folder)
    assert (folder / layout.TRAINING).read_bytes() == b"weights"
    assert sent(folder, parcel_of(None, None, 8)) == [], "without a storage it stays"
    monkeypatch.setattr(Storage, "put", lambda self, folder: 1 / 0)
    assert sent(folder, parcel_of(None, kept, 8)) == [], "a cell does not fail of its storage"
    assert "could not be stored (ZeroDivisionError" in (folder / layout.LOG).read_text()


def test_a_training_is_stored_beside_the_cells_work_and_what_is_being_written_does_not_count(tmp_path, monkeypatch):
    folder = unfinished(tmp_path)
    go = threading.Event()
    monkeypatch.setattr(Storage, "put", lambda self, folder: go.wait(20) and "there")
    sends = Checkpoints(folder, parcel_of(None, Storage("s3://b", tmp_path), 20))
    assert list(sends.due()) == [], "nothing new"
    (folder / layout.TRAINING).write_bytes(b"more weights")
    (folder / ".training.pt.9.part").write_bytes(b"half of it" * 9)
    ((files,),) = sends.due()
    assert files[layout.TRAINING.as_posix()] == b"more weights"
    sends.next = 0.0
    (folder / layout.TRAINING).write_bytes(b"more weights than may be sent")
    for _ in range(3):
        assert list(sends.due()) == [], "it is on its way"
    go.set()
    sends.upload.result(20)
    ((files,),) = sends.due()
    assert files == {layout.AWAY.as_posix(): b"there", layout.HISTORY: b"step\n"}


@pytest.mark.parametrize("stores", [True, False])
def test_a_cell_that_is_whole_meanwhile_sends_nothing_whatever_its_last_upload_came_to(tmp_path, monkeypatch, stores):
    folder = unfinished(tmp_path)
    go = threading.Event()
    monkeypatch.setattr(Storage, "put", lambda self, folder: (go.wait(20), stores or 1 / 0, "there")[2])
    sends = Checkpoints(folder, parcel_of(None, Storage("s3://b", tmp_path), 8))
    (folder / layout.TRAINING).write_bytes(b"more weights than may be sent")
    assert list(sends.due()) == []
    folder.rename(cell(tmp_path / "out", "good"))
    go.set()
    sends.upload.exception(20)
    assert list(sends.due()) == []
    assert list(sends.due()) == []


def test_a_folder_that_is_moved_while_it_is_read_is_not_sent(tmp_path, monkeypatch):
    folder = unfinished(tmp_path)
    monkeypatch.setattr("genbench.runs.ray_task.read", lambda folder, without: (folder / "gone").read_bytes())
    assert sent(folder, parcel_of(None, None, 10**6)) == []


def good(tmp_path, steps):
    """A suite of a cell that writes down which steps it takes."""
    return suite(("good", {"at": 99, "once": str(tmp_path / "good")}), steps=steps, **QUICK)


def laid_out(tmp_path, out):
    (job,) = plan(good(tmp_path, 40), out, data.load, device="cpu", fresh=False).jobs
    return job


def test_what_comes_back_is_here_or_in_the_storage_and_a_run_without_a_cluster_goes_on_from_there(kept, tmp_path):
    assert run(good(tmp_path, 40), tmp_path / "whole")[0] == 0
    assert run(good(tmp_path, 20), tmp_path / "half")[0] == 0
    job = laid_out(tmp_path, tmp_path / "out")
    assert job.how == "run"
    small = parcels.read(cell(tmp_path / "half", "good"))
    files = {name: small[name] for name in (layout.TRAINING.as_posix(), layout.HISTORY)}
    configuration = job.cell.model_dump_json(exclude={"given", "twin", "measures", "owed", "watch"})
    files[layout.CONFIGURATION] = configuration.encode()
    parcels.keep(job, files)
    uri = kept.put(job.unfinished)
    del files[layout.TRAINING.as_posix()]
    parcels.keep(job, files | {layout.AWAY.as_posix(): uri.encode()})
    assert not (job.unfinished / layout.TRAINING).exists()
    assert laid_out(tmp_path, tmp_path / "out").how == "resume"
    assert layout.AWAY.as_posix() in parcels.packed(replace(job, how="resume"))["good"]
    if kept.uri.startswith("memory"):
        return  # another process has another memory
    (tmp_path / "good.calls").unlink()
    status, said = run(good(tmp_path, 40), tmp_path / "out")
    assert (status, "resumed: good" in said) == (0, True), said
    steps = [int(word) for word in (tmp_path / "good.calls").read_text().split()]  # planning times a few, too
    assert (19 in steps, steps[-20:]) == (False, list(range(20, 40)))
    assert not list(Path(tmp_path / "out").rglob("training.uri"))
    sets = [parcels.read(cell(tmp_path / name, "good"))[layout.MODEL.as_posix()] for name in ("out", "whole")]
    assert sets[0] == sets[1]
