"""``runs.json``: when a run's folder was run in, what was done, and how long it took, from which overhead follows."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from genbench.errors import complaint
from genbench.files import written_whole
from genbench.records import layout
from genbench.records.parts import Part


class CellEntry(Part):
    """A cell as a run found it: its folders below the run's, what was done, how that ended, in how many seconds."""

    folders: tuple[str, ...]
    how: str
    status: str | None
    seconds: float


class Entry(Part):
    """One run: its ``seconds`` in all, those that ``start_up`` had taken before, and its cells."""

    seconds: float
    start_up: float
    cells: tuple[CellEntry, ...]


ENTRIES = TypeAdapter(tuple[Entry, ...])


def read(folder: Path) -> tuple[Entry, ...]:
    """Return the runs in a folder, none where none is recorded.

    Raises:
        ValueError: for a file that holds something else; it names the first key that is wrong.
    """
    path = folder / layout.RUNS
    try:
        return ENTRIES.validate_json(path.read_bytes()) if path.is_file() else ()
    except ValidationError as error:
        raise ValueError(f"{path}: {complaint(error)}") from error


def add(folder: Path, entry: Entry) -> str | None:
    """Add a run; return what is to be said where the file was none and is put aside."""
    path = folder / layout.RUNS
    said = None
    try:
        before = read(folder)
    except ValueError as error:
        aside = path.with_name(f"{path.name}.unreadable")
        path.replace(aside)
        before = ()
        said = f"{error}; it is {aside} now, and a new one is begun"
    with written_whole(path) as part:
        part.write_bytes(ENTRIES.dump_json((*before, entry), indent=1) + b"\n")
    return said
