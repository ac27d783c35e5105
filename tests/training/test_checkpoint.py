import json
import pickle
import re

import pytest
import torch
from safetensors.torch import save_file

import genbench
from genbench import Budget, DataSpec, FitConfig, catalog, interface
from genbench.training import checkpoint
from tests.contract import toys


class Code:
    def __reduce__(self):
        import pathlib

        return (pathlib.Path.touch, (pathlib.Path(self.path),))


@pytest.fixture
def toy_recipe(monkeypatch):
    monkeypatch.setattr(toys, "recipe", lambda spec, *, gain=1.0: toys.Finished(), raising=False)
    entries = {
        name: catalog.Recipe(name, "tests.contract.toys:recipe", "toy", "Toy", "0000.00000", 2020, "estimate")
        for name in ("toy", "other")
    }
    monkeypatch.setattr(catalog, "recipes", lambda: entries)


def test_a_loaded_model_is_the_saved_one(toy_recipe, tmp_path):
    model = genbench.build("toy", toys.PLAIN, seed=4, gain=2.0)
    model.fit(toys.data(), FitConfig(Budget(steps=3), 5))
    genbench.save(tmp_path / "m.safetensors", model)
    again = genbench.load(tmp_path / "m.safetensors")
    assert again.origin == model.origin
    assert again.origin.options == {"gain": 2.0}
    assert again.sigma == model.sigma != 0
    draw = [m.sample(5, generator=torch.Generator().manual_seed(2)) for m in (model, again)]
    assert torch.equal(*draw)
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_the_same_seed_builds_the_same_weights(toy_recipe):
    a, b, c = (genbench.build("toy", toys.PLAIN, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(a.net.weight, b.net.weight)
    assert not torch.equal(a.net.weight, c.net.weight)


def test_origin_survives_json():
    spec = DataSpec((3, 8, 8), 17, 10, source=(1, 8, 8), fields={"caption": genbench.Field((5,), 7)})
    origin = interface.Origin("x", spec, 3, {"width": 8, "name": "a"})
    assert interface.Origin.from_json(origin.to_json()) == origin


@pytest.mark.parametrize("read", ["model", "training"])
@pytest.mark.parametrize("content", ["missing", "empty", "noise", "pickle", "cut"])
def test_a_file_that_is_not_ours_is_refused_and_runs_no_code(read, content, toy_recipe, tmp_path):
    path, touched = tmp_path / "file", tmp_path / "touched"
    model = genbench.build("toy", toys.PLAIN)
    config = FitConfig(Budget(steps=2), 5, checkpoint=path)
    if content == "cut":
        if read == "model":
            genbench.save(path, model)
        else:
            model.fit(toys.data(), config)
        path.write_bytes(path.read_bytes()[:-100])
    elif content == "pickle":
        code = Code()
        code.path = str(touched)
        path.write_bytes(pickle.dumps(code))
        torch.save(code, path)
    elif content != "missing":
        path.write_bytes(b"" if content == "empty" else b"\x80\x02not a checkpoint" * 9)
    with pytest.raises(ValueError, match=r"^checkpoint .*file: not a (genbench model|training of genbench)"):
        genbench.load(path) if read == "model" else model.fit(toys.data(), config, resume=path)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("place", "new", "said"),
    [
        (("recipe",), 3, "recipe = 3: Input should be a valid string"),
        (("spec", "shape"), [1, 8], "key spec.shape.2 is missing"),
        (("spec", "levels"), "many", "spec.levels = 'many': "),
        (("seed",), None, "seed = None: "),
        (("options",), [], "options = []: "),
        ((), None, "its header has no 'genbench'"),
    ],
)
def test_a_models_header_of_other_types_is_named_by_key(toy_recipe, tmp_path, place, new, said):
    header = json.loads(genbench.build("toy", toys.PLAIN).origin.to_json())
    at = header
    for name in place[:-1]:
        at = at[name]
    at |= dict.fromkeys(place[-1:], new)
    save_file({"w": torch.ones(1)}, tmp_path / "m", metadata={"genbench": json.dumps(header)} if place else {"x": "y"})
    with pytest.raises(ValueError, match=rf"^checkpoint .*m: not a genbench model \({re.escape(said)}"):
        genbench.load(tmp_path / "m")


def test_options_that_build_nothing_are_one_line(toy_recipe, tmp_path, monkeypatch):
    genbench.save(tmp_path / "m", genbench.build("toy", toys.PLAIN))
    monkeypatch.setattr(toys, "recipe", lambda spec: [] + 1)
    with pytest.raises(ValueError, match=r"^checkpoint .*m: cannot be built \(TypeError: "):
        genbench.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": {"steps": "x"}}, "state.steps = 'x': "),
        ({"noise": 3}, "noise = 3: "),
        ({"optimizers": [[]]}, "optimizers.0 = []: "),
        ({"more": 1}, "more = 1: Extra inputs"),
        (None, "key noise is missing"),
        ({"noise": torch.ones(3)}, "random states of another kind"),
    ],
)
def test_a_training_of_other_types_is_named_by_key(toy_recipe, tmp_path, change, said):
    path = tmp_path / "training.pt"
    config = FitConfig(Budget(steps=2), 5, checkpoint=path)
    genbench.build("toy", toys.PLAIN).fit(toys.data(), config)
    torch.save({} if change is None else torch.load(path, weights_only=True) | change, path)
    with pytest.raises(ValueError, match=rf"^checkpoint .*training\.pt: .*{re.escape(said)}") as error:
        genbench.build("toy", toys.PLAIN).fit(toys.data(), config, resume=path)
    assert "\n" not in str(error.value)


def test_a_training_of_another_recipe_or_configuration_is_refused(toy_recipe, tmp_path):
    path = tmp_path / "training.pt"
    config = FitConfig(Budget(steps=2), 5, checkpoint=path)
    genbench.build("toy", toys.PLAIN).fit(toys.data(), config)
    with pytest.raises(ValueError, match=r'is of .*"toy".*, not of .*"other"'):
        genbench.build("other", toys.PLAIN).fit(toys.data(), config, resume=path)
    for other in (FitConfig(Budget(steps=1), 5), FitConfig(Budget(images=99), 5), FitConfig(Budget(steps=3), 4)):
        with pytest.raises(ValueError, match=r"was trained under .*'steps': 2.*not under .*"):
            genbench.build("toy", toys.PLAIN).fit(toys.data(), other, resume=path)


def test_a_model_of_another_version_is_refused(toy_recipe, tmp_path, monkeypatch):
    genbench.save(tmp_path / "m", genbench.build("toy", toys.PLAIN))
    monkeypatch.setattr(toys, "recipe", lambda spec: toys.Pool())
    with pytest.raises(ValueError, match="not of this version's 'toy'"):
        genbench.load(tmp_path / "m")


def test_a_training_of_another_version_s_networks_is_refused(toy_recipe, tmp_path, monkeypatch):
    config = FitConfig(Budget(steps=2), 5, checkpoint=tmp_path / "training.pt")
    genbench.build("toy", toys.PLAIN).fit(toys.data(), config)
    monkeypatch.setattr(toys, "recipe", lambda spec: toys.Pool())
    with pytest.raises(ValueError, match=r"of another version's networks.*begin afresh"):
        genbench.build("toy", toys.PLAIN).fit(toys.data(), config, resume=config.checkpoint)


def test_a_model_that_nobody_could_load_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="Toy was not made by"):
        genbench.save(tmp_path / "m", toys.Toy())
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(toy_recipe, tmp_path, monkeypatch):
    path = tmp_path / "m"
    model = genbench.build("toy", toys.PLAIN)
    genbench.save(path, model)
    old = path.read_bytes()

    def full(tensors, part, metadata):
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        genbench.save(path, model)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
