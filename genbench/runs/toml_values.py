"""Values as TOML has them: NumPy's as numbers and lists, lists on one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tomli_w

DEEPEST = 20
SINGLE = "give a number, a text, true, false or a list"


def to_value(value: Any) -> str:  # noqa: ANN401 - any TOML value
    """Return a value on one line, as TOML has it behind ``key =``; NumPy's scalars and arrays as numbers and lists.

    Raises:
        ValueError: for what TOML has no word for, such as None, and for a mapping, which is a table there.
    """
    if isinstance(value, Mapping):
        raise ValueError(f"value {value!r}: a mapping is no single value; {SINGLE}")
    return (
        lists_on_one_line(tomli_w.dumps({"value": _plain(value, "value", tables=False)}, indent=0))
        .removeprefix("value = ")
        .strip()
    )


def plain_mapping(values: Mapping[str, Any], deep: int = 0) -> dict[str, Any]:
    """Return options with values in Python's own types; one of None is left out."""
    return {name: _plain(value, f"option {name}", deep=deep) for name, value in values.items() if value is not None}


def _plain(value: Any, name: str, *, tables: bool = True, deep: int = 0) -> Any:  # noqa: ANN401 - any TOML value
    """Return a value in Python's own types, with lists for tuples, as it comes back from a file.

    Raises:
        ValueError: for what TOML has no word for, for mappings without ``tables``, and for what is nested more than
            :data:`DEEPEST` times; it names ``name``.
    """
    if deep > DEEPEST:
        raise ValueError(f"{name}: nested more than {DEEPEST} deep")
    if hasattr(value, "tolist"):  # NumPy's, by what they answer: an import of it would slow down every command
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(part, name, tables=tables, deep=deep + 1) for part in value]
    if tables and isinstance(value, Mapping):
        return plain_mapping(value, deep + 1)
    if not isinstance(value, str | bool | int | float):
        raise ValueError(f"{name} {value!r}: {SINGLE}")
    return value


def lists_on_one_line(text: str) -> str:
    """Return TOML that tomli-w wrote without indent, with lists as people write them: ``[1, 2]``.

    Within texts tomli-w escapes new lines, so that every one that stands here as such is between values.
    """
    return text.replace("[\n", "[").replace(",\n]", "]").replace(",\n", ", ")


def document(values: Mapping[str, Any], name: str, tables: Sequence[Mapping[str, Any]]) -> str:
    """Return values as TOML, and below them ``tables``, each under a ``[[name]]`` of its own.

    By itself tomli-w writes short ones as one array; a table each is what people add rows to.
    """
    below = (tomli_w.dumps({name: table}, indent=0).replace(f"[{name}]", f"[[{name}]]", 1) for table in tables)
    return lists_on_one_line("\n".join([tomli_w.dumps(values, indent=0), *below]))
