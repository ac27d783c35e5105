"""Groups of figures that are ranked by one rule: the parts of a stamp that all of them rest on."""

from __future__ import annotations

from dataclasses import dataclass

DATA = ("data", "split", "counts")
TRAINING = ("budget", "batch_size", "precision", "checkpoint")
SAMPLES = ("samples", "drawn")
MACHINE = ("device", "parallel", "threads", "machine", "accelerator", "processor", "versions.torch", "versions.python")


@dataclass(frozen=True)
class FigureGroup:
    """A group of figures that may be compared between rows, or not, together.

    Args:
        name: the name under which :data:`genbench.records.stamp.MEASURES` counts the versions of their measures.
        part: the field of a record without which it has none of these figures.
        rests_on: the parts of the stamp, by dotted name, that must be equal.
        counts: what else must be equal: what a note calls it, and the field of ``part`` that holds it.
        trained: whether training decides the figures, and not only the machine that measures; where the budget is in
            seconds, the machine that trained is then among what they rest on.
        of_ability: whether the figures are of an ability, so that a cell may lack them: the ability failed, or an older
            version did not measure it. Whether it has them then parts no seeds of one row.
        per_extractor: whether figures are of one extractor's features, so that a column is of one extractor, and a
            model that was trained on it has none.
    """

    name: str
    part: str
    rests_on: tuple[str, ...] = (*DATA, *TRAINING)
    counts: tuple[tuple[str, str], ...] = (("test images", "images"),)
    trained: bool = True
    of_ability: bool = False
    per_extractor: bool = False


LIKELIHOOD = FigureGroup("likelihood", "test")
QUALITY = FigureGroup(
    "quality",
    "quality",
    (*DATA, *TRAINING, *SAMPLES, "extractor", "reference", "versions.torch-fidelity"),
    (("samples measured", "images"), ("reference measured", "reference_images")),
    per_extractor=True,
)
SPEED = FigureGroup(
    "speed",
    "speed",
    ("data.name", "data.size", "data.shape", "data.levels", "data.classes", "timing.dtype", *MACHINE),
    counts=(),
    trained=False,
)
PAIRS = FigureGroup("pairs", "paired", (*DATA, *TRAINING, *SAMPLES), (("pairs", "images"),))
CAPTION = FigureGroup("caption", "caption", (*DATA, *TRAINING, *SAMPLES), (("samples measured", "images"),))
LABELS = FigureGroup("labels", "accuracy", of_ability=True)
ANOMALY = FigureGroup(
    "anomaly", "anomaly", counts=(("test images", "normal"), ("held-out images", "anomalous")), of_ability=True
)
RECONSTRUCTION = FigureGroup("reconstruction", "reconstruction", of_ability=True)
JOINT = FigureGroup("joint", "joint", counts=(("pairs drawn", "pairs"),), of_ability=True)
SHADOW = FigureGroup("shadow", "shadow", (*DATA, *TRAINING, *SAMPLES), (("pairs", "images"),))
IDENTITY = FigureGroup("identity", "rank_1", (*DATA, *TRAINING, *SAMPLES), (("samples judged", "images"),))
MASK = FigureGroup("mask", "mask", of_ability=True)
