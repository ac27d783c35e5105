"""``genbench describe``: every option of every recipe has a meaning, in its docstring or its builder's."""

import json
import shlex

import pytest

from genbench.catalog import recipe, recipes
from genbench.describe import as_text, describe, first_paragraph, meanings
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
    assert [as_text(value) for value in (None, True, 1e-3, "kl", (1, 2))] == ["none", "true", "0.001", '"kl"', "[1, 2]"]
