"""Imports run one way, by the syntax tree: a rule that is only written down is soon broken."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "genbench").rglob("*.py"), *(ROOT / "families").rglob("*.py")])


def module(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(tree, nested):
    """Names imported: at module level, or with ``nested`` anywhere, except under ``if TYPE_CHECKING``."""
    stack, found = [tree], set()
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
        for child in ast.iter_child_nodes(node):
            checking = isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING"
            inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            if not checking and (nested or not inner):
                stack.append(child)
    return found


def broken(name, tree):
    """The imports of module ``name`` that break a rule of the layout."""
    everywhere, top = imports(tree, True), imports(tree, False)
    ours = {i for i in everywhere if i.split(".")[0] in ("genbench", "families")}
    out = {i for i in everywhere if i.split(".")[0] in ("tests", "benchmarks")}
    if name.split(".")[0] == "families":
        allowed = ("genbench.interface", "genbench.implicit", "genbench.seed", "families.layers", "families.outputs")
        own = ".".join(name.split(".")[:2])
        out |= {i for i in ours if not i.startswith((*allowed, own)) and i != "families"}
    else:
        out |= {i for i in ours if i.startswith("families")}
    if name == "genbench.interface":
        allowed = ("torch", "typing", "dataclasses", "collections", "__future__")
        out |= {i for i in top if i.split(".")[0] not in allowed}
    if name.startswith("genbench.metrics"):
        out |= {i for i in ours if i.startswith(("genbench.fit", "genbench.runner", "genbench.cell"))}
    views = ("table", "report", "plots", "ranks", "columns", "render", "labels", "captions")
    readers = tuple(f"genbench.{part}" for part in views)
    if name.startswith(readers):
        refused = ("genbench.runner", "genbench.cell", "genbench.protocol", "genbench.metrics", "genbench.data")
        out |= {i for i in ours if i.startswith(refused)}
    return out


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_run_one_way(path):
    assert not broken(module(path), ast.parse(path.read_text()))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("families.gan.x", "from families.flow.realnvp import realnvp"),
        ("families.gan.x", "import genbench.fit"),
        ("families.layers.x", "def f():\n    from families.gan import model"),
        ("genbench.table", "from genbench import runner"),
        ("genbench.metrics.fid", "from genbench.fit import fit"),
        ("genbench.runner", "import families"),
        ("genbench.interface", "import numpy"),
    ],
)
def test_the_rule_sees_a_breach(name, code):
    assert broken(name, ast.parse(code))


def test_input_is_never_checked_by_assert():
    asserts = [
        f"{module(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]
    assert not asserts
