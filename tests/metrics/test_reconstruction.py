import math

import pytest
import torch

from genbench.metrics.reconstruction import reconstruction


def constant(*levels):
    return torch.tensor(levels, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous()


def test_by_hand():
    # A level of 5 in each of four pixels is 2 · 5 / 4: distances of 1 and 3 levels, on [0, 1] of five levels.
    found = reconstruction(constant(0, 4), constant(1, 1), 5)
    assert found.distance == pytest.approx((2 * 1 / 4 + 2 * 3 / 4) / 2)
    assert found.distance_standard_error == pytest.approx(0.5)  # of two: |a - b| / 2
    assert found.ratio == pytest.approx(1), "one answer for all ignores its input"
    assert found.images == 2


def test_the_identity_has_neither_distance_nor_ratio():
    images = torch.randint(256, (300, 1, 3, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    found = reconstruction(images, images.clone(), 256)
    assert (found.distance, found.ratio, found.ratio_standard_error) == (0, 0, 0)


def test_the_next_image_after_the_last_is_the_first():
    # From 0, 2 and 4 to themselves: 0; to the next: 2, 2 and 4 levels. One level off in one of them: 1 to 8 - 1.
    found = reconstruction(constant(0, 2, 4), constant(1, 2, 4), 5)
    assert found.ratio == pytest.approx(1 / (2 + 2 + 3))
    assert found.ratio_standard_error == pytest.approx(
        math.sqrt(sum((a - b / 7 - 0) ** 2 for a, b in ((1, 2), (0, 2), (0, 3))) / 2 / 3) / (7 / 3)
    )


def test_where_the_next_is_as_near_there_is_no_ratio():
    found = reconstruction(constant(3, 3), constant(3, 3), 5)
    assert (found.distance, found.ratio) == (0, None)


def test_what_are_not_pairs_of_bytes_is_refused():
    with pytest.raises(ValueError, match="pairs of shape"):
        reconstruction(constant(1, 2), constant(1), 5)
    with pytest.raises(ValueError, match=r"torch\.float32"):
        reconstruction(constant(1), constant(1).float(), 5)
