"""The table as Parquet: a typed column for each key, for data frames and databases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genbench.files import written_whole
from genbench.tables.columns import Row

LISTS = {"seeds", "given", "nll_given", "notes", "refused"}
WHOLE = {"seeds", "labelled", "seeds_run", "nll_draws", "nll_images", "sample_images", "reference_images"}
WHOLE |= {"nll_gap_images", "parzen_samples"}
TEXTS = (
    *("dataset", "recipe", "label", "family", "status", "extractor", "stamp", "options", "plain_label", "setting"),
    *(
        "reason",
        "nll_kind",
        "nll_method",
        "nll_observation",
        "nll_effort",
        "given",
        "nll_given",
        "notes",
        "refused",
        "alike",
    ),
)


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write rows of :func:`genbench.tables.rows.rows`: figures as float64, absent as null, mappings as JSON texts.

    A key has the same type whichever rows there are, so that files of several runs go together.

    Raises:
        ValueError: where pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ValueError("--format parquet takes pyarrow: pip install 'genbench[parquet]'") from error
    keys = list(rows[0]) if rows else []
    values = {key: [_plain(row[key]) for row in rows] for key in keys}
    columns = {key: pyarrow.array(those, _type(pyarrow, key, those)) for key, those in values.items()}
    with written_whole(path) as part:
        parquet.write_table(pyarrow.table(columns), part)


def _plain(value: Any) -> Any:  # noqa: ANN401 - anything that a row holds
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str) if isinstance(value, Mapping) else value


def _type(pyarrow: Any, key: str, values: Sequence[Any]) -> Any:  # noqa: ANN401 - the module, and its type
    if key in WHOLE or key.endswith(("_rank", "_ranked")):
        one = pyarrow.int64()
    elif key.endswith(("_best", "_converged")):
        one = pyarrow.bool_()
    else:
        text = key in TEXTS or any(isinstance(value, str) for value in values)
        one = pyarrow.string() if text else pyarrow.float64()
    return pyarrow.list_(one) if key in LISTS else one
