import json
import sys

import pytest

from genbench.tables import rows as table
from tests.commands import refused, script
from tests.records import anchor, quick, record, run


@pytest.fixture
def genbench_(monkeypatch, capsys):
    return script(monkeypatch, capsys)


def test_parquet_holds_every_key_and_value_of_the_rows(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    table.save(tmp_path / "t.parquet", quick())
    read = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    rows = table.rows(quick())
    assert len(read) == len(rows)
    for got, row in zip(read, rows, strict=True):
        assert list(got) == list(row)
        for key, value in row.items():
            assert (json.loads(got[key]) if isinstance(value, dict) else got[key]) == value, key


def test_a_key_has_one_type_whichever_rows_there_are(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    schemas = []
    for name, records in (("a", quick()), ("b", [record("a"), record("a", seed=1)]), ("c", [anchor("noise")])):
        table.save(tmp_path / f"{name}.parquet", records)
        schemas.append(parquet.read_schema(tmp_path / f"{name}.parquet"))
    assert schemas[0] == schemas[1] == schemas[2]


def test_the_command_writes_what_the_files_name_says(genbench_, tmp_path):
    folder = run(tmp_path / "run", [record("a")])
    for end, start in (("csv", b"dataset,"), ("tex", b"% needs"), ("json", b"["), ("parquet", b"PAR1")):
        if end == "parquet":
            pytest.importorskip("pyarrow", reason="pyarrow is not installed")
        status, out, _ = genbench_("table", folder, "-o", tmp_path / f"t.{end}")
        assert (status, out) == (0, f"{tmp_path / f't.{end}'}\n")
        assert (tmp_path / f"t.{end}").read_bytes().startswith(start)


def test_parquet_is_refused_in_one_line_without_a_file_and_without_pyarrow(genbench_, tmp_path, monkeypatch):
    folder = run(tmp_path / "run", [record("a")])
    assert "give -o FILE" in refused(genbench_("table", folder, "--format", "parquet"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'genbench[parquet]'" in refused(genbench_("table", folder, "-o", tmp_path / "t.parquet"))
    assert "xls" in refused(genbench_("table", folder, "-o", tmp_path / "t.xls"))
    assert not list(tmp_path.glob("t.*"))
