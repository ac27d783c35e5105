import pytest
import torch

from families.layers.rotations import all_turns, check_square, turned


def test_a_quarter_turn_goes_against_the_clock_and_is_no_transpose():
    image = torch.tensor([[1, 2], [3, 4]])[None, None]
    assert turned(image, 1)[0, 0].tolist() == [[2, 4], [1, 3]]
    assert torch.equal(turned(image, 2), image.flip(2, 3))
    assert torch.equal(turned(turned(image, 1), 3), image)
    assert torch.equal(turned(image, 4), image)
    assert not torch.equal(turned(image, 1), image.transpose(2, 3))


def test_every_turn_occurs_as_often_of_a_quarter_of_the_images():
    images = torch.arange(9.0).view(9, 1, 1, 1).expand(-1, 1, 2, 2)
    shown, quarters = all_turns(images)
    assert shown[:, 0, 0, 0].tolist() == [0, 1] * 4
    assert quarters.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(all_turns(images[:1])[0]) == 4


def test_images_that_are_not_square_are_refused():
    with pytest.raises(ValueError, match=r"shape=\(1, 8, 9\): s3-gan turns images"):
        check_square((1, 8, 9), "s3-gan")
