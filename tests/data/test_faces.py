"""Painted faces: what an identity fixes, what a picture adds, and where its landmarks are."""

import pytest
import torch

from genbench import data
from genbench.data import faces
from genbench.data.faces import CHANGING, FIXED, landmarks, painted
from genbench.spec import Field

PARTS = ("train", "validation", "test")


def face(**changes):
    """Two faces of middling numbers, the second changed."""
    middle = {name: torch.full((2,), (low + high) / 2).double() for name, (low, high) in (FIXED | CHANGING).items()}
    middle["light"] = middle["tilt"] = torch.zeros(2).double()
    for name, value in changes.items():
        middle[name] = torch.tensor([middle[name][0], value]).double()
    return middle


def test_splits_are_those_that_every_table_was_made_with():
    found = data.load("faces")
    assert found.spec.fields == {"identity": Field((), 200), "landmarks": Field((4, 2), 32)}
    assert (found.spec.shape, found.spec.classes, found.spec.source) == ((1, 32, 32), 0, None)
    assert tuple(value[:16] for value in found.hashes.values()) == (
        "7085b2d5021ad8f4",
        "5b2d7fe7a411e4ef",
        "c3c86ab56f8d397d",
    )


def test_no_identity_is_in_two_splits_and_each_has_twenty_pictures():
    found = data.load("faces")
    seen = []
    for name, identities in zip(PARTS, (range(140), range(140, 160), range(160, 200)), strict=True):
        owners = getattr(found, name).fields["identity"]
        assert owners.bincount()[identities.start :].tolist() == [20] * len(identities)
        assert owners.unique().tolist() == list(identities)
        assert (owners.diff() != 0).float().mean() > 0.8, "in random order"
        seen += map(bytes, getattr(found, name).images.numpy())
    assert len(set(seen)) == 4000, "no two pictures are the same"


def test_only_light_and_noise_break_the_symmetry():
    plain = painted(face(tilt=0.3))
    assert torch.allclose(plain, plain.flip(2))
    lit = painted(face(light=0.1))
    x = (2 * torch.arange(32) + 1).double() / 32 - 1
    assert torch.allclose(lit[1], lit[0] * (1 + 0.1 * x))
    images = data.load("faces").test.images.double()
    error = (images - images.flip(3)).square().flatten(1).mean(1)
    assert (10 * (255**2 / error).log10()).mean().item() == pytest.approx(30.2, abs=0.5)


def test_layers_by_hand():
    first = painted(face())[0]
    skin = 187.5
    assert first[0, 0] == 40
    assert first[19, 8] == first[27, 15] == pytest.approx(skin), "cheek and chin"
    assert first[4, 15] == pytest.approx(65), "hair"
    cover = 0.5 - (1 / 32 - 0.05) / 0.06
    assert first[16, 15] == pytest.approx(skin - 0.45 * skin * cover), "nose"
    assert first[24, 15] == pytest.approx(0.4 * skin), "mouth"


@pytest.mark.parametrize(
    ("number", "value", "rows", "columns"),
    [
        ("open", 0.55, (11, 17), (7, 25)),
        ("bend", 0.25, (20, 27), (9, 23)),
        ("mouth_x", 0.34, (20, 27), (9, 23)),
        ("nose", 0.26, (16, 21), (13, 19)),
        ("pupil", 90, (11, 17), (7, 25)),
        ("brow", 0.26, (7, 13), (6, 26)),
        ("tilt", 0.3, (7, 13), (6, 26)),
        ("hair_y", -0.4, (7, 12), (5, 27)),
    ],
)
def test_a_number_changes_its_own_part(number, value, rows, columns):
    first, second = painted(face(**{number: value}))
    changed = (first != second).nonzero()
    assert len(changed) > 0
    assert rows[0] <= changed[:, 0].min() <= changed[:, 0].max() < rows[1]
    assert columns[0] <= changed[:, 1].min() <= changed[:, 1].max() < columns[1]


def test_landmarks_lie_on_what_they_name():
    marks = landmarks(face(eye_x=0.4, mouth_y=0.56))
    assert marks[0].tolist() == [[10, 14], [21, 14], [16, 19], [16, 23]], "((u + 1)·32 - 1) / 2, rounded"
    assert marks[1].tolist() == [[9, 14], [22, 14], [16, 19], [16, 24]]
    found = data.load("faces").test
    rows = torch.arange(len(found))
    x, y = found.fields["landmarks"].unbind(2)
    for eye in (0, 1):
        assert found.images[rows, 0, y[:, eye], x[:, eye]].float().median() < 100, "a pupil"
    assert faces.SPLITS["test"] == (160, 200)
