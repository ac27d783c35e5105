"""How numbers, stamps and states become texts: one module for every format."""

from __future__ import annotations

import math
from typing import Any

Row = dict[str, Any]

ABSENT = "–"
UNCONVERGED = "unconverged"
MARK = "†"  # behind the label of a row that nothing ranks
COPIES = "‡"  # behind that of one among whose samples are images of the data
MARKS = {"exact": "=", "bound": "≤", "estimate": "~"}
KINDS = {"exact": "exact", "bound": "an upper bound", "estimate": "an estimate"}


def number(value: float | None, decimals: int | None = None) -> str:
    """Return a number in three digits, whole ones whole, thousands apart: ``1.22``, ``45.3``, ``1,365``; ∞ as it is."""
    if value is None or math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if decimals is None:
        decimals = places(value)
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−")


def places(value: float) -> int:
    """Return the decimals that leave three significant digits, four at most."""
    if value == 0 or not math.isfinite(value):
        return 0
    exponent = int(f"{value:.2e}".partition("e")[2])  # of the rounded value: 0.9999 is 1.00
    return min(4, max(0, 2 - exponent))


def count(value: float | None) -> str:
    """Return a whole number; from ten thousand in thousands or millions: ``640``, ``413k``, ``1.23M``."""
    if value is None:
        return ""
    for least, unit, name in ((999.5e6, 1e9, "G"), (999.5e3, 1e6, "M"), (1e4, 1e3, "k")):
        if value >= least:
            return f"{number(value / unit)}{name}"
    return f"{value:,.0f}"


def phrase(value: Any, name: str = "") -> str:  # noqa: ANN401 - anything that JSON has
    """Return a stamp's value, of that ``name``, in a line of words; hashes are cut to eight digits."""
    if isinstance(value, dict):
        parts = [f"{name} {text}" for name, item in value.items() if (text := phrase(item, name))]
        return ", ".join(parts)
    if isinstance(value, (list, tuple)):
        return ("×" if name == "shape" else " / ").join(map(phrase, value))
    if isinstance(value, str):
        return value[:8] if len(value) >= 32 and all(c in "0123456789abcdef" for c in value) else value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return f"{value:,.0f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def label(row: Row) -> str:
    """Return the row's label, with marks behind it where nothing ranks what its model says, and where it copies."""
    marks = [MARK] * (row["checked"] is False) + [COPIES] * bool(row["copied"])
    return " ".join([str(row["label"]), *marks])


def status(row: Row) -> str:
    """Return ``diverged`` or ``failed``, or an empty text where all is well."""
    return row["status"] if row["status"] in ("diverged", "failed") else ""


def bits(row: Row) -> str:
    """Return ``≤ 1.613 ± 0.012``: kind, bits per dimension, deviation over seeds or else standard error over images.

    The text is ``diverged`` or ``failed`` where that is what came of the row.
    """
    if row["nll_bpd"] is None:
        return status(row)
    error = row["nll_se"] if row["nll_bpd_std"] is None else row["nll_bpd_std"]
    text = f"{MARKS[row['nll_kind']]} {number(row['nll_bpd'], 3)}"
    text += f" ± {number(error, 3)}" if error else ""
    return text + (f" {UNCONVERGED}" if row["nll_converged"] is False else "")


def covered(row: Row) -> str:
    """Return the classes among the samples: ``10 of 10``; ``8.7 ± 0.6 of 10`` where seeds differ."""
    value = row["classes_covered"]
    error = row["classes_covered_std"]
    if value is None:
        return ""
    return f"{f'{number(value, 1)} ± {number(error, 1)}' if error else number(value, 0)} of {row['classes']}"


def rank(row: Row) -> str:
    """Return the rank of the likelihood, such as ``1 of 2``."""
    return "" if row["nll_rank"] is None else f"{row['nll_rank']} of {row['nll_ranked']}"


def method(row: Row) -> str:
    """Return how the likelihood was computed, ``ais, 2 draws, noise added``, and what it is given, if it differs."""
    if row["nll_method"] is None:
        return ""
    parts = [row["nll_method"] or "unnamed"]
    if row["nll_draws"] > 1:
        worth = "" if row["nll_ess"] is None else f" ({number(row['nll_ess'])} effective)"
        parts += [f"{row['nll_draws']} draws{worth}"]
    parts += [f"{row['nll_effort']} effort"] if row["nll_effort"] != "fast" else []
    parts += work(row)
    if row["nll_given"] != row["given"]:
        parts += [f"given {' and '.join(row['nll_given']) or 'nothing'}"]
    parts += [f"{row['nll_images']} images"] if row["nll_kind"] == "estimate" else []
    parts += ["noise added"] if row["nll_observation"] == "added" else []
    return ", ".join(parts)


def work(row: Row) -> list[str]:
    """Return how often an effort's work was done, the most of several seeds; nothing where that was once."""
    most = row["nll_work"] or 1
    return [f"{'up to ' if len(row['seeds']) > 1 else ''}{most} × the work"] if most > 1 else []


def conditions(row: Row) -> str:
    """Return what a row is given, ``caption (synthetic)``: captions that its data set made say so."""
    made = "captions" in (row["stamp"] or {})
    return " and ".join(f"{name} (synthetic)" if made and name == "caption" else name for name in row["given"])


def seeds(row: Row) -> str:
    """Return the number of seeds: ``3``, or ``2 of 3`` where the others ended otherwise."""
    done = len(row["seeds"])
    run = row["seeds_run"]
    return str(done) if done == run else f"{done} of {run}"
