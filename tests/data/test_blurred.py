"""Shaken cameras: paths against a scalar account of them, kernels and sums by hand."""

import cmath
import math

import numpy as np
import pytest
import torch

from genbench import data
from genbench.data.blurred import EXPANSES, NUMBERS, convolved, kernels, paths
from genbench.seed import generator, uniform
from genbench.spec import to_bytes

STILL = [0.0, 0.0, 0.0, 0.0, 0.0]  # no pull, no jolts, no trembling, the greatest expanse, to the right


def row(first, steps):
    """The numbers of one path: five, then four a step, 0.9 where none are given."""
    numbers = torch.full((1, NUMBERS), 0.9)
    numbers[0, :5] = torch.tensor(first)
    for step, four in steps.items():
        numbers[0, 5 + 4 * step : 9 + 4 * step] = torch.tensor(four)
    return numbers


def test_a_path_without_forces_is_straight_and_eight_pixels_long():
    found = paths(row([*STILL[:4], 0.25], {}))[0]
    assert found.shape == (200, 2)
    assert torch.allclose(found[:, 0], torch.zeros(200, dtype=torch.float64), atol=1e-9)
    assert torch.allclose(found[:, 1], torch.arange(200).double() * 8 / 199, atol=1e-9)


def test_a_jolt_turns_a_path_round():
    found = paths(row([0, 0.5, 0, 0, 0], {99: [0.0, 0.5, 0.9, 0.9]}))[0, :, 0]
    assert found[99].item() == pytest.approx(99 * 8 / 199)
    assert found[-1].item() == pytest.approx(-8 / 199), "99 steps there and 100 back: v - 2v = -v"
    chance = 0.2 * 0.5 * 0.01
    near = paths(row([0, 0.5, 0, 0, 0], {99: [chance * 1.01, 0.5, 0.9, 0.9]}))[0, :, 0]
    assert near[-1].item() == pytest.approx(8), "a number above b·e is no jolt"


def test_paths_are_those_of_a_scalar_account():
    drawn = uniform((3, NUMBERS), generator(0, "paths"))
    drawn[:, 5::40] = 0  # some jolts
    found = paths(drawn)
    for numbers, points in zip(drawn.double().tolist(), found, strict=True):
        c, b, g = 0.7 * numbers[0], 0.2 * numbers[1], 10 * numbers[2]
        e, s = EXPANSES[int(6 * numbers[3])], 8 / 199
        v, x = cmath.rect(s, 2 * math.pi * numbers[4]), 0j
        for i in range(199):
            assert complex(*points[i].tolist()) == pytest.approx(x, abs=1e-9)
            p, u, size, angle = numbers[5 + 4 * i : 9 + 4 * i]
            n = 2 * v * cmath.exp(1j * (math.pi + u - 0.5)) if p < b * e else 0
            normal = cmath.rect(math.sqrt(-2 * math.log(1 - size)), 2 * math.pi * angle)
            v = v + n + e * (g * normal - c * x) * s
            v = s * v / abs(v)
            x += v
    assert torch.equal(paths(drawn[1:])[0], found[1]), "no row moves another"


def test_points_are_spread_over_four_pixels():
    two = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]], dtype=torch.float64)
    found = kernels(two)[0]
    assert found[4].tolist() == [0, 0, 0, 1024, 2048, 1024, 0, 0, 0]
    assert int(found.sum()) == 4096
    diagonal = kernels(two.flip(2) + two)[0]
    assert diagonal[3:6, 3:6].tolist() == [[512, 512, 0], [512, 1024, 512], [0, 512, 512]]


def test_what_rounding_leaves_goes_to_the_largest_remainders():
    nine = torch.stack([torch.arange(9.0), torch.zeros(9)], 1).double()[None]
    assert kernels(nine)[0, 4].tolist() == [456, *[455] * 8], "4096 = 9 · 455 + 1"
    assert kernels(nine.flip(2))[0, :, 4].tolist() == [456, *[455] * 8], "y runs downwards"
    three = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]], dtype=torch.float64)
    # Shares 1/6, 1/2, 1/3 of 4096: 682.67, 2048, 1365.33.
    assert kernels(three)[0, 4, 3:6].tolist() == [683, 2048, 1365]


def test_every_kernel_sums_to_one_so_that_brightness_stays():
    weights = kernels(paths(uniform((64, NUMBERS), generator(0, "kernels"))))
    assert (weights.sum((1, 2)) == 4096).all()
    assert (weights >= 0).all()
    plain = torch.arange(0, 256, 4, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 8, 8)
    assert torch.equal(convolved(plain, weights), plain)


def test_sums_by_hand_with_edges_mirrored():
    image = torch.arange(25, dtype=torch.uint8).view(1, 1, 5, 5)
    weights = torch.zeros(1, 9, 9, dtype=torch.int64)
    weights[0, 4, 4] = 4096
    assert torch.equal(convolved(image, weights), image)
    right = weights.roll(1, 2)
    assert convolved(image, right)[0, 0, 0].tolist() == [1, 2, 3, 4, 3], "beyond the edge stands its neighbour"
    half = weights // 2 + right // 2
    assert convolved(image, half)[0, 0, 0].tolist() == [1, 2, 3, 4, 4], "a half rounds up"
    up = weights.roll(-4, 1)
    assert convolved(image, up)[0, 0, :, 0].tolist() == [20, 15, 10, 5, 0]


def test_each_image_has_a_kernel_of_its_own_and_test_sources_are_made_of_their_images():
    found = data.load("blur:digits")
    assert (found.aligned, found.spec.paired, found.spec.source, found.source_of) == (True, True, (1, 8, 8), None)
    for name in ("train", "test"):
        split = getattr(found, name)
        drawn = uniform((len(split), NUMBERS), generator(0, "blur", name))
        assert torch.equal(split.sources, convolved(to_bytes(split.images, 17), kernels(paths(drawn))))
    apart = data.load("unpaired:blur:digits")
    assert torch.equal(apart.test.sources, found.test.sources)


def test_sides_that_cannot_be_mirrored_are_refused(tmp_path):
    np.savez(tmp_path / "tiny.npz", images=np.zeros((20, 4, 4), np.uint8))
    with pytest.raises(ValueError, match="blur: images have a side of 4, and it takes 5 or more"):
        data.load(f"blur:npz:{tmp_path}/tiny.npz")
