"""What killed runs leave behind, removed by the next."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from genbench.files import LOCK, held
from genbench.records import layout

PARTS = ".*.part"  # files that were being written


def check_unlinked(run: Path) -> None:
    """Refuse a run in whose cells a folder is a link: what is written and removed there would lie somewhere else.

    An unfinished cell's own link is no matter: it is removed, and the cell begun anew.

    Raises:
        ValueError: for the first such link.
    """
    cells = run / layout.CELLS
    for place in chain([cells], cells.glob("*"), cells.glob("*/*"), cells.glob("*/*/*")):  # a level behind the other
        if place.is_symlink() and place.suffix != ".part":
            raise ValueError(f"{place}: is a link, and cells would be written elsewhere; put the folder itself there")


def tidy(folder: Path) -> None:
    """Remove from a whole cell what only an unfinished one needs, and what a write that was killed has left.

    The training stays, for whoever gives it a larger budget.
    """
    for name in (layout.CONFIGURATION, layout.AWAY, LOCK):
        (folder / name).unlink(missing_ok=True)
    _remove(folder.rglob(PARTS))


def sweep(run: Path) -> None:
    """Remove what killed runs left in a run's folder, whose lock this process holds; what can be gone on with stays."""
    _remove(run.glob(PARTS))
    for folder in (run / layout.CELLS).glob("*/*/seed-*"):
        if layout.CELL.fullmatch(folder.name) and (folder / layout.RECORD).is_file():
            tidy(folder)
            shutil.rmtree(folder.with_name(f".{folder.name}.old"), ignore_errors=True)
        elif folder.suffix == ".part" and not (folder / layout.CONFIGURATION).is_file():
            shutil.rmtree(folder, ignore_errors=True)
    for folder in (run / layout.CELLS).glob("*/*/.seed-*.failed"):
        shutil.rmtree(folder, ignore_errors=True)


def swept(folders: Iterable[Path]) -> None:
    """Remove folders in which nobody is at work any more; one without a lock is only just being made."""
    for folder in folders:
        if (folder / LOCK).is_file() and not held(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if not path.is_dir():
            path.unlink(missing_ok=True)
