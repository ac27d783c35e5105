import numpy as np
import pytest
import torch

from genbench.metrics import kid as module
from genbench.metrics.kid import kid


def kernel(x, y):
    return (float(x @ y) / len(x) + 1) ** 3


def by_hand(real, fake):
    """The unbiased estimator, a pair at a time."""
    within = [
        np.mean([kernel(x, y) for i, x in enumerate(points) for j, y in enumerate(points) if i != j])
        for points in (real, fake)
    ]
    return sum(within) - 2 * np.mean([kernel(x, y) for x in real for y in fake])


def test_it_is_the_unbiased_estimator():
    noise = torch.randn(16, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    real, fake = noise[:8], noise[8:] + 1
    result = kid(real, fake)
    assert result.kid == pytest.approx(by_hand(real, fake), rel=1e-9)
    assert result.subset_size == 8
    assert result.std == pytest.approx(0, abs=1e-9)  # each subset is the whole set


def test_equal_distributions_score_zero_on_average_whatever_their_number(monkeypatch):
    monkeypatch.setattr(module, "SUBSETS", 1)
    noise = torch.Generator().manual_seed(0)
    for count in (6, 40):
        values = [kid(*torch.randn(2, count, 4, generator=noise)).kid for _ in range(300)]
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values)) < 3 * error
        assert min(values) < 0 < max(values)


def test_different_distributions_score_their_distance_whatever_their_number(monkeypatch):
    monkeypatch.setattr(module, "SUBSETS", 1)
    noise = torch.Generator().manual_seed(0)
    # One dimension, x ~ N(0, 1), y = 1: E k(x, x') = 1 + 3 E(x x')² = 4, k(y, y) = 8, E k(x, y) = E (x + 1)³ = 4.
    for count in (5, 50):
        values = [
            kid(torch.randn(count, 1, generator=noise, dtype=torch.float64), torch.ones(count, 1).double()).kid
            for _ in range(400)
        ]
        assert abs(np.mean(values) - (4 + 8 - 2 * 4)) < 3 * np.std(values) / np.sqrt(len(values))


def test_subsets_are_chosen_by_the_seed_and_never_exceed_the_smaller_set():
    noise = torch.randn(1300, 4, generator=torch.Generator().manual_seed(0))
    assert kid(noise, noise[:30], seed=1) == kid(noise, noise[:30], seed=1)
    assert kid(noise, noise[:30], seed=1).kid != kid(noise, noise[:30], seed=2).kid
    assert kid(noise, noise[:30]).subset_size == kid(noise[:30], noise).subset_size == 30
    assert kid(noise, noise).subset_size == 1000


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="1 real images are too few: give at least 2"):
        kid(torch.randn(1, 3), torch.randn(9, 3))
