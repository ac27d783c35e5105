import pytest
import torch

from genbench.features.base import Features
from genbench.metrics.fid import extrapolated, fid
from genbench.metrics.inception_score import inception_score
from genbench.metrics.kid import kid
from genbench.metrics.precision_recall import precision_recall
from genbench.metrics.quality import MINIMUM_IMAGES, quality
from genbench.records.parts import Quality


def seen(count, shift, seed):
    noise = torch.Generator().manual_seed(seed)
    return Features(torch.randn(count, 6, generator=noise) + shift, torch.randn(count, 4, generator=noise))


def test_it_is_the_measures_with_real_and_fake_in_their_places():
    real, fake = seen(90, 0, 0), seen(40, 0.5, 1)
    row = quality(real, fake, seed=3)
    kernel, regions = kid(real.features, fake.features, seed=3), precision_recall(real.features, fake.features)
    score = inception_score(fake.logits, seed=3)
    distance = fid(real.features, fake.features)
    assert (row.fid, row.fid_standard_error) == (distance.fid, distance.standard_error)
    assert (row.kid, row.kid_standard_error, row.notes) == (kernel.kid, kernel.standard_error, ())
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
    assert Quality.model_validate_json(row.model_dump_json()) == row


def test_the_minimum_suffices_and_one_image_less_does_not():
    real = seen(MINIMUM_IMAGES, 0, 0)
    quality(real, seen(MINIMUM_IMAGES, 0, 1))
    with pytest.raises(ValueError, match=f"at least {MINIMUM_IMAGES}"):
        quality(real, seen(MINIMUM_IMAGES - 1, 0, 1))


def test_what_a_reader_has_to_know_stands_beside_the_figures():
    def wide(count, seed):
        noise = torch.Generator().manual_seed(seed)
        return Features(torch.randn(count, 12, generator=noise), torch.randn(count, 4, generator=noise))

    few = quality(wide(12, 0), wide(12, 1))
    assert few.notes == ("fewer images than features: FID is biased upwards",)
    assert quality(wide(13, 0), wide(13, 1)).notes == ()
