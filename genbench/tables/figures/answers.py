"""How near a model comes to an answer that is known: the class asked for, an image's class, its own input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genbench.tables import tooltips
from genbench.tables.figure import Column, Figure, Number
from genbench.tables.groups import ANOMALY, CAPTION, JOINT, LABELS, RECONSTRUCTION
from genbench.tables.texts import Row


def judge(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what agreement is, and how well its judge sees."""
    if any(row["agreement"] is not None and row["status"] != "anchor" for row in rows):
        own = [row["classifier_accuracy"] for row in rows if row["classifier_accuracy"] is not None]
        right = " / ".join(dict.fromkeys(f"{100 * share:.1f}" for share in own))
        yield (
            "Agreement: share of samples that the data set's own classifier puts in the class asked for, ± of one seed "
            f"its binomial standard error; of real test images it puts {right} % in theirs."
        )


COLUMNS: tuple[Column, ...] = (
    Figure(
        "agreement",
        "Agreement",
        path="agreement.agreement",
        better="high",
        format=Number(3),
        error="agreement.standard_error",
        drop=2,
        occasion=lambda row: row["agreement"] is not None and row["status"] != "anchor",
        caption=judge,
        tooltip=tooltips.classified,
        usual=True,
        short="Agree.",
    ),
    Figure(
        "caption",
        "Caption",
        path="caption.agreement",
        better="high",
        format=Number(3),
        error="caption.standard_error",
        group=CAPTION,
        drop=2,
        caption=(
            "Caption: share of the adjectives in a sample's caption that are true of it, measured again by the "
            "thresholds that made the captions; chance is about a third, and of real images all are true by "
            "construction. ± of one seed is the standard error over samples."
        ),
        tooltip=tooltips.caption,
        usual=True,
    ),
    Figure("confidence", path="agreement.confidence"),
    Figure("entropy", path="agreement.entropy"),
    Figure("class_entropy", path="agreement.class_entropy"),
    Figure("classifier_accuracy", path="agreement.accuracy"),
    Figure(
        "accuracy",
        "Accuracy",
        path="accuracy.accuracy",
        better="high",
        format=Number(3),
        error="accuracy.standard_error",
        group=LABELS,
        drop=2,
        caption=(
            "Accuracy: share of test images that the model itself puts in their class, ± of one seed its binomial "
            "standard error."
        ),
        tooltip=tooltips.labels,
    ),
    Figure(
        "auroc",
        "AUROC",
        path="anomaly.auroc",
        better="high",
        format=Number(3),
        error="anomaly.auroc_standard_error",
        group=ANOMALY,
        drop=2,
        caption=(
            "AUROC: share of pairs of a held-out image, of a class that training never saw, and a test image in which "
            "the model finds the held-out one stranger; chance is 0.5. ± of one seed is DeLong's standard error."
        ),
        tooltip=tooltips.anomaly,
    ),
    Figure("auroc_normal", path="anomaly.normal"),
    Figure("auroc_anomalous", path="anomaly.anomalous"),
    Figure(
        "reconstruction",
        "Reconstruction",
        path="reconstruction.distance",
        better="low",
        error="reconstruction.distance_standard_error",
        group=RECONSTRUCTION,
        drop=8,
        caption=(
            "Reconstruction: mean Euclidean distance of test images from what the model makes of their codes, pixels "
            "on [0, 1]; the ratio is to their distance from what it makes of the next test image's code: 1 where the "
            "input is ignored, 0 where it comes out as it was. ± of one seed is the standard error over test images."
        ),
        tooltip=tooltips.reconstruction,
    ),
    Figure(
        "reconstruction_ratio",
        "Reconstruction ratio",
        path="reconstruction.ratio",
        better="low",
        format=Number(3),
        error="reconstruction.ratio_standard_error",
        group=RECONSTRUCTION,
        drop=8,
        tooltip=tooltips.reconstruction,
    ),
    Figure(
        "joint",
        "Joint κ",
        path="joint.kappa",
        better="high",
        format=Number(3),
        error="joint.kappa_standard_error",
        group=JOINT,
        drop=2,
        caption=(
            "Joint κ: how well the source that a model draws with an image is the known source of that image, on which "
            "side of half the range each pixel lies, corrected for what another image's source has in common with it: "
            "1 where they belong together, 0 where they are no more than chance. ± of one seed is the standard error "
            "over pairs."
        ),
        tooltip=tooltips.joint,
    ),
    Figure("joint_agreement", path="joint.agreement"),
    Figure("joint_chance", path="joint.chance"),
    Figure("joint_pairs", path="joint.pairs"),
)
