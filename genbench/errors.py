"""What goes wrong, in one line: the nearest known names, a reason cut to what a line holds, a full disk."""

from __future__ import annotations

import difflib
import errno
import reprlib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

SHOWN = reprlib.Repr()
SHOWN.maxstring = SHOWN.maxother = 80


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the end of an error message: the names most like ``name``, or all where none is."""
    names = sorted(names)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(names) or 'none'}"


# What a full disk says: a limit on the size of a file stops a write in the same way.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL_WORDS = ("No space left on device", "Disk quota exceeded", "File too large", "file write failed")

# Marks that turn the direction in which the text behind them is written.
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def disk_full(error: BaseException | None) -> bool:
    """Say whether an error, or its cause, is that of a full disk. torch and safetensors say it in words only."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if any(words in str(error) for words in FULL_WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False


# What torch, CUDA's libraries and numpy say where memory runs out.
MEMORY_WORDS = ("out of memory", "can't allocate memory", "Unable to allocate", "bad_alloc", "_STATUS_ALLOC_FAILED")
LESS_MEMORY = "a smaller batch, width or number of samples takes less"


def out_of_memory(error: BaseException | None) -> bool:
    """Say whether an error, or its cause, is that of memory that ran out, be it the processor's or a GPU's."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            return True
        if isinstance(error, RuntimeError) and any(words in str(error) for words in MEMORY_WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False


def reason(error: BaseException) -> str:
    """Return an error in one line, however many it has."""
    if out_of_memory(error):
        said = " ".join(str(error).split())[:160]
        return f"out of memory{f' ({said})' if said else ''}; {LESS_MEMORY}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = "" if isinstance(error, ValueError) and lines else f"{type(error).__name__}: "
    return printable((name + (lines[0] if lines else "")).removesuffix(": ")[:300])


def short(error: BaseException) -> str:
    """Return the first line of an error's message, or its kind where it has none, to stand in brackets."""
    return printable((str(error).splitlines() or [""])[0][:100] or type(error).__name__)


def printable(text: str) -> str:
    r"""Return a text that moves and colours nothing where it is printed: control characters as ``\x1b`` and the like.

    So are marks that turn the direction of writing, and halves of pairs, which no encoding has. New lines and tabs
    stay.
    """
    return "".join(c if c in "\n\t" or not _commands(c) else ascii(c)[1:-1] for c in text)


def made_printable(value: Any) -> Any:  # noqa: ANN401 - anything that JSON has
    """Return a value as JSON has it, every text in it :func:`printable`."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {made_printable(name): made_printable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(made_printable, value))
    return value


def _commands(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in TURNING


def named(error: BaseException) -> str:
    """Return the first line of an error's message, cut to what a line holds."""
    first = (str(error).strip().splitlines() or [""])[0].partition(". ")[0][:120]
    return printable(f"{type(error).__name__}: {first}" if first else type(error).__name__)


def complaint(error: ValidationError) -> str:
    """Return the first complaint of a model in a line: the key by its dotted path, its value, and what would do."""
    what = error.errors(include_url=False)[0]
    path = ".".join(map(str, what["loc"]))
    if what["type"] == "missing":
        return f"key {path} is missing"
    said = what["msg"].removeprefix("Value error, ")
    return f"{path} = {shown(what['input'])}: {said}" if path else said


def shown(value: object) -> str:
    """Return a value as an error shows it, cut to what a line holds."""
    try:
        return SHOWN.repr(value)
    except ValueError:  # a number of so many digits that Python prints it nowhere
        return "…"
