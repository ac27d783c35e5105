"""The table as Parquet: a typed column for each key, for data frames and databases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genbench.files import written_whole
from genbench.tables.keys import FACTS, TYPES
from genbench.tables.texts import Row


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write rows of :func:`genbench.tables.rows.rows`: figures as float64, absent as null, mappings as JSON texts.

    A key has the same type whichever rows there are, so that files of several runs go together.

    Raises:
        ValueError: where pyarrow is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise ValueError("--format parquet takes pyarrow: pip install 'genbench[parquet]'") from error
    from pandas import DataFrame

    keys = list(rows[0]) if rows else []
    frame = DataFrame([[_plain(row[key]) for key in keys] for row in rows], columns=keys, dtype=object)
    schema = pyarrow.schema([(key, _type(pyarrow, key)) for key in keys])
    with written_whole(path) as part:
        frame.to_parquet(part, engine="pyarrow", index=False, schema=schema)


def _plain(value: Any) -> Any:  # noqa: ANN401 - anything that a row holds
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str) if isinstance(value, Mapping) else value


def _type(pyarrow: Any, key: str) -> Any:  # noqa: ANN401 - the module, and its type
    kinds = {float: pyarrow.float64(), int: pyarrow.int64(), bool: pyarrow.bool_()}
    one = kinds.get(TYPES[key], pyarrow.string())
    return pyarrow.list_(one) if key in FACTS and FACTS[key].many else one
