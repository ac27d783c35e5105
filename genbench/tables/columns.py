"""How numbers become texts: the columns that people read, their headings, marks and units."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

ABSENT = "–"
MARKS = {"exact": "=", "bound": "≤", "estimate": "~"}


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        head: heading with its unit, an arrow where smaller or greater is better.
        text: of a row; empty where there is nothing to say.
        key: what it sorts by.
        best: the row's key that says it beats all that it may be compared with.
        right: aligned to the right, as numbers are.
        drop: columns with greater numbers go first where a terminal is narrow; 0 stays.
        extractor: the only one whose figures it shows.
    """

    head: str
    text: Callable[[Row], str]
    key: str
    best: str | None = None
    right: bool = True
    drop: int = 0
    extractor: str | None = None

    def cell(self, row: Row) -> str:
        """What stands in the row."""
        if self.extractor is not None and row["extractor"] != self.extractor:
            return ""
        return self.text(row)

    def bold(self, row: Row) -> bool:
        """Whether the row is best, and by more than chance."""
        return bool(self.best and row[self.best] and self.cell(row))


def number(value: float | None, decimals: int | None = None) -> str:
    """Three significant digits, whole numbers whole, thousands apart: ``1.22``, ``45.3``, ``1,365``; ∞ as it is."""
    if value is None or math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if decimals is None:
        decimals = places(value)
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−")


def places(value: float) -> int:
    """Decimals that leave three significant digits, four at most."""
    if value == 0 or not math.isfinite(value):
        return 0
    exponent = int(f"{value:.2e}".partition("e")[2])  # of the rounded value: 0.9999 is 1.00
    return min(4, max(0, 2 - exponent))


def count(value: float | None) -> str:
    """A whole number; from ten thousand in thousands or millions: ``640``, ``413k``, ``1.23M``."""
    if value is None:
        return ""
    for least, unit, name in ((999.5e6, 1e9, "G"), (999.5e3, 1e6, "M"), (1e4, 1e3, "k")):
        if value >= least:
            return f"{number(value / unit)}{name}"
    return f"{value:,.0f}"


def spread(key: str, scale: float = 1.0, decimals: int | None = None) -> Callable[[Row], str]:
    """A figure times ``scale`` ± its deviation over seeds, or else its standard error over images if it has one."""

    def text(row: Row) -> str:
        value, error = row[key], row.get(f"{key}_std")
        if value is None:
            return ""
        error = row.get(f"{key}_se") or None if error is None else error
        chosen = places(value * scale) if decimals is None else decimals
        shown = number(value * scale, chosen)
        return shown if error is None else f"{shown} ± {number(error * scale, chosen)}"

    return text


def bits(row: Row) -> str:
    """``≤ 1.613 ± 0.012``: kind, bits per dimension, deviation over seeds or else standard error over images.

    ``diverged`` or ``failed`` where that is what came of the row.
    """
    if row["nll_bpd"] is None:
        return status(row)
    error = row["nll_se"] if row["nll_bpd_std"] is None else row["nll_bpd_std"]
    text = f"{MARKS[row['nll_kind']]} {number(row['nll_bpd'], 3)}"
    text += f" ± {number(error, 3)}" if error else ""
    return text + (" unconverged" if row["nll_converged"] is False else "")


def covered(row: Row) -> str:
    """Classes among the samples: ``10 of 10``; ``8.7 ± 0.6 of 10`` where seeds differ."""
    value, error = row["classes_covered"], row["classes_covered_std"]
    if value is None:
        return ""
    return f"{f'{number(value, 1)} ± {number(error, 1)}' if error else number(value, 0)} of {row['classes']}"


def rank(row: Row) -> str:
    """``1 of 2``."""
    return "" if row["nll_rank"] is None else f"{row['nll_rank']} of {row['nll_ranked']}"


def method(row: Row) -> str:
    """How the likelihood was computed: ``ais, 2 draws, noise added``; what it is given, if samples are given other."""
    if row["nll_method"] is None:
        return ""
    parts = [row["nll_method"] or "unnamed"]
    if row["nll_draws"] > 1:
        worth = "" if row["nll_ess"] is None else f" ({number(row['nll_ess'])} effective)"
        parts += [f"{row['nll_draws']} draws{worth}"]
    parts += [f"{row['nll_effort']} effort"] if row["nll_effort"] != "fast" else []
    if row["nll_given"] != row["given"]:
        parts += [f"given {' and '.join(row['nll_given']) or 'nothing'}"]
    parts += [f"{row['nll_images']} images"] if row["nll_kind"] == "estimate" else []
    parts += ["noise added"] if row["nll_observation"] == "added" else []
    return ", ".join(parts)


def seeds(row: Row) -> str:
    """``3``, or ``2 of 3`` where the others ended otherwise."""
    done, run = len(row["seeds"]), row["seeds_run"]
    return str(done) if done == run else f"{done} of {run}"


def status(row: Row) -> str:
    """``diverged`` or ``failed``; nothing where all is well."""
    return row["status"] if row["status"] in ("diverged", "failed") else ""


def columns(rows: Sequence[Row]) -> list[Column]:
    """The columns of one data set's table: those in which some row has something to say."""
    extractors = list(dict.fromkeys(row["extractor"] for row in rows if row["fid"] is not None))
    several = any(row["seeds_run"] > 1 for row in rows)
    told = any(row["agreement"] is not None for row in rows if row["status"] != "anchor")
    quality: list[Column] = []
    for name in extractors:
        tail = "" if len(extractors) == 1 else f" ({name})"
        quality += [
            Column(f"FID ({name}) ↓", spread("fid"), "fid", "fid_best", extractor=name),
            Column(f"FID, N → ∞{tail} ↓", spread("fid_infinity"), "fid_infinity", "fid_infinity_best", True, 2, name),
            Column(f"KID ×10³{tail} ↓", spread("kid", 1e3), "kid", "kid_best", extractor=name, drop=3),
            Column(f"Precision{tail} ↑", spread("precision", 1, 3), "precision", "precision_best", True, 5, name),
            Column(f"Recall{tail} ↑", spread("recall", 1, 3), "recall", "recall_best", True, 5, name),
            Column(f"IS{tail} ↑", spread("is", 1, 2), "is", "is_best", True, 7, name),
        ]
    every = [
        Column("Recipe", lambda row: row["label"], "label", right=False),
        Column("Family", lambda row: row["family"], "family", right=False, drop=6),
        Column("Given", lambda row: " and ".join(row["given"]), "given", right=False, drop=9),
        *([Column("Seeds", seeds, "seeds_run", drop=4)] if several else []),
        Column("Bits/dim (test) ↓", bits, "nll_bpd", "nll_best"),
        Column("Gap, bits/dim", spread("nll_gap", 1, 3), "nll_gap", drop=10),
        Column("Rank", rank, "nll_rank", drop=4),
        Column("Bits/dim by", method, "nll_method", right=False, drop=10),
        Column("Bits/dim (train)", lambda row: number(row["nll_train_bpd"], 3), "nll_train_bpd", drop=8),
        *quality,
        Column("PSNR, dB ↑", spread("psnr", 1, 2), "psnr", "psnr_best", drop=2),
        Column("SSIM ↑", spread("ssim", 1, 3), "ssim", "ssim_best", drop=2),
        *([Column("Agreement ↑", spread("agreement", 1, 3), "agreement", drop=2)] if told else []),
        Column("Accuracy ↑", spread("accuracy", 1, 3), "accuracy", "accuracy_best", drop=2),
        Column("Classes ↑", covered, "classes_covered", drop=11),
        Column("Class KL, bits ↓", spread("class_divergence", 1, 3), "class_divergence", drop=11),
        Column("Diversity in classes", spread("diversity", 1, 2), "diversity", drop=11),
        Column("Duplicates, %", spread("duplicates", 100, 1), "duplicates", drop=11),
        Column("Copies, %", spread("copies", 100, 1), "copies", drop=11),
        Column("Parzen, nats", spread("parzen", 1, 0), "parzen", drop=12),
        Column("Labels", lambda row: count(row["labelled"]), "labelled", drop=9),
        Column("Latency, ms ↓", spread("latency_ms"), "latency_ms", "latency_ms_best", drop=1),
        Column("Images/s ↑", spread("images_per_second"), "images_per_second", "images_per_second_best"),
        Column("Params", lambda row: count(row["params"]), "params", drop=7),
        Column("Steps", lambda row: count(row["steps"]), "steps", drop=8),
        Column("Fit, s", lambda row: number(row["fit_seconds"]), "fit_seconds", drop=9),
        Column("Peak memory, MB", lambda row: number(row["peak_memory_mb"], 0), "peak_memory_mb", drop=10),
        Column("Setting", lambda row: row["setting"] or "", "setting", right=False, drop=12),
    ]
    return [column for column in every if any(column.cell(row) for row in rows)]
