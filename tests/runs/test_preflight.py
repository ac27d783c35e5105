"""What a run refuses before any cell of it trains."""

import pytest

from genbench import data
from genbench.runs import preflight
from genbench.runs.suite import Suite, SuiteRow


def test_a_recipe_without_the_weights_of_its_other_network_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("GENBENCH_CACHE", str(tmp_path / "cache"))
    name = "lowres4:mnist5k"
    enlarged = {name: data.load(name)}

    def suite(network):
        row = SuiteRow(recipe="srgan", dataset=name, options={"width": 2, "perceptual": network})
        return Suite(title="", dataset=name, budget={"steps": 1}, row=[row])

    with pytest.raises(ValueError, match=r"row 'srgan' on lowres4:mnist5k: vgg19 has no weights: put torchvision's"):
        preflight.built_models(suite("vgg19"), enlarged, "cpu")
    assert len(preflight.built_models(suite("classifier"), enlarged, "cpu")) == 1
