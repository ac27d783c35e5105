"""What goes wrong, in one line: the nearest known names, a reason cut to what a line holds, a full disk."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the end of an error message: the names most like ``name``, or all where none is."""
    names = sorted(names)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(names) or 'none'}"


# What a full disk says: a limit on the size of a file stops a write in the same way.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_WORDS = ("No space left on device", "Disk quota exceeded", "File too large", "file write failed")


def disk_full(error: BaseException | None) -> bool:
    """Say whether an error, or its cause, is that of a full disk. torch and safetensors say it in words only."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if any(words in str(error) for words in FULL_WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False


def reason(error: BaseException) -> str:
    """Return an error in one line, however many it has."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = "" if isinstance(error, ValueError) and lines else f"{type(error).__name__}: "
    return (name + (lines[0] if lines else "")).removesuffix(": ")[:300]


def named(error: BaseException) -> str:
    """Return the first line of an error's message, cut to what a line holds."""
    first = (str(error).strip().splitlines() or [""])[0].partition(". ")[0][:120]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
