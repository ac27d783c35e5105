"""Pictures of a run's folder, which anybody may have put there, on their way to a page."""

import pytest
from PIL import Image

from genbench.plots.sheet import draw_sheet
from genbench.tables.panels import embedded


@pytest.mark.parametrize("fmt", ["EPS", "GIF", "JPEG"])
def test_a_picture_of_another_format_than_its_name_says_is_refused_by_its_path(tmp_path, monkeypatch, fmt):
    monkeypatch.setattr("subprocess.Popen", lambda *a, **k: pytest.fail("a program was started"))
    path = tmp_path / "samples.png"
    Image.new("L", (8, 8)).save(path, format=fmt)
    with pytest.raises(ValueError, match=r"samples\.png: cannot be read as an image \(none of PNG\)"):
        embedded(path)
    with pytest.raises(ValueError, match=r"samples\.png: cannot be read as an image \(none of PNG\)"):
        draw_sheet([("a", path)], tmp_path / "sheet.png")
