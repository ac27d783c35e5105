"""Simulated digits: levels by hand, and that a simulator says what it draws."""

import math

import pytest
import torch

from genbench import data
from genbench.data.simulated import written


def drawn(turn=0.5, shear=0.5, stretch=0.75, radius=0.2 / 0.7):
    """Numbers that move nothing and give a pen of one pixel's radius, but for what is asked."""
    return torch.tensor([[turn, shear, stretch, stretch, 0.5, 0.5, radius]], dtype=torch.float64)


def test_splits_are_those_that_every_table_was_made_with():
    found = data.load("simulated")
    assert tuple(value[:16] for value in found.hashes.values()) == (
        "e44bb844e0194f02",
        "fde86046b3569200",
        "af209f11fca3852f",
    )
    for split, each in ((found.train, 350), (found.validation, 50), (found.test, 100)):
        assert split.labels.bincount().tolist() == [each] * 10


def test_a_stroke_by_hand():
    upright = ([(0.5, 0.0), (0.5, 1.0)],)  # from (14, 4) to (14, 24); centres lie half a pixel beside it
    image = written(upright, drawn())[0, 0]
    assert image[14].tolist() == [0] * 12 + [0, 255, 255, 0] + [0] * 12, "1 + ½ - ½ = 1, and 1 + ½ - 1½ = 0"
    assert written(upright, drawn(radius=0.4 / 0.7))[0, 0, 14, 12] == 51, "255 · (1.2 + ½ - 1½)"
    assert image[2, 13].item() == 0
    assert image[3, 13].item() == round(255 * (1.5 - math.sqrt(0.5))), "beyond the end d is that of the end"


def test_the_pen_turns_clockwise_and_shears_along_x():
    flat = ([(0.0, 0.5), (1.0, 0.5)],)
    ends = written(flat, drawn(turn=1.0))[0, 0].float()
    centres = torch.arange(28.0)
    left, right = ((ends[:, column] * centres).sum() / ends[:, column].sum() for column in (6, 21))
    assert right - left == pytest.approx(15 * math.tan(0.125), abs=0.2), "y runs downwards"
    upright = ([(0.5, 0.0), (0.5, 1.0)],)
    leaning = written(upright, drawn(shear=1.0))[0, 0].float()
    top, bottom = ((leaning[row] * centres).sum() / leaning[row].sum() for row in (6, 21))
    assert bottom - top == pytest.approx(15 * 0.15, abs=0.2)


def test_numbers_of_a_row_move_no_other():
    stroke = ([(0.2, 0.2), (0.8, 0.8)],)
    two = torch.cat([drawn(), drawn(turn=0.9, stretch=0.1)])
    assert torch.equal(written(stroke, two)[1:], written(stroke, two[1:]))
    assert not torch.equal(written(stroke, two)[0], written(stroke, two)[1])


def test_real_digits_are_nearer_to_their_own_simulations_than_by_chance():
    made, real = data.load("simulated"), data.load("mnist5k")
    means = torch.stack([made.train.images[made.train.labels == digit].float().mean(0) for digit in range(10)])
    named = torch.cdist(real.test.images.flatten(1).float(), means.flatten(1)).argmin(1)
    assert 0.3 < (named == real.test.labels).float().mean() < 0.6, "and far from all: there is something to gain"
