"""Completion, as a shell asks for it: by environment variables, answered in lines, quickly."""

import os
import re
import subprocess
import sys

import pytest

from genbench import completion, data
from genbench.catalog import recipes
from genbench.suites import titles

# What the console script does, and whether torch was imported on the way.
SCRIPT = """
import sys
sys.argv = ["genbench"]
from genbench.cli import main
try:
    main()
finally:
    print("torch" if "torch" in sys.modules else "", file=sys.stderr)
"""


def completed(words):
    """What bash is answered for the last of ``words``, which is not yet whole; it sends a word a line."""
    asked = {
        "_GENBENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=os.environ | asked, capture_output=True, text=True)
    assert done.stderr.strip() == "", "torch takes seconds, and the user waits"
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "there"),
    [
        ("genbench des", {"describe"}),
        ("genbench run gan", {"gans", "gans-long"}),
        ("genbench run quick --recipe wgan", {"wgan", "wgan-gp", "wgan-lp", "wgan-div"}),
        ("genbench describe pixelcnn", {"pixelcnn", "pixelcnn-pp"}),
        ("genbench evaluate x --dataset mnist", {"mnist", "mnist5k"}),
    ],
)
def test_a_shell_is_answered_without_torch(words, there):
    assert set(completed(words.split(" "))) == there


MNIST = {"mnist", "mnist5k"}


@pytest.mark.parametrize(
    ("split", "there"),
    [
        ("edges : mn", MNIST),
        ("unpaired : edges : mn", MNIST),
        ("edges : dig", {"digits"}),
        ("edges :", {*completion.DATASETS, *completion.PREFIXES}),
        ("npz : a/b", set()),
        ("edges:mn", {f"edges:{name}" for name in MNIST}),  # of a user who took the colon out of COMP_WORDBREAKS
        ("edges : mnist5k --rec", {"--recipe"}),
    ],
)
def test_names_with_colons_are_completed_as_bash_splits_and_replaces_them(split, there):
    assert set(completed(["genbench", "run", "quick", "--dataset", *split.split(" ")])) == there


def test_words_are_joined_at_colons_and_nowhere_else():
    assert completion.joined_at_colons(["a", "b", ":", "c", "d"]) == (["a", "b:c", "d"], "")
    assert completion.joined_at_colons(["a", "b", ":", "c", ":", "d"]) == (["a", "b:c:d"], "b:c:")
    assert completion.joined_at_colons(["a", "b", ":"]) == (["a", "b:"], "b:")
    assert completion.joined_at_colons(["a", "b", ":", ""]) == (["a", "b:", ""], ""), "a word of its own behind a space"
    assert completion.joined_at_colons(["a", "b:c"]) == (["a", "b:c"], "")


def test_no_other_shell_has_its_words_joined(capsys):
    environment = {"_GENBENCH_COMPLETE": "complete_zsh", "COMP_WORDS": "genbench\nedges\n:", "COMP_CWORD": "2"}
    asked = dict(environment)
    with completion.words_of_bash(environment):
        print("edges:mnist")
    assert environment == asked
    assert capsys.readouterr().out == "edges:mnist\n"


def test_every_suite_recipe_and_data_set_is_completed():
    assert [name for name, _ in completion.suites("")] == list(titles())
    assert [name for name, _ in completion.recipes("")] == list(recipes())
    assert {name for name, _ in completion.rows("")} == {*recipes(), "anchors"}
    # K stands for a number, which the user types.
    listed = {re.sub(r"(K:)?(NAME|PATH|A\+B)$", "", entry.name) for entry in data.listing()}
    assert set(completion.datasets("")) == listed, "as genbench.data has them, which takes torch to ask"


def test_variants_that_are_written_already_stay_in_front():
    assert completion.datasets("edges:binarized:mnist") == ["edges:binarized:mnist5k", "edges:binarized:mnist"]
    assert completion.datasets("edges:npz:a/b") == [], "behind a prefix of paths the shell completes files"


def test_a_prefix_alone_comes_with_what_may_stand_behind_it_so_that_no_space_follows():
    there = completion.datasets("edg")
    assert there == ["edges:", *(f"edges:{name}" for name in completion.DATASETS)]
    assert completion.datasets("unpaired:edg")[:2] == ["unpaired:edges:", "unpaired:edges:digits"]
    assert completion.datasets("np") == ["npz:", "npz:./"]
    assert completion.datasets("wi")[:2] == ["without-", "without-0:"]
    assert completion.datasets("without-3:dig") == ["without-3:digits"]
    assert completion.datasets("lowr")[:2] == ["lowres", "lowres2:"]
    assert completion.datasets("domains:simulated+dig") == ["domains:simulated+digits"]
    assert completion.datasets("domains:edges:sim") == ["domains:edges:simulated"]
    assert completion.datasets("dig") == ["digits"], "a whole name is offered alone"


def test_the_script_of_the_shell_is_shown():
    environment = os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    code = SCRIPT.replace('["genbench"]', '["genbench", "--show-completion", "bash"]')
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "_GENBENCH_COMPLETE=complete_bash" in done.stdout
