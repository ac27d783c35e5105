"""What a run refuses, and says, before any cell of it trains."""

from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from genbench import data
from genbench.runs import preflight, runner
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


def test_its_first_line_says_that_the_machine_is_busy_where_it_is():
    job = SimpleNamespace(todo=True, trains=False, how="run", title="vae on digits")
    laid, suite = SimpleNamespace(jobs=[job], seconds=60.0), SimpleNamespace(title="A suite")
    for busy, first in ((1.0, "this machine is busy: others take 1.0 of"), (0.0, "A suite")):
        said = StringIO()
        runner._announce(laid, suite, Console(file=said, width=200), busy, SimpleNamespace(at_once=1, threads=None))
        assert said.getvalue().startswith(first)
        assert "1 cell to do" in said.getvalue()
