"""Shadows: levels, penumbra and half-planes by hand, and the mask that goes with each."""

import math

import pytest
import torch

from genbench import data
from genbench.data.shadows import EACH, TRIES, chosen, darkened, penumbra, polygons
from genbench.seed import generator, uniform
from genbench.spec import Field, to_bytes


def test_levels_under_a_shadow_by_hand():
    image = torch.tensor([200, 200, 200, 7], dtype=torch.uint8).view(1, 1, 2, 2)
    strength = torch.tensor([256, 0, 128, 256]).view(1, 1, 2, 2)
    found = darkened(image, strength, torch.tensor([128]))
    assert found.flatten().tolist() == [100, 200, 150, 4], "y/2, y, 3y/4, and 3.5 rounds up"
    white = torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)
    full = torch.full((1, 1, 1, 1), 256)
    assert darkened(white, full, torch.tensor([100])).flatten().tolist() == [100, 106, 116], "shade is bluer"


def test_a_penumbra_is_two_rounded_means():
    mask = torch.tensor([1, 1, 0, 0]).expand(1, 1, 4, 4)
    # Once: 256, 171, 85, 0, where a column beyond the edge is the edge's neighbour.
    assert penumbra(mask)[0, 0].tolist() == [[199, 171, 85, 57]] * 4
    assert torch.equal(penumbra(torch.ones(1, 1, 4, 4)), torch.full((1, 1, 4, 4), 256))


def test_half_planes_against_angles_and_distances():
    drawn = uniform((20, EACH), generator(0, "polygons"))
    found = polygons(drawn, 12, 16)
    for numbers, inside in zip(drawn.double().tolist(), found, strict=True):
        for y in range(12):
            for x in range(16):
                slack = []
                for k in range(5):
                    angle = 2 * math.pi * numbers[2] + 2 * math.pi * k / 5 + (numbers[3 + k] - 0.5) / 2
                    away = (x + 0.5 - 16 * numbers[0]) * math.cos(angle) + (y + 0.5 - 12 * numbers[1]) * math.sin(angle)
                    slack.append((0.15 + 0.35 * numbers[8 + k]) * 12 - away)
                if abs(min(slack)) > 0.1:  # coordinates are rounded to 1/256 pixel
                    assert bool(inside[y, x]) == (min(slack) > 0)


def test_the_first_shadow_of_eight_that_fits_is_taken_and_else_the_last():
    drawn = uniform((100, TRIES * EACH), generator(0, "chosen"))
    drawn[0].view(TRIES, EACH)[:, 3 + 5 :] = 0  # small ones
    drawn[0].view(TRIES, EACH)[:, :2] = 0  # in a corner
    every = polygons(drawn.view(-1, EACH), 16, 16).view(100, TRIES, 16, 16)
    found = chosen(drawn, 16, 16)[:, 0]
    places = []
    for shadows, one in zip(every, found, strict=True):
        covered = [int(shadow.sum()) / 256 for shadow in shadows]
        place = next((i for i, share in enumerate(covered) if 0.1 <= share <= 0.5), TRIES - 1)
        places.append(place)
        assert torch.equal(one, shadows[place])
    assert places[0] == TRIES - 1
    assert 0 < places.count(0) < 100


def test_test_sources_and_masks_are_made_of_their_images():
    found = data.load("shadow:digits")
    assert (found.aligned, found.spec.paired, found.spec.source, found.source_of) == (True, True, (1, 8, 8), None)
    assert found.spec.fields == {"shadow": Field((1, 8, 8), 2, "source")}
    for name in ("train", "test"):
        split = getattr(found, name)
        drawn = uniform((len(split), TRIES * EACH + 1), generator(0, "shadow", name))
        strength = penumbra(chosen(drawn[:, :-1], 8, 8))
        left = 90 + (drawn[:, -1] * 77).int()
        assert (left.min(), left.max()) == (90, 166)
        assert torch.equal(split.sources, darkened(to_bytes(split.images, 17), strength, left))
        assert torch.equal(split.fields["shadow"], (strength >= 128).byte())


def test_masks_go_with_the_sources_where_these_are_unpaired():
    whole, apart = data.load("shadow:digits"), data.load("unpaired:shadow:digits")
    masks = {}
    for source, mask in zip(whole.train.sources.numpy(), whole.train.fields["shadow"].numpy(), strict=True):
        masks.setdefault(bytes(source), set()).add(bytes(mask))
    for source, mask in zip(apart.train.sources.numpy(), apart.train.fields["shadow"].numpy(), strict=True):
        assert bytes(mask) in masks[bytes(source)]


def test_a_second_shadow_is_refused():
    with pytest.raises(ValueError, match="shadow: it makes sources of images, and these have some already"):
        data.load("shadow:blur:digits")
