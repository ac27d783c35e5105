"""Imports run one way, by the syntax tree: a rule that is only written down is soon broken."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "genbench").rglob("*.py"), *(ROOT / "families").rglob("*.py")])
UNSHIPPED = sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])

# Packages and modules of genbench from left to right: each may import what stands to its left, and nothing else.
LINE = (
    (
        *("spec", "check", "seed", "narrow", "weights", "errors", "memory"),
        *("files", "image_file", "colour_profile", "array_file"),
        *("stats", "console", "reserving", "pretrained", "suites", "processor"),
    ),
    ("interface", "abilities", "catalog", "records"),
    ("data", "features"),
    ("likelihood",),
    ("implicit", "metrics", "training"),
    ("contract",),
    ("plots",),
    ("tables",),
    ("runs",),
    ("notebook", "app", "cli", "commands", "completion", "describe", "doctor"),
)
BESIDE = {
    "check": {"spec"},
    "catalog": {"interface"},
    "files": {"errors"},
    "image_file": {"files", "errors", "colour_profile"},
    "array_file": {"files", "errors", "memory"},
    "reserving": {"memory"},
    "pretrained": {"files", "errors"},
    "commands": {"completion", "describe"},
    "app": {"commands", "completion", "doctor"},
    "cli": {"app"},
}
PLACE = {name: place for place, names in enumerate(LINE) for name in names}
LEFT = {name: {other for other in PLACE if PLACE[other] < place} for name, place in PLACE.items()}
ALLOWED = {
    f"genbench.{name}": {f"genbench.{other}" for other in LEFT[name] | BESIDE.get(name, set())} for name in PLACE
}
ALLOWED["genbench"] = {f"genbench.{name}" for name in PLACE}  # its public names, each imported when it is first used

# What a family is made of, and the only part of genbench that it sees.
MODEL = {f"genbench.{name}" for name in ("interface", "implicit", "spec", "seed", "weights", "pretrained")}
FAMILIES = ("autoregressive", "autoencoder", "flow", "gan", "translation")
ALLOWED["families.layers"] = MODEL
ALLOWED["families.outputs"] = MODEL | {"families.layers"}
ALLOWED["families.adversarial"] = MODEL | {"families.layers", "families.outputs"}
ALLOWED |= {f"families.{name}": ALLOWED["families.adversarial"] | {"families.adversarial"} for name in FAMILIES}
ALLOWED["families.catalog"] = {f"families.{name}" for name in FAMILIES}
ALLOWED["families"] = set()

# The one door back: GenerativeModel.fit imports the loop when it is called, and its signature names what that takes.
DOOR = ("genbench.interface", "genbench.training")
NO_TORCH = (
    "genbench.records",
    "genbench.tables",
    "genbench.plots",
    "genbench.likelihood",
    "genbench.suites",
    "genbench.app",
    "genbench.cli",
    *(f"genbench.{name}" for name in ("catalog", "console", "errors", "files", "processor", "stats")),
    *(f"genbench.{name}" for name in ("image_file", "colour_profile", "array_file", "memory")),
    *(f"genbench.runs.{name}" for name in ("overrides", "placing", "spawn", "suite")),
    "genbench.commands",
    "genbench.completion",
    "genbench.describe",
)
ANY_TORCH = {"genbench.plots.gallery", "genbench.plots.sample_grid"} | {
    f"genbench.likelihood.{name}"
    for name in ("ais", "bidirectional", "codecs", "cost", "histogram", "laplace", "nll", "observation")
}

TORCH = {"torch", "torchvision", "torch_fidelity", "torchmetrics", "nflows"}

# What imports by a name that is reckoned: public names when first used, a data set's own file, a recipe's function.
BY_NAME = {"genbench", "genbench.data", "genbench.catalog"}


def module(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def package(name):
    """``genbench.runs`` of ``genbench.runs.cell``."""
    return ".".join(name.split(".")[:2])


def imports(tree, at_import_time=False):
    """Modules and names imported anywhere, annotations included; or only what importing the file itself imports."""
    stack, found = [tree], set()
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            found |= {f"{start}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__"):
            found.add(named(node))
        for child in ast.iter_child_nodes(node):
            checking = isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING"
            inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            if not at_import_time or not (checking or inner):
                stack.append(child)
    return found


def called(node):
    """The last name of what a call calls."""
    return getattr(node.func, "id", None) or getattr(node.func, "attr", None)


def named(node):
    """The module that a call of ``import_module`` names; ``?`` where it is reckoned."""
    first = node.args[0] if node.args else next((word.value for word in node.keywords if word.arg == "name"), None)
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else "?"


@cache
def with_torch():
    """Modules whose import imports torch: by themselves, by what they import, or by the packages that they are in."""
    trees = {module(path): ast.parse(path.read_text()) for path in FILES}
    needed = {name: reached(imports(tree, at_import_time=True)) | above(name) for name, tree in trees.items()}
    found = set()
    while more := {name for name, others in needed.items() if name not in found and others & (TORCH | found)}:
        found |= more
    return frozenset(found)


def above(name):
    """The packages that a module is in, which are imported before it."""
    return {name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1)}


def reached(found):
    """What may be a module among imported names, and every package above it."""
    return found | {package for i in found for package in above(i)}


def broken(name, tree):
    """The imports of module ``name`` that break a rule of the layout."""
    own = package(name)
    found = imports(tree)
    out = {i for i in found if i.split(".")[0] in ("tests", "benchmarks", "")}  # the empty word begins a relative one
    out |= found & {"?"} if name not in BY_NAME else set()
    ours = {i for i in found if i.split(".")[0] in ("genbench", "families")}
    out |= {i for i in ours if package(i) not in ALLOWED[own] | {own} and (own, package(i)) != DOOR}
    if name.startswith(NO_TORCH) and name not in ANY_TORCH:
        out |= {i for i in imports(tree, at_import_time=True) if reached({i}) & (TORCH | with_torch())}
    return out


def arrows():
    """Every module of ours and the modules of ours that it imports, annotations included."""
    trees = {module(path): ast.parse(path.read_text()) for path in FILES}
    found = {}
    for name, tree in trees.items():
        named = {i if i in trees else i.rpartition(".")[0] for i in imports(tree)}
        found[name] = {i for i in named if i in trees and i != name and (name, package(i)) != DOOR}
    return found


def circles(arrows):
    """Modules that import each other: what stays when what imports nothing more is taken away, again and again."""
    left = dict(arrows)
    while free := [name for name, others in left.items() if not any(other in left for other in others)]:
        for name in free:
            del left[name]
    while free := [name for name in left if not any(name in others for others in left.values())]:
        for name in free:
            del left[name]
    return sorted(left)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_run_one_way(path):
    assert not broken(module(path), ast.parse(path.read_text()))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("families.gan.x", "from families.flow.realnvp import realnvp"),
        ("families.gan.x", "import genbench.training.fit"),
        ("families.gan.x", "from genbench import metrics"),
        ("families.layers.x", "def f():\n    from families.gan import model"),
        ("families.layers.x", "from families.adversarial import losses"),
        ("families.adversarial.x", "if TYPE_CHECKING:\n    from families.gan.model import GAN"),
        ("genbench.tables.rows", "from genbench.runs import runner"),
        ("genbench.tables.rows", "import torch"),
        ("genbench.records.record", "from torch import Tensor"),
        ("genbench.metrics.fid", "from genbench.training.fit import fit"),
        ("genbench.likelihood.ais", "from genbench.implicit import ImplicitModel"),
        ("genbench.runs.runner", "import families"),
        ("genbench.interface", "from genbench.catalog import build"),
        ("genbench.spec", "from genbench.interface import Step"),
        ("genbench.runs.cell", "from tests import toys"),
        ("genbench.runs.cell", "from . import worker"),
        ("genbench.tables.rows", "from ..runs import runner"),
        ("genbench.tables.rows", "def f():\n    import_module('genbench.runs.runner')"),
        ("families.gan.x", "importlib.import_module('families.flow.realnvp')"),
        ("families.gan.x", "__import__(name='genbench.training.fit')"),
        ("genbench.tables.rows", "import_module(f'genbench.{name}')"),
        ("genbench.tables.rows", "from genbench.spec import DataSpec"),
        ("genbench.catalog", "from genbench.interface import Kind"),
        ("genbench.plots.scatter", "import genbench.likelihood.nll"),
        ("genbench.runs.overrides", "from genbench.data.variants import VARIANTS"),
    ],
)
def test_the_rule_sees_a_breach(name, code):
    assert broken(name, ast.parse(code))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("genbench.tables.rows", "if TYPE_CHECKING:\n    from genbench.spec import DataSpec"),
        ("genbench.tables.rows", "def f():\n    from genbench.spec import DataSpec"),
        ("genbench.tables.rows", "import_module('genbench.records.record')"),
        ("genbench.plots.scatter", "from genbench.likelihood import effort"),
    ],
)
def test_the_rule_lets_through_what_costs_no_torch(name, code):
    assert not broken(name, ast.parse(code))


def test_what_may_import_by_a_reckoned_name_does():
    reckoned = {module(path) for path in FILES if "?" in imports(ast.parse(path.read_text()))}
    assert reckoned == BY_NAME


def test_the_one_door_is_used_and_no_wider():
    tree = ast.parse((ROOT / "genbench" / "interface.py").read_text())
    through = {i for i in imports(tree) if package(i) == DOOR[1]}
    assert through == {f"genbench.training.{name}" for name in ("fit.fit", "config.FitConfig", "config.FitReport")}
    assert not {i for i in imports(tree, at_import_time=True) if package(i) == DOOR[1]}


def test_no_module_imports_itself_by_way_of_others():
    assert not circles(arrows())


def test_a_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c"]


def test_every_package_has_a_place():
    assert {package(module(path)) for path in FILES} == set(ALLOWED)


def test_files_hold_one_concept():
    long = {module(path): n for path in [*FILES, *UNSHIPPED] if (n := len(path.read_text().splitlines())) > 300}
    assert not long


# One reader of each kind of file that a stranger may have written: it names the formats, and believes no header.
READERS = {"Image.open(": {"genbench.image_file"}, "np.load(": set(), "zipfile": {"genbench.array_file"}}


def test_files_of_strangers_are_opened_in_one_place():
    texts = {module(path): path.read_text() for path in FILES}
    assert {call: {name for name, text in texts.items() if call in text} for call in READERS} == READERS


def test_input_is_never_checked_by_assert():
    asserts = [
        f"{module(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]
    assert not asserts
