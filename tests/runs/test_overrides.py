import pytest

from genbench.data import DOMAINS, PATHS
from genbench.data.variants import VARIANTS
from genbench.runs import overrides
from genbench.runs.overrides import Overrides, literal, measured_groups, overridden, picked
from genbench.runs.suite import parse
from genbench.spec import DataSpec

TEXT = """
title = "Two"
dataset = "digits"
budget = { steps = 3 }
[[row]]
recipe = "vae"
[[row]]
recipe = "pix2pix"
dataset = "edges:digits"
label = "pix2pix (no dropout)"
options = { dropout = 0.0 }
"""


def two(**changes):
    return overridden(parse(TEXT, "two"), Overrides(**changes))


def test_a_data_set_replaces_the_suites_behind_prefixes_too():
    assert two(dataset="mnist5k").datasets == ["mnist5k", "edges:mnist5k"]


def test_prefixes_that_compose_stay_in_front_of_another_data_set():
    composed = TEXT.replace("edges:digits", "unpaired:edges:without-3:digits")
    suite = overridden(parse(composed, "two"), Overrides(dataset="mnist5k"))
    assert suite.datasets == ["mnist5k", "unpaired:edges:without-3:mnist5k"]
    varied = TEXT.replace('"edges:digits"', '"unpaired:edges:digits"').replace('"digits"', '"edges:digits"', 1)
    suite = overridden(parse(varied, "two"), Overrides(dataset="negative:mnist5k"))
    assert suite.datasets == ["negative:mnist5k", "unpaired:negative:mnist5k"]


@pytest.mark.parametrize(
    ("row", "dataset", "there"),
    [
        ("edges:digits", "unpaired:edges:mnist5k", "unpaired:edges:mnist5k"),
        ("edges:digits", "negative:mnist5k", "negative:mnist5k"),
        ("unpaired:edges:digits", "negative:mnist5k", "unpaired:negative:mnist5k"),
        ("unpaired:edges:digits", "unpaired:edges:mnist5k", "unpaired:edges:mnist5k"),
        ("edges:binarized:digits", "binarized:mnist5k", "edges:binarized:mnist5k"),
        ("edges:digits", "without-3:mnist5k", "edges:without-3:mnist5k"),
        ("without-8:digits", "without-0:mnist5k", "without-0:mnist5k"),
        ("unpaired:edges:without-8:digits", "without-0:mnist5k", "unpaired:edges:without-0:mnist5k"),
        ("edges:digits", "npz:negative:/x.npz", "edges:npz:negative:/x.npz"),
        ("edges:digits", "pairs:/x", "pairs:/x"),
        ("unpaired:edges:digits", "pairs:/x", "unpaired:pairs:/x"),
        ("edges:digits", "lowres2:mnist5k", "lowres2:mnist5k"),
        ("lowres4:digits", "lowres2:mnist5k", "lowres2:mnist5k"),
        ("unpaired:lowres2:digits", "edges:mnist5k", "unpaired:edges:mnist5k"),
        ("unpaired:edges:digits", "colours:mnist5k", "colours:mnist5k"),
        ("unpaired:edges:digits", "domains:simulated+mnist5k", "domains:simulated+mnist5k"),
    ],
)
def test_what_a_data_set_says_itself_no_row_says_again(row, dataset, there):
    suite = overridden(parse(TEXT.replace("edges:digits", row), "two"), Overrides(dataset=dataset))
    assert [row.dataset for row in suite.row] == [dataset, there]


def test_prefixes_that_make_sources_are_those_of_the_table():
    def made(variant):
        try:
            return variant.spec(DataSpec((1, 8, 8), classes=3), 2)
        except ValueError:  # it needs sources
            return DataSpec((1, 8, 8))

    specs = {variant.prefix.removesuffix("K"): made(variant) for variant in VARIANTS}
    sourced = {prefix for prefix, spec in specs.items() if spec.source is not None}
    assert sourced | {DOMAINS, "pairs"} == set(overrides.MAKE_SOURCES)
    assert {prefix for prefix in sourced if not specs[prefix].paired} | {DOMAINS} == set(overrides.UNPAIRED)
    assert set(PATHS) == set(overrides.PATHS)


def test_budget_and_seeds_are_replaced():
    suite = two(budget={"images": 64}, seeds=[3, 4])
    assert suite.budget.given == {"images": 64}
    assert suite.seeds == (3, 4)
    with pytest.raises(ValueError, match=r"budget\.seconds = -1"):
        two(budget={"seconds": -1.0})


def test_devices_are_the_suites_unless_asked_for():
    assert (two().devices, two(devices=2).devices) == (1, 2)
    with pytest.raises(ValueError, match=r"devices = 0"):
        two(devices=0)


def test_recipes_choose_rows_by_name_or_label_and_add_what_the_suite_lacks():
    assert [row.label for row in two(recipes=["pix2pix"]).row] == ["pix2pix (no dropout)"]
    assert [row.label for row in two(recipes=["pix2pix (no dropout)", "pix2pix"]).row] == ["pix2pix (no dropout)"]
    assert [(row.recipe, row.dataset) for row in two(recipes=["gan"]).row] == [("gan", "digits")]
    with pytest.raises(ValueError, match=r"unknown recipe 'gann': did you mean"):
        two(recipes=["gann"])


def test_options_are_set_where_rows_have_them():
    suite = two(options=["latents=7", "width = 8"])
    assert [row.options for row in suite.row] == [{"latents": 7, "width": 8}, {"dropout": 0.0, "width": 8}]
    with pytest.raises(ValueError, match=r"none of vae, pix2pix has option 'latent': did you mean latents"):
        two(options=["latent=7"])
    with pytest.raises(ValueError, match="write option=value"):
        two(options=["latents"])


def labelled(*rows):
    """A suite of rows ``(recipe, label, dataset)``."""
    lines = ['title = "t"', 'dataset = "digits"', "budget = { steps = 3 }"]
    for recipe, label, dataset in rows:
        lines += ["[[row]]", f'recipe = "{recipe}"', f'label = "{label}"', f'dataset = "{dataset}"']
    return parse("\n".join(lines), "mine")


def test_a_label_wins_over_a_recipe_of_that_name_and_a_row_on_a_data_set_over_both():
    suite = labelled(
        ("vae", "big", "digits"), ("gan", "vae", "digits"), ("vae", "vae", "binarized:digits"), ("gan", "c", "digits")
    )
    names = {name: [(row.recipe, row.label, row.dataset) for row in picked(suite, [name])] for name in ("vae", "gan")}
    assert names["vae"] == [("gan", "vae", "digits"), ("vae", "vae", "binarized:digits")]
    assert names["gan"] == [("gan", "vae", "digits"), ("gan", "c", "digits")]
    assert [row.recipe for row in picked(suite, ["vae on digits"])] == ["gan"]
    assert [row.recipe for row in picked(suite, ["vae on binarized:digits"])] == ["vae"]
    assert picked(suite, ["big", "vae on digits", "big"]) == [suite.row[0], suite.row[1]]


def test_rows_are_picked_on_the_data_set_that_replaces_the_suites():
    assert [row.name for row in two(dataset="mnist5k", recipes=["vae on mnist5k"]).row] == ["vae on mnist5k"]
    suite = labelled(("vae", "vae", "digits"), ("vae", "vae", "mnist5k"), ("gan", "gan", "digits"))
    assert [row.name for row in overridden(suite, Overrides("mnist5k", recipes=["gan"])).row] == ["gan on mnist5k"]
    with pytest.raises(ValueError, match="two rows are labelled 'vae' on mnist5k"):
        overridden(suite, Overrides("mnist5k"))


def test_anchors_are_picked_by_their_own_name():
    assert [row.name for row in two(recipes=["anchors"]).row] == ["anchors on digits", "anchors on edges:digits"]
    assert not two(recipes=["anchors"], labelled=5).trained
    suite = two(recipes=["vae", "anchors on edges:digits"])
    assert [row.name for row in suite.row] == ["vae on digits", "anchors on edges:digits"]
    with pytest.raises(ValueError, match="none of anchors has option 'width'"):
        two(recipes=["anchors"], options=["width=3"])


def test_a_labelled_share_goes_to_every_row():
    assert [row.labelled for row in two(labelled=50).row] == [50, 50]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("32", 32),
        ("1e-3", 1e-3),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ('"a b"', "a b"),
        ("kl", "kl"),
        ("js-x.2", "js-x.2"),
    ],
)
def test_literals_have_types(text, value):
    assert literal(text) == value
    assert type(literal(text)) is type(value)


@pytest.mark.parametrize("text", ["True", "3 2", "a b", "", "1\nb = 2", "1979-05-27", "nan", "inf", "{a = 1}"])
def test_what_is_no_literal_is_refused(text):
    with pytest.raises(ValueError, match="give a TOML value"):
        literal(text)


@pytest.mark.parametrize(
    ("names", "left_out", "wanted"),
    [
        (None, [], None),
        (None, ["nll"], ("fid", "speed")),
        ("speed, fid", [], ("fid", "speed")),
        ("fid,nll", ["nll"], ("fid",)),
        ("", [], ()),
    ],
)
def test_groups_of_figures_are_named_or_left_out(names, left_out, wanted):
    assert measured_groups(names, left_out) == wanted


def test_what_a_suite_leaves_out_is_not_added_by_leaving_out_more():
    assert measured_groups(None, ["nll"], ("nll", "fid")) == ("fid",)
    assert measured_groups("speed", [], ("nll", "fid")) == ("speed",), "said outright"


def test_a_figure_that_is_no_group_s_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="unknown 'kid': give some of nll, fid, speed; fid brings its kin"):
        measured_groups("fid,kid", [])


def test_a_title_is_true_of_the_rows_and_data_that_are_asked_for():
    whole = parse(
        'title = "Toys on digits, ten minutes each"\ndataset = "digits"\nbudget = { seconds = 600 }\n'
        + "".join(f'[[row]]\nrecipe = "{name}"\n' for name in ("vae", "gan", "glow", "nice", "ae")),
        "toys",
    )
    titles = [
        overridden(whole, Overrides(**words)).title
        for words in (
            {"seeds": [3], "options": ["width=8"]},
            {"budget": {"steps": 5}},
            {"recipes": ["vae", "gan"]},
            {"dataset": "mnist5k"},
            {"dataset": "folder:cats", "recipes": ["glow"], "budget": {"steps": 5}},
            {"recipes": ["vae", "gan", "glow", "nice", "ae"]},
        )
    ]
    assert titles == [
        "Toys on digits, ten minutes each",
        "Toys on digits",
        "vae, gan on digits",
        "5 rows on mnist5k",
        "glow on folder:cats",
        "Toys on digits, ten minutes each",
    ]
