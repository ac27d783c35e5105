"""How far samples are from the training images by an extractor's features: FID and its kin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genbench.tables import tooltips
from genbench.tables.figure import Column, Figure, Number, OfMark
from genbench.tables.groups import QUALITY
from genbench.tables.texts import Row


def unranked_and_error(rows: Sequence[Row]) -> Iterator[str]:
    """Yield why FID has no ranks, where it has none, and what its error says."""
    measured = [row for row in rows if row["fid"] is not None and row["status"] == "done"]
    if measured and not any(row["fid_rank"] for row in rows):
        if all(len(row["seeds"]) == 1 for row in measured):
            yield "FID and its kin are not ranked: that takes several seeds a row."
        elif len(measured) > 1:
            yield "FID and its kin are not ranked: no two rows share several seeds, a condition and a protocol."
    if shown := [row["label"] for row in rows if row["pixels"] == "median"]:
        yield OfMark(
            f"Medians: samples of {', '.join(shown)} show each pixel's median, without the noise that the likelihood "
            "counts (pixels = 'drawn' draws it)."
        )
    if any(row["fid_se"] is not None for row in rows):
        yield (
            "± beside FID of one seed is the jackknife's standard error over samples: what other samples of the same "
            "model would change. It says nothing of the bias, which depends on their number."
        )


def kid_error(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what stands behind ± of KID, where something does, and why test images may lie below 0 by more."""
    if any(row["kid_se"] is not None for row in rows):
        yield "KID is unbiased; ± of one seed is the jackknife's standard error over samples and real images."
    if any(row["status"] == "anchor" and row["kid_se"] and row["kid"] < -2 * row["kid_se"] for row in rows):
        yield (
            "KID of real images below 0 by more than its error: splits that share out the classes evenly are more "
            "alike than two independent draws, which the error is of."
        )


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
        "fid_class",
        "FID, mean of classes",
        path="quality.fid_class",
        better="low",
        error="quality.fid_class_standard_error",
        group=QUALITY,
        drop=3,
        occasion=lambda row: row["fid_class"] is not None and row["status"] != "anchor",
        caption=(
            "FID, mean of classes: of samples asked for a class against the training images of that class; with so few "
            "images a class it is biased upwards, by more than FID is."
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
        "density",
        "Density",
        path="quality.density",
        better="high",
        arrow=False,
        format=Number(3),
        group=QUALITY,
        drop=6,
        caption=(
            "Density: how many training images' neighbourhoods, which reach to the fifth neighbour, a sample lies in, "
            "over five: near 1 for real images. Coverage: share of training images with a sample in theirs. Unlike "
            "precision and recall, neither is moved by a single odd image."
        ),
        tooltip=tooltips.samples,
    ),
    Figure(
        "coverage",
        "Coverage",
        path="quality.coverage",
        better="high",
        format=Number(3),
        group=QUALITY,
        drop=6,
        tooltip=tooltips.samples,
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
