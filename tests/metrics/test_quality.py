import json
from dataclasses import asdict

import pytest
import torch

from genbench.features.base import Features
from genbench.metrics.fid import extrapolated, fid
from genbench.metrics.inception_score import inception_score
from genbench.metrics.kid import kid
from genbench.metrics.precision_recall import precision_recall
from genbench.metrics.quality import MINIMUM_IMAGES, quality


def seen(count, shift, seed):
    noise = torch.Generator().manual_seed(seed)
    return Features(torch.randn(count, 6, generator=noise) + shift, torch.randn(count, 4, generator=noise))


def test_it_is_the_measures_with_real_and_fake_in_their_places():
    real, fake = seen(90, 0, 0), seen(40, 0.5, 1)
    row = quality(real, fake, seed=3)
    kernel, regions = kid(real.features, fake.features, seed=3), precision_recall(real.features, fake.features)
    score = inception_score(fake.logits, seed=3)
    distance = fid(real.features, fake.features)
    assert (row.fid, row.fid_standard_error, row.rank_deficient) == (distance.fid, distance.standard_error, False)
    assert (row.kid, row.kid_standard_error, row.kid_images) == (kernel.kid, kernel.standard_error, (90, 40))
    assert (row.fid_infinity, row.fid_infinity_standard_error) == (None, None)
    assert (row.precision, row.recall) == (regions.precision, regions.recall)
    assert (row.inception_score, row.inception_score_std) == (score.score, score.std)
    assert (row.images, row.reference_images) == (40, 90)


def test_a_distance_is_carried_to_infinity_where_that_is_asked_for_and_there_are_enough_images():
    real, fake = seen(90, 0, 0), seen(24, 0.5, 1)
    row, beyond = quality(real, fake, extrapolate=True), extrapolated(real.features, fake.features)
    assert (row.fid_infinity, row.fid_infinity_standard_error) == (beyond.fid, beyond.standard_error)
    assert quality(real, seen(23, 0.5, 1), extrapolate=True).fid_infinity is None


def test_it_repeats_exactly_and_can_be_written_as_json():
    real, fake = seen(30, 0, 0), seen(30, 0.5, 1)
    row = quality(real, fake)
    assert row == quality(real, fake)
    assert json.loads(json.dumps(asdict(row))) == asdict(row) | {"kid_images": [30, 30]}


def test_the_minimum_suffices_and_one_image_less_does_not():
    real = seen(MINIMUM_IMAGES, 0, 0)
    quality(real, seen(MINIMUM_IMAGES, 0, 1))
    with pytest.raises(ValueError, match=f"at least {MINIMUM_IMAGES}"):
        quality(real, seen(MINIMUM_IMAGES - 1, 0, 1))
