import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

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


def sets(m, n, shift=1.0, seed=0):
    noise = torch.randn(m + n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return noise[:m], noise[m:] + shift


@pytest.mark.parametrize(("m", "n"), [(8, 8), (5, 9), (2, 3)])
def test_it_is_the_unbiased_estimator(m, n, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 4)
    real, fake = sets(m, n)
    result = kid(real, fake)
    assert result.kid == pytest.approx(by_hand(real, fake), rel=1e-9)
    assert result.images == (m, n)


def test_it_is_torch_fidelitys_where_a_subset_is_the_whole_set():
    real, fake = (rows.float() for rows in sets(70, 70))
    theirs = kid_features_to_metric(fake, real, kid_subsets=1, kid_subset_size=70, rng_seed=0, verbose=False)
    assert kid(real, fake).kid == pytest.approx(theirs[KEY_METRIC_KID_MEAN], rel=1e-5)


def test_the_standard_error_is_that_of_leaving_images_out_one_by_one():
    real, fake = sets(6, 9)
    variance = 0.0
    for rows, other in ((real, None), (fake, real)):
        left = [torch.cat([rows[:i], rows[i + 1 :]]) for i in range(len(rows))]
        values = [by_hand(some, fake) if other is None else by_hand(other, some) for some in left]
        variance += (len(rows) - 1) * np.var(values)
    assert kid(real, fake).standard_error == pytest.approx(variance**0.5, rel=1e-9)
    assert kid(real[:2], fake).standard_error is None


def test_equal_distributions_score_zero_on_average_whatever_their_number():
    noise = torch.Generator().manual_seed(0)
    for count in (6, 40):
        values = [kid(*torch.randn(2, count, 4, generator=noise)).kid for _ in range(300)]
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values)) < 3 * error
        assert min(values) < 0 < max(values)


def test_different_distributions_score_their_distance_whatever_their_number():
    noise = torch.Generator().manual_seed(0)
    # One dimension, x ~ N(0, 1), y = 1: E k(x, x') = 1 + 3 E(x x')² = 4, k(y, y) = 8, E k(x, y) = E (x + 1)³ = 4.
    for count in (5, 50):
        values = [
            kid(torch.randn(count, 1, generator=noise, dtype=torch.float64), torch.ones(count, 1).double()).kid
            for _ in range(400)
        ]
        assert abs(np.mean(values) - (4 + 8 - 2 * 4)) < 3 * np.std(values) / np.sqrt(len(values))


def test_of_large_sets_the_seed_chooses_some_images_and_it_stays_unbiased(monkeypatch):
    monkeypatch.setattr(module, "MOST", 20)
    real, fake = sets(30, 60)
    assert kid(real, fake, seed=1) == kid(real, fake, seed=1)
    assert kid(real, fake, seed=1) != kid(real, fake, seed=2)
    assert kid(real, fake).images == (20, 20)
    values = [kid(real, fake, seed=seed).kid for seed in range(300)]
    assert np.mean(values) == pytest.approx(by_hand(real, fake), abs=3 * np.std(values) / np.sqrt(300))


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="1 real images are too few: give at least 2"):
        kid(torch.randn(1, 3), torch.randn(9, 3))
