"""The name of every file of a run and of a cell, and the paths that are made of them.

A run's folder holds :data:`SUITE`, :data:`RUNS`, the tables, and ``cells/DATASET/LABEL/seed-N`` for each cell.
"""

from __future__ import annotations

from pathlib import Path

SUITE = "suite.toml"  # of a run: what was asked for, resolved
RUNS = "runs.json"  # of a run: when it was run, and how long its cells took
CELLS = "cells"  # of a run: the folder of all cells
TABLES = ("csv", "md", "tex", "json")  # of a run: the forms of table.*
REPORT = "report.html"  # of a run

RECORD = "record.json"  # of a cell: every figure; a folder that has it is whole
SAMPLES = "samples.npy"
GRID = "samples.png"
HISTORY = "history.csv"
FRACTIONS = "fractions.npy"  # of a cell trained by the clock: float64, one a batch
CONFIGURATION = "cell.json"  # of an unfinished cell; a finished one has it in its stamp
ERROR = "error.txt"  # of a failed cell: the traceback
TENSORBOARD = "tensorboard"
MODEL = Path("checkpoint") / "model.safetensors"
TRAINING = Path("checkpoint") / "training.pt"


def cell_folder(run: Path, dataset: str, label: str, seed: int) -> Path:
    """Return the folder of a cell, from the slugs of its data set and label."""
    return run / CELLS / dataset / label / f"seed-{seed}"


def record_files(run: Path) -> list[Path]:
    """Return every record below a run's folder, in the order of their paths; unfinished cells have none that counts."""
    paths = sorted((run / CELLS).glob(f"*/*/seed-*/{RECORD}"))
    return [path for path in paths if not path.parent.name.endswith(".part")]
