"""genbench: deep generative models of every family, trained and measured side by side."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genbench import table
    from genbench.api import evaluate, run
    from genbench.catalog import build
    from genbench.checkpoint import load, save
    from genbench.course import Budget
    from genbench.fit import FitConfig, FitReport, Progress, fit
    from genbench.implicit import ImplicitModel
    from genbench.interface import (
        Batch,
        DataSpec,
        Field,
        GenerativeModel,
        LogLikelihood,
        Phase,
        Split,
        Splits,
        Step,
        Turn,
    )
    from genbench.player import Diverged

__all__ = [
    "Batch",
    "Budget",
    "DataSpec",
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
    "Turn",
    "build",
    "evaluate",
    "fit",
    "load",
    "run",
    "save",
    "table",
]
__version__ = "0.1.0"

# Where each name is. They are imported when first used (PEP 562): torch takes seconds, and most commands need none.
_HOMES = {"build": "catalog", "load": "checkpoint", "save": "checkpoint", "Budget": "course", "Diverged": "player"}
_HOMES |= {"ImplicitModel": "implicit"} | dict.fromkeys(("FitConfig", "FitReport", "Progress", "fit"), "fit")
_HOMES |= {"evaluate": "api", "run": "api"}


def __getattr__(name: str) -> object:
    """A public name, imported now."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "table":  # a module that can be called
        found: object = import_module(f"{__name__}.table")
    else:
        found = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'interface')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Importing ``genbench.fit`` would put the module in the place of the function of that name."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
