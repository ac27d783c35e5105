"""genbench: deep generative models of every family, trained and measured side by side."""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it: this is the console script's first import, and takes no time

if TYPE_CHECKING:
    from genbench.catalog import build
    from genbench.data.dataset import Dataset
    from genbench.implicit import ImplicitModel
    from genbench.interface import GenerativeModel, LogLikelihood, Phase, Step, Turn
    from genbench.notebook import evaluate, run, show, table
    from genbench.spec import Batch, DataSpec, Field, Split, Splits
    from genbench.training.checkpoint import load, save
    from genbench.training.config import Budget, FitConfig, FitReport, Progress
    from genbench.training.fit import fit
    from genbench.training.logs import TensorBoard
    from genbench.training.turns import Diverged

# Where each public name is. They are imported when first used (PEP 562): torch takes seconds, which most commands save.
_HOMES = {
    "catalog": ("build",),
    "data.dataset": ("Dataset",),
    "implicit": ("ImplicitModel",),
    "interface": ("GenerativeModel", "LogLikelihood", "Phase", "Step", "Turn"),
    "notebook": ("evaluate", "run", "show", "table"),
    "spec": ("Batch", "DataSpec", "Field", "Split", "Splits"),
    "training.checkpoint": ("load", "save"),
    "training.config": ("Budget", "FitConfig", "FitReport", "Progress"),
    "training.fit": ("fit",),
    "training.logs": ("TensorBoard",),
    "training.turns": ("Diverged",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Batch",
    "Budget",
    "DataSpec",
    "Dataset",
    "Diverged",
    "Field",
    "FitConfig",
    "FitReport",
    "GenerativeModel",
    "ImplicitModel",
    "LogLikelihood",
    "Phase",
    "Progress",
    "Split",
    "Splits",
    "Step",
    "TensorBoard",
    "Turn",
    "build",
    "evaluate",
    "fit",
    "load",
    "run",
    "save",
    "show",
    "table",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Return a public name, imported now."""
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    public = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = public
    return public


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
