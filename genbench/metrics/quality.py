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
        rank_deficient: fewer images than features: the FID is biased upwards.
        kid: kernel distance.
        kid_std: over its subsets.
        kid_subset_size: images a subset.
        precision: share of samples where real images are.
        recall: share of real images where samples are.
        inception_score: over the extractor's own logits.
        inception_score_std: over its splits.
        images: samples measured.
        reference_images: real images they are compared with.
    """

    fid: float
    rank_deficient: bool
    kid: float
    kid_std: float
    kid_subset_size: int
    precision: float
    recall: float
    inception_score: float
    inception_score_std: float
    images: int
    reference_images: int


def quality(real: Features, fake: Features, *, seed: int = 0) -> Quality:
    """FID, KID, precision, recall and inception score of ``fake`` against ``real``.

    Args:
        real: of the reference images.
        fake: of the samples, from the same extractor.
        seed: of KID's subsets and the inception score's splits.

    Raises:
        ValueError: for fewer than ``MINIMUM_IMAGES`` in a set, or features of different extractors.
    """
    distance = fid.fid(real.features, fake.features)
    kernel = kid.kid(real.features, fake.features, seed=seed)
    regions = precision_recall.precision_recall(real.features, fake.features)
    score = inception_score.inception_score(fake.logits, seed=seed)
    return Quality(
        fid=distance.fid,
        rank_deficient=distance.rank_deficient,
        kid=kernel.kid,
        kid_std=kernel.std,
        kid_subset_size=kernel.subset_size,
        precision=regions.precision,
        recall=regions.recall,
        inception_score=score.score,
        inception_score_std=score.std,
        images=len(fake),
        reference_images=len(real),
    )
