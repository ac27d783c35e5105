"""All measures of sample quality from features that are computed once."""

from __future__ import annotations

from genbench.features.base import Features
from genbench.metrics import density_coverage, fid, inception_score, kid, precision_recall
from genbench.metrics.neighbours import Distances, Neighbours, neighbours
from genbench.records.parts import Quality

MINIMUM_IMAGES = max(measure.LEAST for measure in (density_coverage, fid, inception_score, kid, precision_recall))


def quality(
    real: Features, fake: Features, *, seed: int = 0, extrapolate: bool = False, near: Neighbours | None = None
) -> Quality:
    """Return FID and its kin of ``fake`` against ``real``, with remarks on them.

    Args:
        real: the features of the reference images.
        fake: the features of the samples, from the same extractor.
        seed: the seed of the images that KID takes of large sets, and of the inception score's splits.
        extrapolate: whether to carry the FID to infinitely many images, if there are enough to do so: for extractors
            of few features, under which it is linear in one over their number.
        near: the neighbours of the reference images among each other, where they are known.

    Raises:
        ValueError: for fewer than ``MINIMUM_IMAGES`` in a set, or features of different extractors.
    """
    distance = fid.fid(real.features, fake.features)
    enough = min(len(real), len(fake)) >= fid.IMAGES_PER_FEATURE * real.features.shape[1]
    beyond = fid.extrapolated(real.features, fake.features) if extrapolate and enough else None
    kernel = kid.kid(real.features, fake.features, seed=seed)
    near = near or neighbours(real.features)
    between = Distances(real.features, fake.features, real.features.mean(0))
    regions = precision_recall.precision_recall(real.features, fake.features, near, between)
    balls = density_coverage.density_coverage(real.features, fake.features, near, between)
    says_classes = fake.logits.shape[1] > 0
    score = inception_score.inception_score(fake.logits, seed=seed) if says_classes else None
    notes = ["fewer images than features: FID is biased upwards"] if distance.rank_deficient else []
    if kernel.images != (len(real), len(fake)):
        notes.append("KID of {:,} real images and {:,} samples".format(*kernel.images))
    return Quality(
        fid=distance.fid,
        fid_standard_error=distance.standard_error,
        fid_infinity=None if beyond is None else beyond.fid,
        fid_infinity_standard_error=None if beyond is None else beyond.standard_error,
        kid=kernel.kid,
        kid_standard_error=kernel.standard_error,
        precision=regions.precision,
        recall=regions.recall,
        density=balls.density,
        coverage=balls.coverage,
        inception_score=None if score is None else score.score,
        inception_score_std=None if score is None else score.std,
        images=len(fake),
        reference_images=len(real),
        notes=tuple(notes),
    )
