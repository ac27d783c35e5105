"""``genbench describe``: every option of every recipe has a meaning, in its docstring or its builder's."""

import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from genbench import DataSpec, catalog, data
from genbench.catalog import NEEDS, recipe, recipes
from genbench.describe import SMALL_FIELDS, as_text, describe, first_paragraph, meanings
from genbench.runs import runner
from tests.commands import refused, script


@pytest.fixture
def genbench_(monkeypatch, capsys):
    return script(monkeypatch, capsys)


@pytest.mark.parametrize("name", list(recipes()))
def test_every_recipe_says_what_it_is_and_what_each_option_means(name):
    found = describe(name)
    assert {option.name: option.default for option in found.options} == recipe(name).options()
    assert not [option.name for option in found.options if not option.meaning]
    assert found.about
    assert found.link is None or found.link.endswith(found.paper)


def test_options_of_a_builder_have_its_meaning_and_the_recipes_own_default():
    found = describe("wgan-gp")
    options = {option.name: option for option in found.options}
    assert options["critic_steps"].default == 5
    assert "critic steps" in options["critic_steps"].meaning
    assert "penalty" in options["weight"].meaning
    assert "spec" not in options
    assert "pair" not in options
    assert "gradient penalty" in found.setting
    assert describe("vae").setting is None


@pytest.mark.parametrize("name", ["vae", "gan", "pix2pix", "cgan"])
def test_the_example_is_a_line_that_runs(genbench_, monkeypatch, name):
    wanted = []
    monkeypatch.setattr(runner, "run", lambda suite, *_, **__: wanted.append(suite) or 0)
    words = shlex.split(describe(name).example)
    assert words[0] == "genbench"
    status, _, err = genbench_(*words[1:])
    assert status == 0, err
    assert [row.recipe for row in wanted[0].row] == [name]
    assert wanted[0].row[0].dataset == ("edges:mnist5k" if name == "pix2pix" else "mnist5k")


def test_it_is_printed_whole_and_as_json(genbench_):
    status, out, _ = genbench_("describe", "wgan-gp")
    assert status == 0
    for part in (
        "https://arxiv.org/abs/1704.00028",
        "estimate",
        "critic_steps",
        "gradient penalty",
        "--recipe wgan-gp",
    ):
        assert part in out
    status, out, _ = genbench_("describe", "wgan-gp", "--json")
    assert status == 0
    assert {"name": "critic_steps", "default": 5}.items() <= json.loads(out)["options"][5].items()


def test_an_unknown_recipe_names_the_nearest(genbench_):
    assert "unknown recipe 'wganx': did you mean wgan" in refused(genbench_("describe", "wganx"))


def raises(spec: DataSpec, *, gain=1.0):
    """A recipe that fails on whatever it is built."""
    raise RuntimeError("there is no such thing")


def requires(spec: DataSpec, *parts, gain, power=2, **options):
    """A recipe that must be told its gain.

    Args:
        spec: the data.
        gain: the gain.
        power: the power.
    """
    return SimpleNamespace(given=(), setting=f"gain {gain}")


class Speechless:
    given = ()

    @property
    def setting(self):
        raise KeyError("nothing to say")


def speechless(spec: DataSpec):
    """A recipe whose model fails to say its setting."""
    return Speechless()


def spoken(spec: DataSpec):
    """A recipe whose model tells the names of its data's fields."""
    return SimpleNamespace(given=(), setting=" ".join(sorted(spec.fields)))


@pytest.fixture
def third_party(monkeypatch):
    """Make a recipe of a function, as a package of somebody else's declares it."""

    def declare(target, **facts):
        entry = catalog.Recipe("theirs", target, "theirs", "Theirs", "0000.00000", 2020, "exact", **facts)
        monkeypatch.setattr(catalog, "recipes", lambda: {"theirs": entry})

    return declare


@pytest.mark.parametrize("name", ["raises", "requires", "speechless"])
def test_a_recipe_that_cannot_be_built_is_described_without_a_setting(third_party, genbench_, name):
    third_party(f"{__name__}:{name}")
    assert describe("theirs").setting is None
    for words in (("describe", "theirs"), ("describe", "theirs", "--json")):
        status, out, err = genbench_(*words)
        assert (status, err) == (0, "")
        assert "empty" not in out


def defaults(spec: DataSpec, *, where=Path("a"), width=None):
    """A recipe with defaults that neither JSON nor TOML has a word for."""
    return SimpleNamespace(given=(), setting=None)


def test_defaults_that_json_and_toml_have_no_word_for_are_described(third_party, genbench_):
    third_party(f"{__name__}:defaults")
    status, out, _ = genbench_("describe", "theirs", "--json")
    assert status == 0
    assert [option["default"] for option in json.loads(out)["options"]] == ["a", None]
    shown = genbench_("describe", "theirs")[1]
    assert "not set" in shown
    assert "none" not in shown, "which --set would take for a text"


def test_an_option_without_a_default_must_be_set_and_any_others_are_none(third_party, genbench_):
    third_party(f"{__name__}:requires")
    found = describe("theirs")
    assert [(option.name, option.default, option.required) for option in found.options] == [
        ("gain", None, True),
        ("power", 2, False),
    ]
    assert found.example is None, "nobody can say what to set"
    assert "must be set" in genbench_("describe", "theirs")[1]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("nowhere.at_all:recipe", "ModuleNotFoundError: No module named 'nowhere'"),
        (f"{__name__}:absent", "AttributeError: "),
        (f"{__name__}:NOTHING", "is no function"),
        ("broken:recipe", "ZeroDivisionError: "),
    ],
)
def test_a_recipe_that_cannot_be_imported_is_refused_in_one_line(
    third_party, genbench_, monkeypatch, tmp_path, target, why
):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    third_party(target)
    said = refused(genbench_("describe", "theirs"))
    assert f"recipe 'theirs': {target}" in said
    assert why in said
    assert "repair or remove that package" in said


NOTHING = 3


def test_a_field_of_every_need_is_in_the_small_images(third_party):
    needed = {name for name, need in NEEDS.items() if need.argument == "fields"}
    assert set(SMALL_FIELDS) == needed
    for name in needed:
        third_party(f"{__name__}:spoken", needs=(name,))
        assert describe("theirs").setting == name


@pytest.mark.parametrize("facts", [{"needs": ("shadow", "weather")}, {"given": ("weather",)}])
def test_no_example_is_shown_where_no_data_set_has_what_a_recipe_needs(third_party, genbench_, facts):
    third_party(f"{__name__}:spoken", **facts)
    assert describe("theirs").example is None
    status, out, _ = genbench_("describe", "theirs")
    assert status == 0
    assert "example" not in out


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"needs": ("domain",), "given": ("source", "domain")}, "colours:mnist5k"),
        ({"needs": ("pairs", "shadow")}, "shadow:mnist5k"),
        ({"needs": ("pairs", "landmarks", "identity")}, "profile:faces"),
        ({"needs": ("unpaired",)}, "unpaired:edges:mnist5k"),
        ({"needs": (), "given": ("caption",)}, "captions:mnist5k"),
    ],
)
def test_the_example_has_data_with_all_that_a_recipe_needs(third_party, facts, name):
    third_party(f"{__name__}:spoken", **facts)
    assert f"--dataset {name}" in describe("theirs").example
    spec = data.load(name).spec
    assert not [NEEDS[need].lacking(spec) for need in facts["needs"] if NEEDS[need].lacking(spec)]


def documented():
    """One thing, with ``marks``
    and a :func:`reference`.

    Another paragraph.

    Args:
        width: channels, over
            two lines: with a colon.

        depth (int, optional): of which there
            are many.
        a, b: two that share it.
        *more: what else.
        plain:

    Returns:
        nothing: this is no option.
    """


def test_docstrings_in_googles_style_are_read_as_people_write_them():
    assert first_paragraph(documented) == "One thing, with marks and a reference."
    assert meanings(documented) == {
        "width": "channels, over two lines: with a colon.",
        "depth": "of which there are many.",
        "a": "two that share it.",
        "b": "two that share it.",
        "more": "what else.",
        "plain": "",
    }
    assert meanings(None.__class__.__call__) == {}
    assert meanings(lambda x: x) == {}


def test_values_are_shown_as_they_are_set():
    assert [as_text(value) for value in (None, True, 1e-3, "kl", (1, 2))] == [
        "not set",
        "true",
        "0.001",
        '"kl"',
        "[1, 2]",
    ]
