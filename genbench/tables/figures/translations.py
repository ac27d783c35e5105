"""How well images were translated: nearness to their targets, and what else their sources or domains ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genbench.tables import tooltips
from genbench.tables.figure import Column, Figure, Number
from genbench.tables.groups import IDENTITY, MASK, PAIRS, SHADOW
from genbench.tables.texts import Row


def domains(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what domain accuracy is, and how well its judge sees."""
    own = [row["domain_judge_accuracy"] for row in rows if row["domain_judge_accuracy"] is not None]
    if own:
        right = " / ".join(dict.fromkeys(f"{100 * share:.1f}" for share in own))
        yield (
            "Domain accuracy: share of samples that a classifier of the training images' domains puts in the domain "
            f"asked for, ± of one seed its binomial standard error; of real test images it puts {right} % in theirs."
        )


COLUMNS: tuple[Column, ...] = (
    Figure(
        "psnr",
        "PSNR",
        path="paired.psnr",
        unit="dB",
        better="high",
        format=Number(2),
        group=PAIRS,
        drop=2,
        tooltip=tooltips.paired,
        usual=True,
    ),
    Figure(
        "ssim",
        "SSIM",
        path="paired.ssim",
        better="high",
        format=Number(3),
        group=PAIRS,
        drop=2,
        tooltip=tooltips.paired,
    ),
    Figure(
        "l1",
        "L1",
        path="paired.l1",
        unit="levels",
        better="low",
        error="paired.l1_standard_error",
        group=PAIRS,
        drop=6,
        caption=(
            "L1: mean absolute difference of a translation from its target, in levels; ± of one seed is the standard "
            "error over pairs."
        ),
        tooltip=tooltips.paired,
    ),
    Figure(
        "gradient_histogram",
        "Gradient histogram",
        path="paired.gradients",
        better="low",
        format=Number(3),
        error="paired.gradients_standard_error",
        group=PAIRS,
        drop=6,
        caption=(
            "Gradient histogram: sum of absolute differences between the histograms, of 16 bins, of how steep grey "
            "levels are in all translations and in all targets: 0 where they are equal, 2 where no bin is shared. ± of "
            "one seed is the jackknife's standard error over pairs."
        ),
        tooltip=tooltips.paired,
    ),
    Figure(
        "shadow_rmse",
        "RMSE in the shadow",
        path="shadow.rmse",
        unit="levels",
        better="low",
        error="shadow.standard_error",
        group=SHADOW,
        drop=2,
        caption=(
            "RMSE in the shadow: root of the mean squared difference from the target over the pixels of all test "
            "images that lie in shadow, in levels; ± of one seed is its standard error over images."
        ),
        tooltip=tooltips.paired,
        usual=True,
        short="RMSE in shadow",
    ),
    Figure(
        "mask_error",
        "Mask error",
        path="mask.error",
        unit="%",
        better="low",
        format=Number(1, 100, " %"),
        error="mask.standard_error",
        group=MASK,
        drop=6,
        caption=(
            "Mask error: mean of the shares of shadow that the model misses and of light that it takes for shadow, "
            "over the pixels of all test images: 50 % is what a constant mask has. ± of one seed is its standard error "
            "over images."
        ),
        tooltip=tooltips.masks,
    ),
    Figure(
        "rank_1",
        "Rank-1",
        path="rank_1.share",
        better="high",
        format=Number(3),
        error="rank_1.standard_error",
        group=IDENTITY,
        drop=2,
        caption=(
            "Rank-1: share of translations whose nearest picture in pixels, of one other picture of each test "
            "identity, is of the right one, ± of one seed its binomial standard error."
        ),
        tooltip=tooltips.identities,
        usual=True,
    ),
    Figure("identities", path="rank_1.identities"),
    Figure(
        "domain_accuracy",
        "Domain accuracy",
        path="domains.accuracy",
        better="high",
        format=Number(3),
        error="domains.standard_error",
        drop=2,
        caption=domains,
        tooltip=tooltips.domains,
        usual=True,
        short="Domain",
    ),
    Figure("domain_judge_accuracy", path="domains.judge_accuracy"),
    Figure(
        "taught",
        "Taught",
        path="taught.accuracy",
        better="high",
        format=Number(3),
        error="taught.standard_error",
        drop=2,
        caption=(
            "Taught: share of real test images that a classifier puts in their class after it has learned from the "
            "samples, and the classes of their sources, alone; ± of one seed is its binomial standard error."
        ),
        tooltip=tooltips.taught,
        usual=True,
    ),
)
