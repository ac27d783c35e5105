"""Profiles: columns and landmarks by hand, and that what turns away is lost."""

import math

import numpy as np
import pytest
import torch

from genbench import data
from genbench.data.turned import drawn_turns, turned, turned_points
from genbench.seed import generator, uniform
from genbench.spec import Field

STILL = torch.zeros(1, 2, dtype=torch.long)


def yaw(degrees):
    return torch.tensor([math.radians(degrees)], dtype=torch.float64)


def test_columns_by_hand():
    row = torch.tensor([10, 20, 30, 40], dtype=torch.uint8).expand(1, 1, 4, 4)
    assert torch.equal(turned(row, yaw(0), STILL), row)
    # Columns at -3/4, -1/4, 1/4, 3/4 show asin of these + 30°.
    # They lie at columns .862, 2.035, 2.901, 3.461, which is beyond the last; levels are 10 more a column.
    assert turned(row, yaw(30), STILL)[0, 0].tolist() == [[19, 30, 39, 40]] * 4
    assert turned(row, yaw(45), STILL)[0, 0].tolist() == [[24, 35, 40, 0]] * 4, "48.6° and 45° are beyond 90°"
    assert torch.equal(turned(row.flip(3), yaw(-30), STILL), turned(row, yaw(30), STILL).flip(3))


def test_what_turns_away_is_lost():
    image = torch.full((1, 3, 8, 16), 200, dtype=torch.uint8)
    for degrees in (15, 75):
        shown = turned(image, yaw(degrees), STILL)[0, 0, 0] > 0
        edges = [(2 * j + 1) / 16 - 1 for j in range(16)]
        assert shown.tolist() == [math.asin(edge) + math.radians(degrees) <= math.pi / 2 for edge in edges]


def test_pictures_are_shifted_and_black_comes_in():
    image = torch.arange(1, 17, dtype=torch.uint8).view(1, 1, 4, 4)
    right_up = turned(image, yaw(0), torch.tensor([[1, -1]]))[0, 0]
    assert right_up.tolist() == [[0, 5, 6, 7], [0, 9, 10, 11], [0, 13, 14, 15], [0, 0, 0, 0]]


def test_turns_are_fifteen_to_seventy_five_degrees_to_both_sides():
    drawn = torch.tensor([[0, 0, 0.999], [0.25, 0.5, 0.5], [0.499999, 0.5, 0.5], [0.5, 0.5, 0.5], [0.75, 0.21, 0.79]])
    angles, shift = drawn_turns(drawn, 32)
    assert angles.rad2deg().tolist() == pytest.approx([-75, -45, -15, 15, 45], abs=1e-3)
    assert shift.tolist() == [[-2, 2], [0, 0], [0, 0], [0, 0], [-1, 1]]
    assert drawn_turns(drawn, 15)[1].abs().max() == 0


def test_landmarks_go_where_their_columns_go():
    # In an image 32 wide a bright column stands where the landmark is, before and after the turn.
    for column in (8, 16, 23):
        image = torch.zeros(1, 1, 4, 32, dtype=torch.uint8)
        image[..., column - 1 : column + 2] = 255
        for degrees in (-30, -15, 15, 30):
            moved = torch.tensor([[2, 1]])
            shown = turned(image, yaw(degrees), moved)[0, 0, 2].float()
            point = turned_points(torch.tensor([[[column, 1]]]), yaw(degrees), moved, 4, 32)[0, 0]
            assert abs(point[0].item() - (shown * torch.arange(32)).sum() / shown.sum()) <= 1
            assert point[1] == 2
            across = math.asin((2 * column + 1) / 32 - 1) - math.radians(degrees)
            assert point[0] == round(((math.sin(across) + 1) * 32 - 1) / 2) + 2
    hidden = turned_points(torch.tensor([[[30, 0], [1, 0]]]), yaw(-60), STILL, 4, 32)[0]
    assert hidden[0, 0] == 31, "at the rim"
    assert turned_points(torch.tensor([[[0, 3]]]), yaw(60), torch.tensor([[-2, 2]]), 4, 32)[0, 0].tolist() == [0, 3]


def test_splits_are_those_that_every_table_was_made_with():
    found = data.load("profile:faces")
    assert tuple(value[:16] for value in found.hashes.values()) == (
        "1698a565ec767329",
        "77c3ee596e4ac618",
        "a57a6365d8c3b3c1",
    )
    plain = data.load("faces")
    assert found.spec.fields == {"identity": Field((), 200), "landmarks": Field((4, 2), 32, "source")}
    assert (found.spec.source, found.spec.paired, found.aligned) == ((1, 32, 32), True, True)
    for name in ("train", "test"):
        split, front = getattr(found, name), getattr(plain, name)
        angles, shift = drawn_turns(uniform((len(split), 3), generator(0, "profile", name)), 32)
        assert torch.equal(split.images, front.images)
        assert torch.equal(split.sources, turned(front.images, angles, shift))
        assert torch.equal(split.fields["identity"], front.fields["identity"])
        marks = turned_points(front.fields["landmarks"], angles, shift, 32, 32)
        assert torch.equal(split.fields["landmarks"], marks)


def test_other_data_are_turned_too_and_odd_landmarks_refused(tmp_path):
    assert data.load("profile:digits").spec.fields == {}
    path = tmp_path / "marked.npz"
    np.savez(path, images=np.zeros((20, 8, 8), np.uint8), field_landmarks=np.full((20, 3), 7))
    with pytest.raises(ValueError, match=r"profile: field 'landmarks' has shape \(3,\): give K times"):
        data.load(f"profile:npz:{path}")
    np.savez(path, images=np.zeros((20, 8, 8), np.uint8), field_landmarks=np.full((20, 3, 2), 8))
    with pytest.raises(ValueError, match="give K times"):
        data.load(f"profile:npz:{path}")
    np.savez(path, images=np.zeros((20, 8, 8), np.uint8), field_landmarks=np.full((20, 3, 2), 5))
    assert data.load(f"profile:npz:{path}").spec.fields == {"landmarks": Field((3, 2), 8, "source")}
