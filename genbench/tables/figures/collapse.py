"""Whether samples have collapsed, onto classes, each other or training images; and their Parzen windows."""

from __future__ import annotations

from genbench.tables import texts, tooltips
from genbench.tables.figure import Column, Figure, Number

COLUMNS: tuple[Column, ...] = (
    Figure(
        "classes_covered",
        "Classes",
        path="collapse.covered",
        better="high",
        format=texts.covered,
        drop=11,
        caption=(
            "Classes: those that the data set's own classifier finds at least a tenth as often in the samples as they "
            "are in the training labels. Class KL: Kullback-Leibler divergence of the samples' class histogram from "
            "these labels', log₂ K bits where all are of one of K equal classes."
        ),
        tooltip=tooltips.classified,
    ),
    Figure("classes", path="collapse.classes"),
    Figure(
        "class_divergence",
        "Class KL",
        path="collapse.divergence",
        unit="bits",
        better="low",
        format=Number(3),
        drop=11,
        tooltip=tooltips.classified,
    ),
    Figure(
        "diversity",
        "Diversity in classes",
        path="collapse.diversity",
        better="high",
        arrow=False,
        format=Number(2),
        drop=11,
        caption=(
            "Diversity in classes: mean distance of two samples of a class over that of two training images of it, by "
            "the extractor's features: 0 where a class is one image, 1 where it is as wide as the data's."
        ),
        tooltip=tooltips.samples,
    ),
    Figure(
        "duplicates",
        "Duplicates",
        path="collapse.duplicates",
        unit="%",
        better="low",
        arrow=False,
        format=Number(1, 100, " %"),
        drop=11,
        tooltip=tooltips.samples,
    ),
    Figure(
        "copies",
        "Copies",
        path="collapse.copies",
        unit="%",
        better="low",
        arrow=False,
        format=Number(1, 100, " %"),
        drop=11,
        caption=(
            "Duplicates and copies: share of samples as near to another sample, and to a training image, as only 1 % "
            "of test images are to another, and to a training image, in units of how far apart training images lie "
            "there: 1 % is no more than chance."
        ),
        tooltip=tooltips.samples,
    ),
    Figure("train_distance", path="collapse.distance"),
    Figure(
        "parzen",
        "Parzen",
        path="parzen.nats",
        unit="nats",
        better="high",
        arrow=False,
        format=Number(0),
        error="parzen.standard_error",
        drop=12,
        caption=(
            "Parzen: mean log-density of test images, pixels in [0, 1], under Gaussians round the samples, their width "
            "chosen on validation images. Shown since older papers report it; it ranks nothing: centres of clusters "
            "beat real images, noisy copies of training images beat models."
        ),
        tooltip=tooltips.parzen,
    ),
    Figure("parzen_sigma", path="parzen.sigma"),
)
