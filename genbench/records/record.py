"""What one cell writes: every figure beside how it was measured. Tables and reports read this and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from genbench.errors import complaint, made_printable
from genbench.files import check_regular, written_whole
from genbench.records import layout
from genbench.records.parts import (
    Accuracy,
    Agreement,
    Anomaly,
    CaptionAgreement,
    Collapse,
    Count,
    DomainAccuracy,
    Fit,
    Joint,
    Likelihood,
    MaskError,
    Paired,
    Part,
    Parzen,
    Quality,
    Rank1,
    Reconstruction,
    Shadow,
    Speed,
)
from genbench.records.protocol import Protocol

Status = Literal["done", "diverged", "failed", "anchor", "evaluated"]


class Record(Part):
    """One cell: data set × recipe × seed, or an anchor.

    Args:
        dataset: the data set's name, as asked: ``mnist5k``, ``edges:mnist5k``.
        recipe: the recipe's name in the catalogue, or an anchor's name (``real (test)``, ``noise``, ``uniform`` …).
        label: the row's label in the table.
        setting: the rules of training beside the recipe's loss, in words, where the model says so.
        given: what samples are conditioned on; rows are ranked only among equals.
        labelled: the number of training images that kept their label, where not all did.
        trained_on: the feature extractor that the model was trained on, if any: no figure under that one says anything.
        status: how the cell ended: ``anchor`` for anchors, ``evaluated`` for samples of a model that was not trained
            here; ``diverged`` and ``failed`` carry a ``reason``.
        accuracy: the share of test images that the model itself puts in their class.
        taught: the accuracy on test images of a classifier that has learned from the samples alone.
        abilities: the picture of each ability, or why there is none: ``failed: …``.
        digests: the SHA-256 of ``samples`` and trained ``weights``, by which a cell made again is known to be the same.
        stamp: the protocol: data hashes, split, counts, levels, extractor and hash, resize, draws, precision, device,
            threads, versions, git revision, budget, checkpoint rule, the command that makes the row again.
        seconds: the seconds that each stage of the cell took: ``fit``, ``sample``, ``nll`` …
    """

    dataset: str
    recipe: str
    label: str
    family: str
    seed: Count
    options: dict[str, Any] = Field(default_factory=dict)
    given: tuple[str, ...] = ()
    labelled: Count | None = None
    setting: str | None = None
    trained_on: str | None = None
    status: Status
    reason: str | None = None
    params: Count | None = None
    fit: Fit | None = None
    test: Likelihood | None = None
    train: Likelihood | None = None
    extractor: str | None = None
    quality: Quality | None = None
    speed: Speed | None = None
    agreement: Agreement | None = None
    caption: CaptionAgreement | None = None
    collapse: Collapse | None = None
    parzen: Parzen | None = None
    paired: Paired | None = None
    shadow: Shadow | None = None
    rank_1: Rank1 | None = None
    domains: DomainAccuracy | None = None
    taught: Accuracy | None = None
    accuracy: Accuracy | None = None
    anomaly: Anomaly | None = None
    reconstruction: Reconstruction | None = None
    joint: Joint | None = None
    mask: MaskError | None = None
    abilities: dict[str, str] = Field(default_factory=dict)
    peak_memory_mb: float | None = None
    seconds: dict[str, float] = Field(default_factory=dict)
    digests: dict[str, str] = Field(default_factory=dict)
    stamp: dict[str, Any] = Field(default_factory=dict)

    @field_validator("stamp")
    @classmethod
    def _stamp(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Check the parts of a stamp that anything is computed from, and keep it as it is."""
        Protocol.model_validate(value)
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _printable(cls, value: Any) -> Any:  # noqa: ANN401 - whatever a field has
        """Take the control characters out of a stranger's record, and of whatever else is said in one."""
        return made_printable(value)

    def write(self, folder: Path) -> Path:
        """Write ``record.json`` into ``folder``, whole or not at all."""
        with written_whole(folder / layout.RECORD) as part:
            part.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return folder / layout.RECORD

    @classmethod
    def read(cls, folder: Path) -> Record:
        """Read ``record.json`` of a cell's ``folder``; ``ValueError`` names the file where it is not a record."""
        path = folder / layout.RECORD
        if path.exists():
            check_regular(path)
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ValueError(f"record {path}: {complaint(error)}") from error
        except OSError as error:
            raise ValueError(f"record {path}: cannot be read ({error.strerror})") from error


@dataclass(frozen=True)
class StoredCell:
    """A record with the folder that it was read from."""

    record: Record
    folder: Path


class Records(list[Record]):
    """The records of runs, in order; ``cells`` have their folders too, ``notes`` say what was left out, and why."""

    def __init__(self, cells: Iterable[StoredCell] = (), notes: Iterable[str] = ()) -> None:
        self.cells = list(cells)
        self.notes = list(notes)
        super().__init__(cell.record for cell in self.cells)


def records(*folders: Path) -> Records:
    """Return every record below the runs' folders, folder by folder, in the order of their paths.

    What cannot be read, and what lies beside the cells and is none, is left out and noted.

    Raises:
        ValueError: for a folder without records, or without one that can be read.
    """
    kept: list[StoredCell] = []
    notes: list[str] = []
    anchors: dict[str, int] = {}
    for folder in {folder.resolve(): folder for folder in folders}.values():
        found, said = _read(folder)
        notes += said
        for cell in found:
            record = cell.record
            same = record.model_dump_json(include={"dataset", "label", "seed", "test", "train", "quality", "extractor"})
            if record.status != "anchor":
                kept.append(cell)
            elif same not in anchors:  # runs on the same data share their anchors
                anchors[same] = len(kept)
                kept.append(cell)
            elif kept[anchors[same]].record.collapse is None:  # of a run from before it was measured
                kept[anchors[same]] = cell
    return Records(kept, notes)


def _read(folder: Path) -> tuple[list[StoredCell], list[str]]:
    """Return the cells of a run, and what is to be said of the others."""
    cells: list[StoredCell] = []
    notes: list[str] = []
    for path in layout.record_files(folder):
        try:
            cell = StoredCell(Record.read(path.parent), path.parent)
        except ValueError as error:
            notes.append(f"Left out: {error}.")
            continue
        if cell.folder.name == f"seed-{cell.record.seed}":
            cells.append(cell)
        else:
            notes.append(f"Left out: record {path}: of seed {cell.record.seed}, which another folder's name says.")
    notes += [f"Left out: {path}, no cell: these are called seed-N." for path in layout.copies(folder)]
    if not cells:
        none = "no records below it; give the folder that `genbench run --out` wrote"
        raise ValueError(notes[0].removeprefix("Left out: ").removesuffix(".") if notes else f"{folder}: {none}")
    return cells, notes
