import pytest


@pytest.fixture(autouse=True)
def _no_data_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("GENBENCH_DATA", str(tmp_path / "nothing"))
