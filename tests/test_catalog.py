import inspect
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import genbench
from genbench import DataSpec, Field, catalog

FIELDS = {"caption", "domain", "shadow", "landmarks", "identity"}
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
    with pytest.raises(ValueError, match=r"recipe 'vae' has no option 'widht': did you mean width.*describe vae lists"):
        genbench.build("vae", DataSpec((1, 8, 8)), widht=3)


def test_a_recipe_refuses_data_without_what_it_is_given():
    with pytest.raises(ValueError, match="'cgan' needs a label"):
        genbench.build("cgan", DataSpec((1, 8, 8)))
    with pytest.raises(ValueError, match="'pix2pix' needs a source"):
        genbench.build("pix2pix", DataSpec((1, 8, 8)))


LABELLED = DataSpec((1, 8, 8), classes=4, labelled=12)


@pytest.mark.parametrize(
    ("name", "spec", "message"),
    [
        ("aae-semi-supervised", DataSpec((1, 8, 8)), "classes=0, and it needs labels; choose a data set"),
        ("aae-semi-supervised", DataSpec((1, 8, 8), classes=4), "labelled=None, .* --labelled 100"),
        (
            "pix2pix",
            DataSpec((1, 8, 8), source=(1, 8, 8), paired=False),
            "paired=False, and it needs pairs .* unpaired:",
        ),
    ],
)
def test_a_recipe_refuses_data_that_lack_what_it_needs_and_says_what_would_do(name, spec, message):
    with pytest.raises(ValueError, match=f"recipe '{name}': {message}") as caught:
        genbench.build(name, spec)
    assert "\n" not in str(caught.value)


SOURCED = DataSpec((1, 8, 8), source=(1, 8, 8))


@pytest.mark.parametrize(
    ("need", "with_it", "without"),
    [
        ("label", LABELLED, SOURCED),
        ("labelled", LABELLED, replace(LABELLED, labelled=None)),
        ("source", SOURCED, LABELLED),
        ("pairs", SOURCED, replace(SOURCED, paired=False)),
        ("pairs", SOURCED, LABELLED),
        ("unpaired", replace(SOURCED, paired=False), SOURCED),
        ("unpaired", replace(SOURCED, paired=False), DataSpec((1, 8, 8), paired=False)),
        *((name, replace(SOURCED, fields={name: Field((), 4)}), SOURCED) for name in catalog.NEEDS if name in FIELDS),
    ],
)
def test_each_need_is_met_by_data_that_have_it_alone(need, with_it, without):
    assert catalog.NEEDS[need].lacking(with_it) == ""
    lacking = catalog.NEEDS[need].lacking(without)
    asked = catalog.NEEDS[need]
    if asked.first is not None and without.source is None:  # nothing is paired, or not, without sources
        asked = asked.first
        assert lacking.startswith("source=None, and it needs")
    assert lacking.startswith(f"{asked.argument}=")
    assert lacking.endswith(asked.remedy)


def test_pairs_that_data_without_sources_lack_are_said_to_come_of_sources():
    said = catalog.NEEDS["pairs"].lacking(LABELLED)
    assert said == "source=None, and it needs pairs of source and image; say edges: in front of the data set's name"
    said = catalog.NEEDS["unpaired"].lacking(DataSpec((1, 8, 8)))
    assert said.startswith("source=None, and it needs sources and images that are not paired; say unpaired:edges: in")


def test_needs_are_those_that_the_page_of_adding_a_family_lists():
    page = (Path(__file__).parents[1] / "docs" / "adding-a-family.md").read_text()
    assert all(f"`{need}`" in page for need in catalog.NEEDS)


class Point:
    def __init__(self, value, facts, package=None):
        self.value, self.facts = value, facts
        self.dist = package and SimpleNamespace(name=package)

    def load(self):
        return {"x": self.facts}


FACTS = {"target": "a:b", "family": "f", "title": "t", "paper": "p", "year": 2020, "likelihood": "exact"}


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([Point("m", {**FACTS, "colour": 1})], r"recipe 'x' of m: missing or unknown facts \['colour'\]"),
        ([Point("m", {**FACTS, "package": "genbench"})], r"missing or unknown facts \['package'\]"),
        ([Point("m", {"target": "a:b"})], "missing or unknown facts"),
        ([Point("m", {**FACTS, "needs": ("captions",)})], r"recipe 'x' of m needs 'captions': did you mean caption"),
        ([Point("m", FACTS), Point("n", {**FACTS, "target": "c:d"})], "declared twice: a:b and c:d"),
    ],
)
def test_bad_declarations_are_refused(points, message, monkeypatch):
    monkeypatch.setattr(catalog, "entry_points", lambda group: points)
    with pytest.raises(ValueError, match=message):
        catalog.recipes.__wrapped__()


def test_a_recipe_knows_the_package_that_declares_it_first_and_ours_come_before_others(monkeypatch):
    assert all(entry.own for entry in catalog.recipes().values())
    assert catalog.own_names() == set(catalog.recipes())
    ours, theirs = Point("z", FACTS, "genbench"), Point("a", {**FACTS, "title": "better"}, "theirs")
    for points, title, own in (
        ([theirs, ours], "t", True),
        ([theirs], "better", False),
        ([Point("a", FACTS)], "t", False),
    ):
        monkeypatch.setattr(catalog, "entry_points", lambda group, points=points: points)
        entry = catalog.recipes.__wrapped__()["x"]
        assert (entry.title, entry.own) == (title, own)
        assert catalog.own_names.__wrapped__() == ({"x"} if own else set())
