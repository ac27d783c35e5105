"""The name of every file of a run and of a cell, and the paths that are made of them.

A run's folder holds :data:`SUITE`, :data:`RUNS`, the tables, and ``cells/DATASET/LABEL/seed-N`` for each cell.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path

from genbench.files import check_regular, unfinished_of

SUITE = "suite.toml"  # of a run: what was asked for, resolved
RUNS = "runs.json"  # of a run: when it was run, and how long its cells took
STORAGE = ".storage"  # of a run: the name of its part of a storage
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
LOG = "log.txt"  # of a cell made on a cluster, where no terminal shows it: what it printed, if anything
TENSORBOARD = "tensorboard"
MODEL = Path("checkpoint") / "model.safetensors"
BEST = Path("checkpoint") / "best.safetensors"  # where a suite asks for what was best on validation
TRAINING = Path("checkpoint") / "training.pt"
AWAY = Path("checkpoint") / "training.uri"  # of an unfinished cell: where its training lies, in place of it

LONGEST = 100  # characters of a name in a folder's
CELL = re.compile(r"seed-\d+")


def slug(name: str) -> str:
    """Return ``name`` as a folder's name: lower case, letters, digits and single hyphens of ASCII.

    A name that has others, or is longer than a folder's may be, ends in eight digits of its hash: names that differ in
    nothing else are told apart.
    """
    plain = _plain(name)
    if name.isascii() and len(plain) <= LONGEST:
        return plain or "-"
    return f"{plain[-LONGEST:]}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}".strip("-")


def older_slug(name: str) -> str:
    """Return the folder's name that ``name`` had when nothing told such names apart."""
    return _plain(name)[-LONGEST:] or "-"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def cell_folder(run: Path, dataset: str, label: str, seed: int) -> Path:
    """Return the folder of a cell; where a run has one by an older name already, that one."""
    folders = [
        run / CELLS / data / row / f"seed-{seed}"
        for data in dict.fromkeys((slug(dataset), older_slug(dataset)))
        for row in dict.fromkeys((slug(label), older_slug(label)))
    ]
    return next((folder for folder in folders[1:] if _is_of(folder, dataset, label)), folders[0])


def _is_of(folder: Path, dataset: str, label: str) -> bool:
    """Return whether a folder, whole or not, is of that data set and label: several had one older name."""
    for path in (folder / RECORD, unfinished_of(folder) / CONFIGURATION):
        with suppress(OSError, ValueError, RecursionError):
            check_regular(path)
            said = json.loads(path.read_bytes())
            return isinstance(said, dict) and (said.get("dataset"), said.get("label")) == (dataset, label)
    return False


def record_files(run: Path) -> list[Path]:
    """Return the record of every cell below a run's folder, in the order of their paths; unfinished cells have none."""
    return [path for path in _records(run) if CELL.fullmatch(path.parent.name)]


def copies(run: Path) -> list[Path]:
    """Return the folders beside cells that have a record and are no cells: ``seed-0.bak``, ``seed-0 (copy)``."""
    folders = [path.parent for path in _records(run)]
    return [path for path in folders if not (CELL.fullmatch(path.name) or path.name.endswith(".part"))]


def _records(run: Path) -> list[Path]:
    return sorted((run / CELLS).glob(f"*/*/[!.]*/{RECORD}"))
