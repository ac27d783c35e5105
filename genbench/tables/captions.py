"""What stands above and below a table: its title, the protocol of its rows, footnotes."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from genbench.tables.columns import FIGURES
from genbench.tables.figure import Column, OfMark
from genbench.tables.texts import Row, phrase, status
from genbench.tables.view import Detail

LETTERS = [*ascii_lowercase, *(2 * letter for letter in ascii_lowercase)]
FACTS = (
    *("budget", "batch", "data", "count", "extractor", "checkpoint", "precision"),
    *("device", "accelerator", "processor", "thread"),
)
OF_TRAINING = ("budget", "batch", "checkpoint", "precision", "device", "accelerator", "processor", "thread")
LEFT_OUT = {"nll": "likelihoods", "fid": "FID and its kin", "speed": "speed"}  # by the names of a run's ``measures``


def protocol(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return what the rows were measured under, by their stamps: name and text; where rows differ, every value.

    Rows that diverged or failed say nothing here as long as others do: their stamps break off where they did. How
    training went is said of rows that were trained, where there are any, and not of anchors.
    """
    whole = [row for row in rows if row["status"] in ("done", "anchor")] or list(rows)
    trained = [row for row in whole if row["status"] == "done"] or whole
    facts: list[tuple[str, str]] = []
    for word in FACTS:
        mine = trained if word in OF_TRAINING else whole
        for key in dict.fromkeys(key for row in mine for key in row["stamp"] if key.startswith(word)):
            said = dict.fromkeys(phrase(row["stamp"][key]) for row in mine if key in row["stamp"])
            if text := " / ".join(item for item in said if item):
                facts.append((key.replace("_", " "), text))
    counts = dict.fromkeys(
        f"{row['sample_images']:,} against {row['reference_images']:,}" for row in whole if row["sample_images"]
    )
    return facts + ([("samples against reference", " / ".join(counts))] if counts else [])


def header(rows: Sequence[Row]) -> str:
    """Return the protocol in one line."""
    return "; ".join(f"{name}: {text}" for name, text in protocol(rows))


def by_dataset(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the rows of each data set, in their order; anchors with all their figures stand once, with the first.

    A data set that has no others is left out.
    """
    seen: set[Hashable] = set()
    for name in dict.fromkeys(row["dataset"] for row in rows):
        mine = []
        for row in rows:
            if row["dataset"] == name:
                figures = (row["recipe"], *(row[figure.key] for figure in FIGURES))
                if row["status"] != "anchor" or figures not in seen:
                    mine.append(row)
                    seen.add(figures)
        if mine:
            yield name, mine


def title(rows: Sequence[Row]) -> str:
    """Return the suite's title and the data set."""
    titles = dict.fromkeys(t for row in rows if isinstance(t := row["stamp"].get("title"), str) and t)
    return f"{' / '.join(titles)}: {rows[0]['dataset']}" if titles else str(rows[0]["dataset"])


@dataclass(frozen=True)
class Note:
    """A footnote, and what it belongs to.

    Args:
        text: one sentence or two.
        mark: the letter of the column that it explains, which stands behind its heading; empty for other notes.
        warning: whether it is about rows, and what a reader has to know before any figure is used.
    """

    text: str
    mark: str = ""
    warning: bool = False


def letters(rows: Sequence[Row], shown: Sequence[Column]) -> dict[str, str]:
    """Return the letter of each column, by key, that has something to explain below these rows."""
    explained = dict.fromkeys(column.key for column in shown if column.notes(rows))
    return dict(zip(explained, LETTERS, strict=False))


def footnotes(rows: Sequence[Row], shown: Sequence[Column], detail: Detail = "full") -> list[Note]:
    """Return what there is to say below these rows: warnings first, then what columns and marks mean, as they occur.

    Args:
        rows: the rows, of one data set or several.
        shown: the columns that some table of them has; what others mean is left out.
        detail: how much: everything; warnings, the first note of each column and what marks mean; or nothing.
    """
    if detail == "none":
        return []
    marks = letters(rows, shown)
    explained: dict[str, Column] = {}
    for column in shown:
        explained.setdefault(column.key, column)
    notes = [Note(text, warning=True) for text in _warnings(rows)]
    for key, column in explained.items():
        texts = column.notes(rows)
        kept = [text for place, text in enumerate(texts) if detail == "full" or not place or isinstance(text, OfMark)]
        notes += [Note(text, marks[key]) for text in kept]
    if any(column.bold(row) for column in explained.values() for row in rows):
        notes.append(Note("Bold: better, by more than chance, than all the others that it is ranked with."))
    if out := [name for name in LEFT_OUT if any(name in _left_out(row) for row in rows)]:
        what = " and ".join(LEFT_OUT[name] for name in out)
        how = "genbench run … --measures nll,fid,speed --measure-again"
        notes.append(Note(f"Not measured in every row, as was asked: {what}; `{how}` does."))
    if any(row["status"] == "anchor" for row in rows) and detail == "full":
        once = "; those that data sets share stand once" if len({row["dataset"] for row in rows}) > 1 else ""
        notes.append(Note(f"Anchors, below the recipes, fix the scale{once}; they are no models and are not ranked."))
    return notes


def _left_out(row: Row) -> Sequence[str]:
    """Return the groups of figures that nobody asked for; rows of several seeds may differ in them."""
    said = row["stamp"].get("left_out") or ()
    return [name for part in said for name in ([part] if isinstance(part, str) else part or ())]


def _warnings(rows: Sequence[Row]) -> list[str]:
    """Return how rows ended that did not end well, and what is odd about others; what is said of several, once."""
    said: dict[str, list[str]] = {}
    for row in rows:
        if status(row):
            which = ", ".join(map(str, row["seeds"]))
            said[f"{row['label']}, seed {which}, {row['status']}: {row['reason'] or 'no reason was recorded'}."] = []
    for row in rows:
        for note in row["notes"] or ():
            text = note.removeprefix(f"{row['label']}: ")
            said.setdefault(text, []).extend([row["label"]] if text != note else [])
    return [f"{', '.join(dict.fromkeys(labels))}: {text}" if labels else text for text, labels in said.items()]
