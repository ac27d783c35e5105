import inspect

import pytest

import genbench
from genbench import DataSpec, catalog

FAMILIES = {"autoregressive", "autoencoder", "flow", "gan", "translation"}


@pytest.mark.parametrize("name", list(catalog.recipes()))
def test_every_entry_leads_to_a_recipe_whose_docstring_cites_its_paper(name):
    entry = catalog.recipe(name)
    assert entry.family in FAMILIES
    assert entry.target.startswith(f"families.{entry.family}.")
    assert entry.paper in (entry.function().__doc__ or "")
    assert all(default is not inspect.Parameter.empty for default in entry.options().values())


def test_unknown_names_get_the_nearest():
    with pytest.raises(ValueError, match="unknown recipe 'pixelcn': did you mean pixelcnn"):
        genbench.build("pixelcn", DataSpec((1, 8, 8)))
    with pytest.raises(ValueError, match="recipe 'vae' has no option 'widht': did you mean width"):
        genbench.build("vae", DataSpec((1, 8, 8)), widht=3)


def test_a_recipe_refuses_data_without_what_it_is_given():
    with pytest.raises(ValueError, match="'cgan' needs a label"):
        genbench.build("cgan", DataSpec((1, 8, 8)))
    with pytest.raises(ValueError, match="'pix2pix' needs a source"):
        genbench.build("pix2pix", DataSpec((1, 8, 8)))


class Point:
    def __init__(self, value, facts):
        self.value, self.facts = value, facts

    def load(self):
        return {"x": self.facts}


FACTS = {"target": "a:b", "family": "f", "title": "t", "paper": "p", "year": 2020, "likelihood": "exact"}


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([Point("m", {**FACTS, "colour": 1})], r"recipe 'x' of m: missing or unknown facts \['colour'\]"),
        ([Point("m", {"target": "a:b"})], "missing or unknown facts"),
        ([Point("m", FACTS), Point("n", {**FACTS, "target": "c:d"})], "declared twice: a:b and c:d"),
    ],
)
def test_bad_declarations_are_refused(points, message, monkeypatch):
    monkeypatch.setattr(catalog, "entry_points", lambda group: points)
    with pytest.raises(ValueError, match=message):
        catalog.recipes.__wrapped__()
