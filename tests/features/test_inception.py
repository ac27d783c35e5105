import pytest
import torch
from torch_fidelity import feature_extractor_inceptionv3 as theirs

from genbench.features import extractor
from genbench.pretrained import INCEPTION_FILE as FILE
from genbench.pretrained import INCEPTION_VARIABLE as VARIABLE


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file with the network's shapes and random values: the true one is not in any package."""
    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "empty.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = theirs.FeatureExtractorInceptionV3("x", ["2048"], folder / "empty.pth")
    torch.save(network.state_dict(), folder / FILE)
    return folder / FILE


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch, cache):
    """No weights in the user's own places, and no way to the network."""

    def download(*_, **__):
        raise AssertionError("tried to download")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(theirs, "load_state_dict_from_url", download)


def test_features_are_torch_fidelitys_own(weights):
    images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    seen = extractor("inception-v3", weights=weights).features(images, 256)
    network = theirs.FeatureExtractorInceptionV3("x", ["2048", "logits_unbiased"], str(weights))
    features, logits = network(images)
    assert torch.allclose(seen.features, features, rtol=1e-5, atol=1e-6)
    assert torch.allclose(seen.logits, logits, rtol=1e-5, atol=1e-6)


def test_weights_are_found_in_every_place_named(weights, tmp_path, cache, monkeypatch):
    hashes = {extractor("inception-v3", weights=weights).hash}
    for place in (cache / FILE, tmp_path / "torch" / "hub" / "checkpoints" / FILE):
        place.parent.mkdir(parents=True)
        place.symlink_to(weights)
        hashes.add(extractor("inception-v3").hash)
        place.unlink()
    monkeypatch.setenv(VARIABLE, str(weights))
    hashes.add(extractor("inception-v3").hash)
    assert len(hashes) == 1


def test_without_weights_one_line_says_what_to_pass_and_where_it_looked(tmp_path, cache):
    with pytest.raises(ValueError, match="weights=PATH") as error:
        extractor("inception-v3")
    words = str(error.value)
    assert "\n" not in words
    for part in (VARIABLE, FILE, str(cache), str(tmp_path / "torch"), "efficientnet-lite0"):
        assert part in words


def test_a_named_file_that_is_missing_is_never_replaced_by_another(weights, cache, monkeypatch):
    cache.mkdir()
    (cache / FILE).symlink_to(weights)
    with pytest.raises(ValueError, match=r"elsewhere\.pth"):
        extractor("inception-v3", weights=cache / "elsewhere.pth")
    monkeypatch.setenv(VARIABLE, "elsewhere.pth")
    with pytest.raises(ValueError, match=r"elsewhere\.pth"):
        extractor("inception-v3")


def test_another_programs_weights_are_refused_and_run_no_code(tmp_path, trap):
    torch.save(trap(tmp_path / "ran"), tmp_path / "trap.pth")
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pth")
    for name in ("trap.pth", "other.pth"):
        with pytest.raises(ValueError, match=name) as error:
            extractor("inception-v3", weights=tmp_path / name)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()
