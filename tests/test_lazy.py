"""``import genbench`` costs nothing: names are imported when first used, and are the same names."""

import subprocess
import sys

import pytest

import genbench


def fresh(code):
    """What a new interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import genbench",
        "from genbench.app import call",
        "from genbench.catalog import recipes; recipes()",
        "from genbench.runs.suite import read; read('quick')",
        "import genbench.tables.rows, genbench.tables.page, genbench.records.record, genbench.plots.scatter",
        "import genbench.runs.spawn",
    ],
)
def test_what_needs_no_torch_imports_none(code):
    assert fresh(f"import sys; {code}; print('torch' in sys.modules)") == "False"


def test_every_public_name_is_there_and_listed():
    for name in genbench.__all__:
        assert getattr(genbench, name).__module__.startswith("genbench.")
    assert set(genbench.__all__) <= set(dir(genbench))
    assert (
        fresh("from genbench import *; print(fit.__name__, DataSpec.__name__, build.__name__)") == "fit DataSpec build"
    )


@pytest.mark.parametrize(
    "first", ["import genbench.training.fit", "from genbench.training import fit", "import genbench.training.turns"]
)
def test_fit_is_the_function_whatever_was_imported_before(first):
    code = f"{first}; import genbench; from genbench import fit; print(fit is genbench.fit, callable(fit))"
    assert fresh(code) == "True True"


def test_a_name_that_there_is_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'genbench' has no attribute 'fitt'"):
        genbench.fitt  # noqa: B018
    with pytest.raises(ImportError, match="fitt"):
        from genbench import fitt  # noqa: F401
