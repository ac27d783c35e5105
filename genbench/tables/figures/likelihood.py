"""How well a model knows the data: bits per dimension, how they were computed, and what vouches for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from genbench.tables import texts, tooltips
from genbench.tables.figure import Column, Figure, Number, OfMark
from genbench.tables.groups import LIKELIHOOD
from genbench.tables.texts import KINDS, MARKS, Row

RANK = (
    "Rank: one more than the rows that are better by more than chance, among rows of the same condition, data, share "
    "of labels and protocol; a paired 95 % t-interval, over images for one seed and over shared seeds for several, "
    "uncorrected for the number of pairs. Exact values and bounds, code lengths that can be achieved, are ranked "
    "together (what lies below a bound may be less); estimates among themselves."
)


def marks(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what bits per dimension are, and what their marks and words mean."""
    kinds = [kind for kind in MARKS if any(row["nll_kind"] == kind for row in rows)]
    if kinds:
        said = ", ".join(f"{MARKS[kind]} {KINDS[kind]}" for kind in kinds)
        yield f"Bits/dim: −log₂ P(image) / (C·H·W) of the stored integer levels; {said}."
    if any(row["nll_observation"] == "added" for row in rows):
        yield OfMark("Noise added: the likelihood counts an observation noise that the samples do not have.")
    if any(row["nll_rank"] for row in rows):
        yield RANK
    if any(row["nll_se"] for row in rows):
        yield "± beside bits/dim of one seed is the standard error over test images."
    if any(row["nll_converged"] is False for row in rows):
        yield OfMark(
            "Unconverged (*): the estimate moved by more than 0.05 bits/dim when the work doubled, or its chains had "
            "no gradient to follow; not ranked."
        )


def effective(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what effective draws are."""
    if any(row["nll_ess"] is not None and row["nll_draws"] > 1 for row in rows):
        yield "Effective: (Σ w)² / Σ w² of an image's importance weights, mean over images."


def gap(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what the gap vouches for."""
    if all(row["nll_gap"] is None for row in rows):
        return
    count = " / ".join(dict.fromkeys(str(row["nll_gap_images"]) for row in rows if row["nll_gap_images"]))
    yield (
        f"Gap: on {count} images that the model made itself, the distance of the same estimate from a bound on the "
        "other side of the truth (bidirectional Monte Carlo), ± of one seed its standard error over these images; "
        "a small one vouches for the chains where the model's own images lie, not where the test images do."
    )


COLUMNS: tuple[Column, ...] = (
    Figure(
        "nll_bpd",
        "Bits/dim (test)",
        path="test.bpd",
        better="low",
        format=texts.bits,
        error="test.standard_error",
        group=LIKELIHOOD,
        caption=marks,
        tooltip=tooltips.likelihood,
        usual=True,
        short="Bits/dim",
    ),
    Figure(
        "nll_gap",
        "Gap",
        path="test.gap.bpd",
        unit="bits/dim",
        better="low",
        arrow=False,
        format=Number(3),
        error="test.gap.standard_error",
        drop=10,
        caption=gap,
        tooltip=tooltips.gap,
    ),
    Column("nll_rank", "Rank", texts.rank, drop=4, tooltip=tooltips.likelihood),
    Column(
        "nll_method",
        "Bits/dim by",
        texts.method,
        right=False,
        drop=10,
        caption=effective,
        tooltip=tooltips.likelihood,
    ),
    Figure(
        "nll_train_bpd",
        "Bits/dim (train)",
        path="train.bpd",
        format=Number(3),
        drop=8,
        tooltip=partial(tooltips.likelihood, split="train"),
    ),
    Figure("nll_ess", path="test.ess"),
    Figure("nll_acceptance", path="test.acceptance"),
)
