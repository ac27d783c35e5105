import pytest

from families.layers.scaling import halved, scales


@pytest.mark.parametrize(
    ("sides", "times"),
    [((28, 28), 2), ((32, 32), 3), ((8, 8), 1), ((13, 17), 1), ((33, 35), 3), ((5, 7), 0), ((1, 1), 0)],
)
def test_the_shorter_side_halves_down_to_four_whether_evenly_or_not(sides, times):
    assert scales(*sides) == times
    if times:
        assert min(halved(sides, times)) >= 4


def test_halves_are_rounded_up_once_or_often():
    assert [halved((13, 17), times) for times in range(4)] == [(13, 17), (7, 9), (4, 5), (2, 3)]
    assert halved((28, 32), 2) == (7, 8)
    for side in range(1, 70):
        assert halved((side, 1), 2) == halved(halved((side, 1), 1), 1)
