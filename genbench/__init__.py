"""genbench: deep generative models of every family, trained and measured side by side."""

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
    "fit",
    "load",
    "save",
]
__version__ = "0.1.0"
