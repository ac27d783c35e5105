"""The page while a run is at work: written as cells end, loading itself anew, and once more in the end."""

from genbench.tables import page
from tests.records import record


def test_it_is_written_as_cells_end_and_reloads_itself_until_the_run_does(tmp_path, monkeypatch):
    folder = tmp_path / "cells" / "digits"
    steps = iter(["nothing yet", "one", "one still", "two", "over"])

    def at_work(where):
        assert where == tmp_path
        step = next(steps)
        if step in ("one", "two"):
            path = folder / step / "seed-0"
            path.mkdir(parents=True)
            record(step).write(path)
        return step != "over"

    monkeypatch.setattr(page, "held", at_work)
    monkeypatch.setattr(page, "WATCH_SECONDS", 0.01)
    texts = [path.read_text() for path in page.watched(tmp_path)]
    assert ['http-equiv="refresh"' in text for text in texts] == [True, True, False]
    assert [">two<" in text for text in texts] == [False, True, True]
