import pytest

from genbench.records.parts import Reconstruction
from genbench.records.stamp import MEASURES, lacks, older
from tests.records import likelihood, quality, record

WHOLE = quality(density=0.8, coverage=0.7)
AGAIN = Reconstruction(distance=3.0, distance_standard_error=0.1, ratio=0.5, ratio_standard_error=0.1, images=9)


@pytest.mark.parametrize(
    ("abilities", "reconstruction", "expected"),
    [
        ({}, None, False),
        ({"reconstruct": "reconstructions.png"}, None, True),  # drawn by a version that measured no reconstructions
        ({"reconstruct": "reconstructions.png"}, AGAIN, False),
        ({"reconstruct": "failed: RuntimeError: no"}, None, False),
        ({"reconstruct": "reconstructions.png", "reconstruction": "failed: RuntimeError: no"}, None, False),
    ],
)
def test_what_was_drawn_and_never_measured_is_of_older_measures(abilities, reconstruction, expected):
    now = {"measures": dict(MEASURES)}
    assert older(record(abilities=abilities, reconstruction=reconstruction, stamp=now, quality=WHOLE)) == expected


def test_samples_without_density_and_coverage_are_of_older_measures():
    now = {"measures": dict(MEASURES)}
    assert older(record(stamp=now, quality=quality()))
    assert not older(record(stamp=now, quality=WHOLE))
    assert not older(record(stamp=now, quality=None)), "not asked for"


def test_a_record_lacks_the_groups_that_were_left_out_of_it():
    part = record(stamp={"left_out": ["nll", "speed"]})
    assert lacks(part, ("fid", "speed"))
    assert not lacks(part, ("fid",))
    assert not lacks(record(), ("nll", "fid", "speed"))


def test_a_group_measured_by_an_earlier_version_is_older():
    assert older(record(stamp={"measures": {**MEASURES, "quality": MEASURES["quality"] - 1}}))
    assert older(record(stamp={"measures": None}))


def test_how_estimates_are_found_is_no_matter_to_exact_values_and_bounds():
    before = {"measures": {**MEASURES, "estimates": MEASURES["estimates"] - 1}}
    bound, estimate = likelihood(kind="bound"), likelihood(kind="estimate")
    assert not older(record(stamp=before, test=bound, quality=WHOLE))
    assert older(record(stamp=before, test=estimate, quality=WHOLE))
    direct = likelihood(kind="estimate", method="direct")
    assert not older(record(stamp=before, test=direct, quality=WHOLE)), "nothing is searched for"
    assert not older(record(stamp={"measures": dict(MEASURES)}, test=estimate, quality=WHOLE))
