"""Docstrings stand alone in ``help()``: everything public has one, and no entry goes on from a heading it lacks."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for package in ("genbench", "families") for path in (ROOT / package).rglob("*.py"))
DOCUMENTED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
PREPOSITIONS = ["of", "in", "from", "for", "by", "to", "with", "at", "as", "on", "behind", "between", "under", "beside"]
FRAGMENT = re.compile(rf"({'|'.join(PREPOSITIONS)})\b", re.IGNORECASE)
SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields):")
ENTRY = re.compile(r" {4}(\*{0,2}\w+(?:, \*{0,2}\w+)*): (.+)")
LEAST_WORDS = 3


def faults(source: str) -> list[str]:
    """What is wrong with the docstrings of a module's text, a line each: missing, too short, or a fragment."""
    tree = ast.parse(source)
    return [*_faults("module", tree), *_within(tree, "")]


def _within(parent: ast.AST, prefix: str) -> Iterator[str]:
    """The faults of what is defined below ``parent``; functions inside functions, which nobody can ask for, aside."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, DOCUMENTED):
            setter = any(isinstance(mark, ast.Attribute) and mark.attr == "setter" for mark in node.decorator_list)
            if not node.name.startswith("_") and not setter:  # a property's setter has the docstring of its getter
                yield from _faults(f"{prefix}{node.name}", node)
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield from _within(node, f"{prefix}{node.name}.")
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _within(node, prefix)


def _faults(name: str, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    docstring = ast.get_docstring(node)
    if not docstring:
        yield f"{name}: no docstring"
        return
    summary = docstring.splitlines()[0]
    if len(summary.split()) < LEAST_WORDS:
        yield f"{name}: {summary!r} is no summary"
    yield from (f"{name}: {text!r} is a fragment" for text in (summary, *_entries(docstring)) if FRAGMENT.match(text))


def _entries(docstring: str) -> Iterator[str]:
    """What the entries under ``Args`` and ``Attributes`` say, and the first line under ``Returns``."""
    section = ""
    for line in docstring.splitlines():
        if line and not line.startswith(" "):
            heading = SECTION.fullmatch(line)
            section = heading[1] if heading else ""
        elif section in ("Args", "Attributes") and (entry := ENTRY.fullmatch(line)):
            yield entry[2]
        elif section == "Returns" and line.strip():
            yield line.strip()
            section = ""


def test_there_are_modules_to_look_at():
    assert len(FILES) > 150


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_thing_has_a_docstring_that_stands_alone(path):
    assert faults(path.read_text(encoding="utf-8")) == []


GOOD = '''"""A module of numbers."""

class Number:
    """A number with a unit.

    Args:
        unit: the unit, of
            two letters.

    Attributes:
        value, error: the number and its error.

    Raises:
        ValueError: for a unit of another length.
    """

    def scaled(self, by):
        """Return the number times ``by``.

        Returns:
            The new number,
            of the same unit.
        """
        def inner():
            return by

    def _hidden(self):
        return 0
'''


def test_good_docstrings_have_no_fault():
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    ("good", "bad", "fault"),
    [
        ('"""A module of numbers."""\n', "", "module: no docstring"),
        ('    """A number with a unit.', '    """With a unit here.', "Number: 'With a unit here.' is a fragment"),
        ("unit: the unit, of", "unit: of the number", "Number: 'of the number' is a fragment"),
        (
            "value, error: the number and",
            "value, error: by itself, and",
            "Number: 'by itself, and its error.' is a fragment",
        ),
        ("The new number,", "of the new number,", "Number.scaled: 'of the new number,' is a fragment"),
        ("Return the number times ``by``.", "The number.", "Number.scaled: 'The number.' is no summary"),
        ("def _hidden", "def hidden", "Number.hidden: no docstring"),
    ],
)
def test_the_checker_sees_each_fault(good, bad, fault):
    assert GOOD.count(good) == 1
    assert faults(GOOD.replace(good, bad)) == [fault]
