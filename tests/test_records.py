"""What lies in a run's folder, read: what is wrong is named by file and key, and the rest of the run is shown."""

import copy
import json
import random
import re
from pathlib import Path

import pytest

from genbench.records import log
from genbench.records.record import Record, records
from genbench.tables import page, rows
from tests.records import anchor, everything, record, run


def changed(value, path, new):
    """A copy of ``value`` with something else at ``path``."""
    value = copy.deepcopy(value)
    at = value
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = new
    return value


def rewrite(path, *place, new):
    path.write_text(json.dumps(changed(json.loads(path.read_text()), place, new)))


@pytest.mark.parametrize(
    ("place", "new", "said"),
    [
        (("quality", "fid"), "far", "quality.fid = 'far': Input should be a valid number"),
        (("test", "per_image", 1), None, "test.per_image.1 = None: "),
        (("seed",), [0], "seed = [0]: Input should be a valid integer"),
        (("fids",), 3, "fids = 3: Extra inputs are not permitted"),
        (("stamp", "data", "levels"), "17", "stamp.data.levels = '17': Input should be a valid integer"),
        (("stamp", "data", "levels"), -1, "stamp.data.levels = -1: Input should be greater than 0"),
        (("stamp", "budget"), 60, "stamp.budget = 60: "),
        (("stamp", "trained"), {"versions": "2"}, "stamp.trained.versions = '2': "),
        (("stamp", "left_out"), [1], "stamp.left_out.0 = 1: Input should be a valid string"),
    ],
)
def test_a_wrong_type_anywhere_names_file_and_key(tmp_path, place, new, said):
    path = record().write(tmp_path)
    rewrite(path, *place, new=new)
    with pytest.raises(ValueError, match=r"^record ") as error:
        Record.read(tmp_path)
    assert str(error.value).startswith(f"record {path}: {said}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 9999, b'{"seed": ' + b"9" * 5000 + b"}"])
def test_a_file_that_holds_no_record_is_named(tmp_path, content):
    (tmp_path / "record.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"^record .*record\.json: ") as error:
        Record.read(tmp_path)
    assert len(str(error.value)) < 600
    assert "\n" not in str(error.value)


def test_a_stamp_is_kept_as_it_is():
    stamp = {"z": 1, "data": {"shape": (1, 8, 8), "levels": 17}, "budget": {"steps": 3}, "a": {"anything": [None]}}
    assert list(record(stamp=stamp).stamp.items())[-2:] == [("z", 1), ("a", {"anything": [None]})]
    assert record(stamp=stamp).stamp["budget"]["steps"] == 3
    assert isinstance(record(stamp=stamp).stamp["budget"]["steps"], int)


def test_records_that_are_published_can_be_read():
    published = sorted(Path(__file__).parents[1].glob("results/**/record.json"))
    assert all(Record.read(path.parent).dataset for path in published)
    assert len(published) > 20


@pytest.fixture
def folder(tmp_path):
    return run(tmp_path / "run", [record("a", seed=0), record("a", seed=1), record("b"), anchor("noise")])


def test_one_bad_record_is_a_note_and_the_others_are_shown(folder):
    bad = folder / "cells" / "mnist5k" / "a" / "seed-1" / "record.json"
    rewrite(bad, "quality", "fid", new="far")
    note = f"Left out: record {bad}: quality.fid = 'far': Input should be a valid number"
    found = records(folder)
    assert [(cell.record.label, cell.folder.name) for cell in found.cells] == [
        ("a", "seed-0"),
        ("b", "seed-0"),
        ("noise", "seed-0"),
    ]
    assert [cell.record for cell in found.cells] == found
    table = json.loads(rows.render(found, "json"))
    assert [row["label"] for row in table] == ["a", "b", "noise"]
    assert all(any(said.startswith(note) for said in row["notes"]) for row in table)
    shown = everything(folder)
    assert shown.count("quality.fid = 'far'") == 1
    assert "quality.fid = &#39;far&#39;" in page.write(folder).read_text()


def test_a_run_without_one_record_that_can_be_read_is_refused_by_the_first(folder):
    for path in folder.rglob("record.json"):
        path.write_text("{")
    with pytest.raises(ValueError, match=r"^record .*a/seed-0/record\.json: Invalid JSON"):
        records(folder)


def test_copies_beside_cells_are_left_out_and_named(folder):
    cell = folder / "cells" / "mnist5k" / "a" / "seed-0"
    noise = folder / "cells" / "mnist5k" / "noise" / "seed-0"
    for name in ("seed-0.bak", "seed-0 (copy)", "old", "seed-7", "seed-3.part", ".seed-0.old"):
        Record.read(cell).write(cell.with_name(name))
    Record.read(noise).write(noise.with_name("seed-0.bak"))
    found = records(folder)
    assert [cell.folder.name for cell in found.cells] == ["seed-0", "seed-1", "seed-0", "seed-0"]
    beside = [
        f"Left out: {path}, no cell: these are called seed-N."
        for path in sorted(
            [*(cell.with_name(name) for name in ("old", "seed-0 (copy)", "seed-0.bak")), noise.with_name("seed-0.bak")]
        )
    ]
    assert found.notes == [
        f"Left out: record {cell.with_name('seed-7')}/record.json: of seed 0, which another folder's name says.",
        *beside,
    ]
    assert "seed-0.bak, no cell" in everything(folder).replace("\\", "")


def test_a_run_of_nothing_but_copies_is_refused_by_the_first(tmp_path):
    cell = tmp_path / "cells" / "mnist5k" / "a" / "seed-0.bak"
    record("a").write(cell)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(cell))}, no cell: these are called seed-N"):
        records(tmp_path)


ODD = (None, True, -1, 1.5, "x", "NaN", [], {}, [None], {"a": 1}, 10**30, 10**400, "1" * 5000)


def places(value, path=()):
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for name, item in items:
        yield from places(item, (*path, name))


def test_whatever_stands_in_a_record_it_is_shown_or_refused_in_a_line():
    """A few hundred of the mutations of which many thousands were tried."""
    noise = random.Random(0)
    whole = json.loads(record(stamp={"trained": {"threads": 2}, "left_out": ["speed"]}).model_dump_json())
    everywhere = list(places(whole))
    assert len(everywhere) > 80
    refused = 0
    for path in noise.sample([(place, new) for place in everywhere for new in ODD], 150):
        text = json.dumps(changed(whole, *path))
        try:
            odd = Record.model_validate_json(text)
        except ValueError:
            refused += 1
            continue
        rows.render([odd, record("b", seed=1)], noise.choice(["md", "json"]))
    assert 50 < refused < 130


def test_a_log_of_runs_that_is_none_is_put_aside_and_a_new_one_begun(tmp_path):
    entry = log.Entry(
        seconds=1.0, start_up=0.5, cells=(log.CellEntry(folders=("a",), how="run", status="done", seconds=1),)
    )
    assert log.add(tmp_path, entry) is None
    assert log.add(tmp_path, entry) is None
    assert log.read(tmp_path) == (entry, entry)
    rewrite(tmp_path / "runs.json", 1, "cells", 0, "seconds", new="long")
    with pytest.raises(ValueError, match=r"runs\.json: 1\.cells\.0\.seconds = 'long': "):
        log.read(tmp_path)
    said = log.add(tmp_path, entry)
    assert said.startswith(f"{tmp_path / 'runs.json'}: 1.cells.0.seconds = 'long': ")
    assert f"it is {tmp_path / 'runs.json.unreadable'} now" in said
    assert log.read(tmp_path) == (entry,)
    assert len(json.loads((tmp_path / "runs.json.unreadable").read_text())) == 2
