"""The data of a finished cell are found wherever its command is typed."""

import shutil

import numpy as np
import pytest
from PIL import Image

from genbench.records.record import Record
from genbench.runs import inference
from genbench.runs.reproduce import reproduce
from tests.toys import console, installed, run, suite


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("site")) as site:
        yield site


def test_data_of_a_relative_path_are_found_from_the_folders_above_the_run(tmp_path, monkeypatch):
    noise = np.random.default_rng(0)
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for place in (project, elsewhere):  # other images of the same name do not pass for these
        (place / "photos").mkdir(parents=True)
        for number in range(80):
            Image.fromarray(noise.integers(0, 256, (8, 8), np.uint8)).save(place / "photos" / f"{number}.png")
    monkeypatch.chdir(project)
    out = project / "results" / "mine"
    row = {"recipe": "toy", "label": "good"}
    asked = {"dataset": "folder:photos", "anchors": False, "measures": ("nll",), "extractor": "efficientnet-lite0"}
    assert run(suite(row=[row], **asked), out)[0] == 0
    (folder,) = out.glob("cells/*/good/seed-0")
    monkeypatch.chdir(elsewhere)
    found, _ = reproduce(folder, tmp_path / "again", console())
    assert found.equal
    assert inference.data_of(folder, 1, None).hashes == Record.read(folder).stamp["configuration"]["data"]
    shutil.rmtree(project / "photos")
    with pytest.raises(ValueError, match=r"folder:photos: not the images that .* was trained on"):
        reproduce(folder, tmp_path / "other", console())
    shutil.rmtree(elsewhere / "photos")
    with pytest.raises(ValueError, match=r"photos"):
        reproduce(folder, tmp_path / "none", console())
