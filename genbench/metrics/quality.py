"""All measures of sample quality from features that are computed once."""

from __future__ import annotations

from dataclasses import dataclass

from genbench.features.base import Features
from genbench.metrics import fid, inception_score, kid, precision_recall

MINIMUM_IMAGES = max(measure.LEAST for measure in (fid, inception_score, kid, precision_recall))


@dataclass(frozen=True)
class Quality:
    """The row of figures under one extractor; fields as in the measures' own results.

    Args:
        fid: Fréchet distance.
        fid_standard_error: over samples.
        rank_deficient: fewer images than features: the FID is biased upwards.
        fid_infinity: the distance carried to infinitely many images; None where that is not asked for, or where there
            are too few images for it.
        fid_infinity_standard_error: over both sets.
        kid: kernel distance.
        kid_standard_error: over both sets.
        kid_images: real and generated ones that it was taken of.
        precision: share of samples where real images are.
        recall: share of real images where samples are.
        inception_score: over the extractor's own logits.
        inception_score_std: over its splits.
        images: samples measured.
        reference_images: real images they are compared with.
    """

    fid: float
    fid_standard_error: float | None
    rank_deficient: bool
    fid_infinity: float | None
    fid_infinity_standard_error: float | None
    kid: float
    kid_standard_error: float | None
    kid_images: tuple[int, int]
    precision: float
    recall: float
    inception_score: float
    inception_score_std: float
    images: int
    reference_images: int


def quality(real: Features, fake: Features, *, seed: int = 0, extrapolate: bool = False) -> Quality:
    """FID, KID, precision, recall and inception score of ``fake`` against ``real``.

    Args:
        real: of the reference images.
        fake: of the samples, from the same extractor.
        seed: of the images that KID takes of large sets, and of the inception score's splits.
        extrapolate: carry the FID to infinitely many images, if there are enough to do so: for extractors of few
            features, under which it is linear in one over their number.

    Raises:
        ValueError: for fewer than ``MINIMUM_IMAGES`` in a set, or features of different extractors.
    """
    distance = fid.fid(real.features, fake.features)
    enough = min(len(real), len(fake)) >= fid.IMAGES_PER_FEATURE * real.features.shape[1]
    beyond = fid.extrapolated(real.features, fake.features) if extrapolate and enough else None
    kernel = kid.kid(real.features, fake.features, seed=seed)
    regions = precision_recall.precision_recall(real.features, fake.features)
    score = inception_score.inception_score(fake.logits, seed=seed)
    return Quality(
        fid=distance.fid,
        fid_standard_error=distance.standard_error,
        rank_deficient=distance.rank_deficient,
        fid_infinity=None if beyond is None else beyond.fid,
        fid_infinity_standard_error=None if beyond is None else beyond.standard_error,
        kid=kernel.kid,
        kid_standard_error=kernel.standard_error,
        kid_images=kernel.images,
        precision=regions.precision,
        recall=regions.recall,
        inception_score=score.score,
        inception_score_std=score.std,
        images=len(fake),
        reference_images=len(real),
    )
