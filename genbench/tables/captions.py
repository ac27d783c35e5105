"""What stands above and below a table: its title, the protocol of its rows, footnotes."""

from __future__ import annotations

from collections.abc import Sequence

from genbench.tables.columns import COLUMNS
from genbench.tables.texts import Row, phrase, status

FACTS = (
    *("budget", "batch", "data", "count", "extractor", "checkpoint", "precision"),
    *("device", "accelerator", "processor", "thread"),
)


def protocol(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return what the rows were measured under, by their stamps: name and text; where rows differ, every value.

    Rows that diverged or failed say nothing here as long as others do: their stamps break off where they did.
    """
    whole = [row for row in rows if row["status"] in ("done", "anchor")] or list(rows)
    facts: list[tuple[str, str]] = []
    for word in FACTS:
        for key in dict.fromkeys(key for row in whole for key in row["stamp"] if key.startswith(word)):
            said = dict.fromkeys(phrase(row["stamp"][key]) for row in whole if key in row["stamp"])
            if text := " / ".join(item for item in said if item):
                facts.append((key.replace("_", " "), text))
    counts = dict.fromkeys(
        f"{row['sample_images']:,} against {row['reference_images']:,}" for row in whole if row["sample_images"]
    )
    return facts + ([("samples against reference", " / ".join(counts))] if counts else [])


def title(rows: Sequence[Row]) -> str:
    """Return the suite's title and the data set."""
    titles = dict.fromkeys(t for row in rows if isinstance(t := row["stamp"].get("title"), str) and t)
    return f"{' / '.join(titles)}: {rows[0]['dataset']}" if titles else str(rows[0]["dataset"])


def footnotes(rows: Sequence[Row]) -> list[str]:
    """Return what the columns and marks of these rows mean, one sentence or two a note; only what occurs."""
    notes = [note for column in COLUMNS for note in column.notes(rows)]
    if any(row["status"] == "anchor" for row in rows):
        notes.append("Anchors, below the recipes, fix the scale; they are no models and are not ranked.")
    for row in rows:
        if status(row):
            which = ", ".join(map(str, row["seeds"]))
            notes.append(f"{row['label']}, seed {which}, {row['status']}: {row['reason'] or 'no reason was recorded'}.")
    said = dict.fromkeys(note for row in rows for note in row["notes"] or ())
    return [*notes, *said]
