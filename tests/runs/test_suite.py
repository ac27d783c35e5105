import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from genbench import catalog
from genbench.records.layout import cell_folder, slug
from genbench.runs.suite import Suite, parse, read, results_folder, to_toml, validated, write
from genbench.runs.toml_values import to_value
from genbench.suites import texts
from tests.records import record

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


@pytest.mark.parametrize("key", ["label", "dataset", "title"])
def test_control_characters_are_refused_in_what_is_shown(key):
    raw = {"title": "x", "dataset": "digits", "budget": {"steps": 1}, "row": [{"recipe": "vae"}]}
    (raw["row"][0] if key == "label" else raw)[key] = chr(27) + "[31mred"
    with pytest.raises(ValueError, match=rf"{key} = .*: holds control characters; take them out"):
        validated(raw)


def test_the_ground_behind_transparent_pixels_is_a_colour_or_refuse():
    raw = {"title": "x", "dataset": "digits", "budget": {"steps": 1}, "row": [{"recipe": "vae"}]}
    assert validated(raw).alpha == "white"
    for alpha in ("black", "#00ff00", "refuse"):
        assert parse(to_toml(validated(raw | {"alpha": alpha})), "again").alpha == alpha
    with pytest.raises(ValueError, match=r"alpha = 'no colour': give white"):
        validated(raw | {"alpha": "no colour"})


def test_rows_are_resolved():
    suite = parse(TEXT, "two")
    assert [(row.recipe, row.label, row.dataset) for row in suite.row] == [
        ("vae", "vae", "digits"),
        ("pix2pix", "pix2pix (no dropout)", "edges:digits"),
    ]
    assert suite.seeds == (0,)
    assert suite.datasets == ["digits", "edges:digits"]


@pytest.mark.parametrize("name", texts())
def test_an_embedded_suite_is_whole(name):
    suite = read(name)
    recipes = {row.recipe for row in suite.row}
    if name in ("smoke", "full"):
        assert recipes == set(catalog.recipes())
        assert len(recipes) == len(suite.row)
    if name in ("gans", "gans-long"):
        assert recipes == {name for name, recipe in catalog.recipes().items() if recipe.family == "gan"}
    if name in ("translation", "translation-quick"):
        assert recipes == {name for name, recipe in catalog.recipes().items() if recipe.family == "translation"}
    if name in ("explicit", "explicit-long"):
        families = ("autoregressive", "autoencoder", "flow")
        assert recipes == {name for name, recipe in catalog.recipes().items() if recipe.family in families}
    for row in suite.row:
        assert set(row.options) <= set(catalog.recipe(row.recipe).options())
    assert parse(to_toml(suite), name) == suite


def test_what_is_written_reads_back_the_same():
    odd = {"a": 'quote " and \\ back', "b": [1, 2.5, True], "c": {"x y": "ü\x7f\n"}, "d": 1e-5, "e": 1e16}
    row = {"recipe": "vae", "options": odd}
    suite = Suite.model_validate(
        {"title": "Ü\n", "dataset": "folder:/a b", "size": 8, "budget": {"seconds": 1}, "seeds": (1, 2), "row": (row,)}
    )
    assert parse(to_toml(suite), "again") == suite


def of_options(**options):
    return {"title": "t", "dataset": "digits", "budget": {"steps": 1}, "row": ({"recipe": "vae", "options": options},)}


def test_an_option_of_none_is_left_out():
    suite = validated(of_options(width=None, depth=2, inner={"a": None, "b": 1}))
    assert suite.row[0].options == {"depth": 2, "inner": {"b": 1}}
    assert parse(to_toml(suite), "again") == suite


def test_scalars_of_numpy_become_what_toml_has_words_for():
    theirs = {"a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True), "d": [np.int8(1), (np.float64(2.5),)]}
    suite = validated(of_options(**theirs, e=np.array([[1, 2]])))
    options = suite.row[0].options
    assert options == {"a": 3, "b": 0.5, "c": True, "d": [1, [2.5]], "e": [[1, 2]]}
    assert [type(options[name]) for name in "abc"] == [int, float, bool]
    assert parse(to_toml(suite), "again") == suite
    assert [to_value(value) for value in theirs.values()] == ["3", "0.5", "true", "[1, [2.5]]"]


@pytest.mark.parametrize("value", [object(), [None], 1j, {"a": object()}])
def test_an_option_that_toml_has_no_word_for_is_refused(value):
    with pytest.raises(ValueError, match=r"^suite: row.0.options = .*: option \w+ .*: give a number") as error:
        validated(of_options(width=value))
    assert "\n" not in str(error.value)


def test_lists_are_written_on_one_line():
    suite = validated(of_options(sizes=[1, [2, "[\n,\n]"], []], inner={"a": [True, {"b": [1]}]}) | {"seeds": (0, 1)})
    text = to_toml(suite)
    assert "seeds = [0, 1]\n" in text
    assert 'sizes = [1, [2, "[\\n,\\n]"], []]\n' in text
    assert parse(text, "again") == suite
    assert to_value([1, 2]) == "[1, 2]"


def test_a_row_is_a_table_of_its_own_however_short():
    text = to_toml(parse(TEXT, "two"))
    assert text.count("\n[[row]]\n") == 2
    assert "[row.options]\ndropout = 0.0\n" in text


@pytest.mark.parametrize("value", [3, 1e-3, True, "kl", 'a "b"  c\n\x85\u2028', [1, 2.5, "x  y"], [[1], []], []])
def test_a_value_is_one_line_that_reads_back_the_same(value):
    line = to_value(value)
    assert "\n" not in line
    assert tomllib.loads(f"key = {line}") == {"key": value}


@pytest.mark.parametrize("value", [None, {"a": 1}, [{"a": 1}], [None], object()])
def test_what_is_no_single_toml_value_is_refused(value):
    with pytest.raises(ValueError, match=r"^value .*: .*a number, a text, true, false or a list$"):
        to_value(value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title", "titel", r"unknown key titel: did you mean title\?|key title is missing"),
        ("budget = { steps = 3 }", "budget = { step = 3 }", r"unknown key budget.step: did you mean steps\?"),
        ("budget = { steps = 3 }", "budget = { steps = 3, images = 2 }", "budget = .*: give exactly one of"),
        ("budget = { steps = 3 }", "budget = {}", "give exactly one of"),
        ("budget = { steps = 3 }", "budget = { steps = 0 }", "budget.steps = 0: .*greater than 0"),
        ("budget = { steps = 3 }", "budget = { seconds = nan }", "budget.seconds = nan"),
        ("budget = { steps = 3 }", "", "key budget is missing"),
        ('label = "pix2pix (no dropout)"', 'lable = "x"', r"unknown key row.1.lable: did you mean label"),
        ('label = "pix2pix (no dropout)"', 'label = "Noise"', "'Noise' is an anchor's"),
        ('label = "pix2pix (no dropout)"', 'label = "anchors"', "'anchors' is an anchor's"),
        (
            'recipe = "vae"',
            'recipe = "anchors"\nlabelled = 9',
            "row 'anchors': nobody trains anchors; give them a data set and nothing else",
        ),
        ('recipe = "vae"', 'recipe = "anchors"\nlabel = "x"', "row 'x': nobody trains anchors"),
        ('title = "Two"', 'title = "Two"\neffort = "standrd"', "effort = 'standrd': did you mean standard"),
        ('title = "Two"', 'title = "Two"\neffort = "fast/2"', "effort = 'fast/2': did you mean fast"),
        (
            'title = "Two"',
            'title = "Two"\nprecision = "float16"',
            "precision = 'float16': give float32, tf32, bfloat16 or auto",
        ),
        ('recipe = "vae"', 'recipe = "vae"\nlabelled = 0', "row.0.labelled = 0: .*greater than 0"),
        ('recipe = "vae"', 'recipe = "vae"\nlabeled = 100', r"unknown key row.0.labeled: did you mean labelled"),
        ('title = "Two"', 'title = "Two"\nbatch_size = "64"', "batch_size = '64'"),
        ('title = "Two"', 'title = "Two"\nseeds = []', "seeds"),
        ('title = "Two"', 'title = "Two"\nseeds = [1, 1]', "each counts once"),
        ('title = "Two"', "title = Two", "not TOML"),
        ('title = "Two"', f"title = {'[' * 5000}", "lists or tables are nested too deeply"),
        ('recipe = "vae"', f'recipe = "vae"\noptions.x = {"[" * 30}{"]" * 30}', "option x: nested more than 20 deep"),
        ('recipe = "vae"', f'recipe = "vae"\noptions{".x" * 30} = 1', "option x: nested more than 20 deep"),
        ('title = "Two"', f"title = {'9' * 5000}", "not TOML"),
        ('title = "Two"', f"title = 0x{'f' * 5000}", "title = …: .*valid string"),
        ("budget = { steps = 3 }", "budget = 3", r"budget = 3: give a table, such as \{ seconds = 60 \}"),
        ('recipe = "pix2pix"\ndataset = "edges:digits"\nlabel = "pix2pix (no dropout)"', 'recipe = "vae"', "two rows"),
    ],
)
def test_a_wrong_suite_is_refused_in_one_line(old, new, said):
    assert old in TEXT
    with pytest.raises(ValueError, match=said) as error:
        parse(TEXT.replace(old, new), "mine.toml")
    assert str(error.value).startswith("suite mine.toml: ")
    assert "\n" not in str(error.value)


HEAD = 'title = "t"\ndataset = "digits"\nbudget = { steps = 1 }\n'


@pytest.mark.parametrize("rows", ['row = "vae"', 'row = ["vae"]', '[row]\nrecipe = "vae"', "row = 3"])
def test_a_row_that_is_no_table_of_its_own_is_told_how_to_be_one(rows):
    with pytest.raises(ValueError, match=r"^suite x: row.* = .*: write each row as a table of its own, \[\[row\]\]"):
        parse(HEAD + rows, "x")


def test_a_byte_order_mark_is_no_part_of_a_suite(tmp_path):
    (tmp_path / "s.toml").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert read(str(tmp_path / "s.toml")) == parse(TEXT, "two")


def labelled(*labels):
    return parse(HEAD + "".join(f'[[row]]\nrecipe = "vae"\nlabel = "{label}"\n' for label in labels), "x")


def test_labels_that_differ_in_letters_outside_ascii_are_two_rows():
    rows = labelled("漢字", "日本", "β-vae", "vae").row
    assert len({slug(row.label) for row in rows}) == 4
    for one, other in (("gan+", "gan"), ("A b", "a-B")):
        with pytest.raises(ValueError, match=f"labels '{re.escape(one)}' and '{other}' differ in no letter or digit"):
            labelled(one, other)
    two = HEAD + '[[row]]\nrecipe = "vae"\ndataset = "folder:/a/b"\n[[row]]\nrecipe = "ae"\ndataset = "folder:/a-b"'
    with pytest.raises(ValueError, match="data sets 'folder:/a/b' and 'folder:/a-b' differ in no letter or digit"):
        parse(two, "x")


def test_a_run_by_an_older_name_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = labelled("vae")
    here = results_folder("漢字.toml", suite)
    assert results_folder("plain.toml", suite) == Path("results/plain")
    assert here.name not in ("-", "")
    write(suite, Path("results/-"))
    assert results_folder("漢字.toml", suite) == Path("results/-")
    assert results_folder("日本.toml", suite.model_copy(update={"title": "another"})).name != "-"
    here.mkdir()
    assert results_folder("漢字.toml", suite) == here


def test_an_unknown_suite_names_the_nearest(tmp_path):
    with pytest.raises(ValueError, match=r"unknown suite 'quik': did you mean quick\?"):
        read("quik")
    with pytest.raises(ValueError, match="cannot be read"):
        read(str(tmp_path / "no.toml"))


def test_slugs_are_folder_names():
    assert slug("f-gan (KL)") == "f-gan-kl"
    assert slug("folder:/a/B c") == "folder-a-b-c"
    assert slug("../..") == "-"
    assert re.fullmatch(r"vae-[0-9a-f]{8}", slug("β-vae"))
    assert re.fullmatch(r"[0-9a-f]{8}", slug("漢字"))
    assert len(slug("x" * 300)) <= 110
    assert slug("x" * 300) != slug("x" * 301)


def test_a_cell_by_an_older_name_is_found_if_it_is_that_cell(tmp_path):
    new = cell_folder(tmp_path, "digits", "漢字", 0)
    assert new == tmp_path / "cells" / "digits" / slug("漢字") / "seed-0"
    old = tmp_path / "cells" / "digits" / "-" / "seed-0"
    record("漢字", dataset="digits").write(old)
    assert cell_folder(tmp_path, "digits", "漢字", 0) == old
    assert cell_folder(tmp_path, "digits", "漢字", 1) != old
    assert cell_folder(tmp_path, "digits", "日本", 0).parent.name == slug("日本")
    unfinished = tmp_path / "cells" / "digits" / "vae" / "seed-0.part"
    unfinished.mkdir(parents=True)
    (unfinished / "cell.json").write_text('{"dataset": "digits", "label": "β-vae"}')
    assert cell_folder(tmp_path, "digits", "β-vae", 0) == unfinished.with_name("seed-0")
    (unfinished / "cell.json").write_text("[" * 9999)
    assert cell_folder(tmp_path, "digits", "β-vae", 0).parent.name == slug("β-vae")
    assert cell_folder(tmp_path, "digits", "vae", 0) == unfinished.with_name("seed-0")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seeds = [-1]", r"seeds \[-1\]: give whole numbers from 0"),
        ("seeds = [4294967296]", "give whole numbers from 0 to 4294967295"),
        ("budget = { seconds = true }", "budget"),
        ('budget = { seconds = "60" }', "budget"),
    ],
)
def test_numbers_that_would_fail_later_are_refused_at_once(tmp_path, line, message):
    lines = {"budget": "budget = { steps = 1 }", "seeds": "seeds = [0]"} | {line.split()[0]: line}
    path = tmp_path / "s.toml"
    path.write_text("\n".join(['title = "t"', 'dataset = "digits"', *lines.values(), "[[row]]", 'recipe = "vae"']))
    with pytest.raises(ValueError, match=message):
        read(str(path))


def test_a_row_may_ask_for_the_anchors_of_a_data_set_alone():
    asked = '[[row]]\nrecipe = "anchors"\ndataset = "binarized:digits"\n'
    suite = parse(TEXT + asked, "three")
    assert suite.datasets == ["digits", "edges:digits", "binarized:digits"]
    assert [row.label for row in suite.trained] == ["vae", "pix2pix (no dropout)"]
    assert parse(to_toml(suite), "again") == suite
