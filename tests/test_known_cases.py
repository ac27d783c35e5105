"""Known faults are caught by the columns that are meant for them: the cases of ``benchmarks/known_cases.py``."""

import pytest

from benchmarks.known_cases import cases, line, measured
from genbench import data
from genbench.runs import measures


@pytest.fixture(scope="module")
def found():
    digits = data.load("digits")
    # On a side of 8 a blur is about half a pixel wide, or no blur at all.
    extractor = measures.extractor("classifier", digits, "cpu")
    return {
        name: measured(extractor, extractor, digits, samples)
        for name, samples in cases(digits, 170, blur=1 / 17).items()
    }


def test_real_comes_before_blurred_before_noisy(found):
    scores = [found[name].quality.fid for name in ("real", "blurred", "noisy")]
    assert scores == sorted(scores)
    # By more than chance: two standard errors of both.
    for better, worse in (("real", "blurred"), ("blurred", "noisy")):
        a, b = found[better].quality, found[worse].quality
        assert b.fid - a.fid > 2 * (a.fid_standard_error**2 + b.fid_standard_error**2) ** 0.5


def test_half_of_the_classes_are_missing_in_classes_and_divergence_alone(found):
    half = found["half of the classes"].collapse
    assert half.covered <= 6
    assert half.divergence == pytest.approx(1, abs=0.15)
    for name in ("real", "copies of training images"):
        assert found[name].collapse.covered == 10
        assert found[name].collapse.divergence < 0.1


def test_repeated_images_are_duplicates_and_no_copies(found):
    shares = {name: one.collapse.duplicates for name, one in found.items()}
    repeated = shares.pop("100 images repeated")
    assert repeated > 0.8
    assert max(shares.values()) < 0.2
    assert found["100 images repeated"].collapse.copies < 0.05


def test_copies_of_training_images_are_copies_and_the_best_of_all_by_fid(found):
    shares = {name: one.collapse.copies for name, one in found.items()}
    assert shares.pop("copies of training images") == 1
    assert max(shares.values()) < 0.1
    assert found["copies of training images"].quality.fid < 1.1 * found["real"].quality.fid, "what FID cannot see"


def test_the_table_has_a_line_a_case(found):
    assert line("real", found["real"]).count("|") == 10


def test_more_images_than_half_of_the_classes_have_are_refused():
    with pytest.raises(ValueError, match="images=1000"):
        cases(data.load("digits"), 1000)
