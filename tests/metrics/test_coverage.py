"""Intervals hold the truth about as often as they say: a small edition of ``benchmarks/coverage.py``."""

import math

import pytest
import torch

from benchmarks.coverage import covered, kernel_distance, nll, pair
from genbench.metrics.kid import kid

RUNS = 300
SLACK = 3 * math.sqrt(0.95 * 0.05 / RUNS)


def source():
    return torch.Generator().manual_seed(0)


def test_intervals_of_likelihoods_hold_the_truth():
    draw, truth = nll(200, source())
    found = covered(draw, truth, RUNS)
    assert abs(found.share - 0.95) < SLACK + 0.005
    assert found.ratio == pytest.approx(1, abs=0.15)


def test_intervals_of_kernel_distances_hold_the_truth_and_it_is_unbiased():
    noise = source()
    values = []

    def draw():
        one = kid(*pair(150, 50, 8, 1.3, noise))
        values.append(one.kid)
        return one.kid, one.standard_error

    truth = kernel_distance(8, 1.3)
    found = covered(draw, truth, RUNS)
    assert 0.95 - SLACK - 0.03 < found.share < 0.995
    assert found.ratio == pytest.approx(1, abs=0.25)
    drawn = torch.tensor(values)
    assert abs(float(drawn.mean()) - truth) < 3 * float(drawn.std()) / math.sqrt(RUNS)
    assert truth > 2 * float(drawn.std()) / math.sqrt(RUNS), "another truth would be noticed"
