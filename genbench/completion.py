"""What a shell completes behind ``genbench``: names of suites, recipes and data sets, and where none fits, of files.

The user waits for it at every press of the key, so nothing here imports torch.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager, redirect_stdout

# As ``genbench.data`` has them, which imports torch.
DATASETS = (
    *("digits", "mnist5k", "mnist", "fashion-mnist", "kmnist", "cifar10", "cifar100", "stl10", "svhn"),
    *("simulated", "photos", "faces"),
)
PREFIXES = (
    "binarized:",
    "blur:",
    "captions:",
    "cartoon:",
    "colours:",
    "domains:",
    "edges:",
    "folder:",
    "lowres",
    "negative:",
    "npz:",
    "pairs:",
    "profile:",
    "shadow:",
    "styles:",
    "unpaired:",
    "without-",
)
PATHS = ("folder:", "npz:", "pairs:")
NUMBERED = {"lowres": range(2, 10), "without-": range(10)}  # prefixes with a number behind them, and some to offer
VARIABLE = "_GENBENCH_COMPLETE"  # what the script in a shell asks by


def suites(incomplete: str) -> list[tuple[str, str]]:
    """Return the suites whose names begin with ``incomplete``, each with its title."""
    from genbench.suites import titles

    return [(name, title) for name, title in titles().items() if name.startswith(incomplete)]


def recipes(incomplete: str) -> list[tuple[str, str]]:
    """Return the recipes whose names begin with ``incomplete``, each with its title."""
    from genbench.catalog import recipes

    return [(name, recipe.title) for name, recipe in recipes().items() if name.startswith(incomplete)]


def rows(incomplete: str) -> list[tuple[str, str]]:
    """Return what ``--recipe`` of a run takes: recipes, and the anchors, that begin with ``incomplete``."""
    anchors = [("anchors", "Real images, noise, codecs and what else a table is read by")]
    return [*recipes(incomplete), *(entry for entry in anchors if entry[0].startswith(incomplete))]


def datasets(incomplete: str) -> list[str]:
    """Return the data sets that begin so, with the variants that are written already kept in front.

    A prefix that is the only match comes together with what may stand behind it: alone it would get a space from the
    shell, as if it were whole.
    """
    front, mark, last = _last_part(incomplete)
    if any(f"{part}:" in PATHS for part in front.split(":")):
        return []  # what follows is a path
    names = _starting((*DATASETS, *PREFIXES), last)
    if len(names) == 1 and names[0] in PREFIXES:
        names += [names[0] + behind for behind in _behind(names[0])]
    return [f"{front}{mark}{name}" for name in names]


def _last_part(incomplete: str) -> tuple[str, str, str]:
    """Return what stands before the last colon, or the plus of two domains, that mark, and the rest."""
    mark = "+" if "domains:" in incomplete and incomplete.rfind("+") > incomplete.rfind(":") else ":"
    return incomplete.rpartition(mark)


def _behind(prefix: str) -> Sequence[str]:
    if prefix in PATHS:
        return ("./",)
    return [f"{number}:" for number in NUMBERED[prefix]] if prefix in NUMBERED else DATASETS


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


@contextmanager
def words_of_bash(environ: MutableMapping[str, str]) -> Iterator[None]:
    """Let what runs inside complete names with colons in bash, which takes a colon for the end of a word.

    Bash hands on ``edges:mn`` as three words and puts a reply behind the last colon. So the words in ``environ`` are
    joined again, and what bash keeps is taken off every reply. Nothing happens where no bash asks, or where the user
    has taken the colon out of ``COMP_WORDBREAKS`` and words come whole.

    Args:
        environ: the environment of the process, whose ``COMP_WORDS`` (one a line) and ``COMP_CWORD`` are changed.
    """
    words = environ.get("COMP_WORDS", "").split("\n")
    current = environ.get("COMP_CWORD", "")
    if environ.get(VARIABLE) != "complete_bash" or not (current.isdecimal() and int(current) < len(words)):
        yield
        return
    words, kept = joined_at_colons(words[: int(current) + 1])
    environ["COMP_WORDS"] = "\n".join(words)
    environ["COMP_CWORD"] = str(len(words) - 1)
    replies = io.StringIO()
    try:
        with redirect_stdout(replies):
            yield
    finally:
        sys.stdout.writelines(line.removeprefix(kept) for line in replies.getvalue().splitlines(keepends=True))


def joined_at_colons(words: Sequence[str]) -> tuple[list[str], str]:
    """Return words with what bash split at colons joined again, and how much of the last word bash keeps by itself.

    Args:
        words: the words as bash splits them, colons among them as words of their own, up to the one to complete.
    """
    joined: list[str] = []
    glued = False
    for before, word in zip(["", *words], words, strict=False):
        glued = bool(joined) and (_colons(word) or (_colons(before) and word != ""))
        if glued:
            joined[-1] += word
        else:
            joined.append(word)
    front, colon, _ = joined[-1].rpartition(":") if glued else ("", "", "")
    return joined, front + colon


def _colons(word: str) -> bool:
    return word != "" and not word.strip(":")
