"""How far samples are from the training images by an extractor's features: FID and its kin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genbench.tables import tooltips
from genbench.tables.figure import Column, Figure, Number
from genbench.tables.groups import QUALITY
from genbench.tables.texts import Row


def unranked_and_error(rows: Sequence[Row]) -> Iterator[str]:
    """Yield why FID has no ranks, where it has none, and what its error says."""
    measured = any(row["fid"] is not None and row["status"] == "done" for row in rows)
    if measured and not any(row["fid_rank"] for row in rows):
        yield "FID and its kin are not ranked: that takes several seeds under one protocol."
    if shown := [row["label"] for row in rows if row["pixels"] == "median"]:
        yield (
            f"Medians: samples of {', '.join(shown)} show each pixel's median, without the noise that the likelihood "
            "counts (pixels = 'drawn' draws it)."
        )
    if any(row["fid_se"] is not None for row in rows):
        yield (
            "± beside FID of one seed is the jackknife's standard error over samples: what other samples of the same "
            "model would change. It says nothing of the bias, which depends on their number."
        )


def kid_error(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what stands behind ± of KID, where something does."""
    if any(row["kid_se"] is not None for row in rows):
        yield "KID is unbiased; ± of one seed is the jackknife's standard error over samples and real images."


COLUMNS: tuple[Column, ...] = (
    Figure(
        "fid",
        "FID",
        path="quality.fid",
        better="low",
        error="quality.fid_standard_error",
        group=QUALITY,
        names_extractor=True,
        caption=unranked_and_error,
        tooltip=tooltips.samples,
        usual=True,
    ),
    Figure(
        "fid_infinity",
        "FID, N → ∞",
        path="quality.fid_infinity",
        better="low",
        error="quality.fid_infinity_standard_error",
        group=QUALITY,
        drop=2,
        caption=(
            "FID, N → ∞: carried to infinitely many images by the jackknife's line in 1/N; ± of one seed counts the "
            "samples and the real images."
        ),
        tooltip=tooltips.samples,
    ),
    Figure(
        "kid",
        "KID",
        path="quality.kid",
        unit="×10³",
        better="low",
        format=Number(scale=1e3, unit=" ×10⁻³"),
        error="quality.kid_standard_error",
        group=QUALITY,
        drop=3,
        caption=kid_error,
        tooltip=tooltips.samples,
        usual=True,
    ),
    Figure(
        "precision",
        "Precision",
        path="quality.precision",
        better="high",
        format=Number(3),
        group=QUALITY,
        drop=5,
        tooltip=tooltips.samples,
        usual=True,
        short="Prec.",
    ),
    Figure(
        "recall",
        "Recall",
        path="quality.recall",
        better="high",
        format=Number(3),
        group=QUALITY,
        drop=5,
        tooltip=tooltips.samples,
        usual=True,
        short="Rec.",
    ),
    Figure(
        "is",
        "IS",
        path="quality.inception_score",
        better="high",
        format=Number(2),
        group=QUALITY,
        drop=7,
        tooltip=tooltips.samples,
    ),
)
