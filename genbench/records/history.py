"""``history.csv``: what training logged, a line each, in columns phase, step, images, seconds and those of the logs."""

from __future__ import annotations

import csv
from pathlib import Path

from genbench.files import check_regular

PLACE = ("phase", "step", "images", "seconds")


def read_lines(path: Path) -> list[dict[str, str]]:
    """Return the lines by column; a log that had no value yet is empty.

    Raises:
        ValueError: for a file that is no CSV, lacks the columns of :data:`PLACE`, or has a line of other columns or
            with something else than numbers.
    """
    try:
        check_regular(path)
        with path.open(newline="", encoding="utf-8") as file:
            head, *lines = csv.reader(file, strict=True)
    except (OSError, ValueError, csv.Error) as error:
        raise ValueError(f"history {path}: no table of texts ({error})") from error
    if tuple(head[: len(PLACE)]) != PLACE or len(set(head)) < len(head):
        raise ValueError(f"history {path}: its columns are not {', '.join(PLACE)} and the names of logs")
    for number, line in enumerate(lines, 2):
        if len(line) != len(head):
            raise ValueError(f"history {path}, line {number}: {len(line)} columns, not {len(head)}")
        for name, value in zip(head[1:], line[1:], strict=True):
            if not _number(value, name):
                raise ValueError(f"history {path}, line {number}: {name} = {value[:80]!r} is no number")
    return [dict(zip(head, line, strict=True)) for line in lines]


def _number(text: str, name: str) -> bool:
    try:
        int(text) if name in ("step", "images") else float(text or "nan")
    except ValueError:
        return False
    return True
