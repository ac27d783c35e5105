import pytest
import torch

from genbench.metrics.joint import joint


def rows(*pixels):
    return torch.tensor(pixels, dtype=torch.uint8).reshape(len(pixels), 1, 1, -1)


def test_by_hand():
    # With five levels 3 and 4 lie above half the range, 2 does not. Both rows agree at three pixels of four; rolled by
    # one, the sources agree at two and at none.
    sources, known = rows([4, 4, 0, 0], [0, 0, 3, 0]), rows([3, 3, 4, 0], [2, 0, 3, 4])
    found = joint(sources, known, 5)
    assert found.agreement == pytest.approx((3 + 3) / 8)
    assert found.chance == pytest.approx((2 + 0) / 8)
    assert found.kappa == pytest.approx((6 / 8 - 2 / 8) / (1 - 2 / 8))
    assert found.pairs == 2


def test_the_right_sources_are_1_and_those_of_other_images_0():
    known = torch.randint(2, (500, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8) * 255
    assert joint(known, known, 256).kappa == 1
    other = joint(known.roll(250, 0), known, 256)
    assert abs(other.kappa) < 4 * other.kappa_standard_error
    assert 0 < other.kappa_standard_error < 0.05


def test_black_sources_agree_with_much_and_follow_nothing():
    known = rows([0, 0, 0, 255], [0, 0, 255, 0])
    found = joint(torch.zeros_like(known), known, 256)
    assert (found.agreement, found.chance, found.kappa) == (0.75, 0.75, 0)


def test_where_chance_leaves_nothing_it_is_0():
    black = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    found = joint(black, black, 256)
    assert (found.agreement, found.chance, found.kappa, found.kappa_standard_error) == (1, 1, 0, None)


def test_sources_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="pairs of shape"):
        joint(rows([1, 2]), rows([1, 2, 3]), 256)
