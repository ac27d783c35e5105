import numpy as np
import pytest
import scipy.linalg
import torch

from genbench.metrics.fid import fid


def gaussian(count, mean, covariance, seed):
    """Features whose sample mean and covariance are exactly these, float64."""
    noise = np.random.default_rng(seed).standard_normal((count, len(mean)))
    noise -= noise.mean(axis=0)
    white = noise @ np.linalg.inv(np.linalg.cholesky(np.cov(noise, rowvar=False))).T
    return torch.from_numpy(white @ np.linalg.cholesky(covariance).T + mean)


def test_diagonal_gaussians_have_the_closed_form():
    real = gaussian(50, np.array([0.0, 1, 2]), np.diag([1.0, 4, 9]), 0)
    fake = gaussian(70, np.array([1.0, 1, 0]), np.diag([4.0, 4, 1]), 1)
    # |μ - μ'|² + Σ (σ - σ')² = (1 + 4) + (1 + 0 + 4)
    assert fid(real, fake).fid == pytest.approx(10, rel=1e-6)


def test_covariances_that_do_not_commute_agree_with_a_matrix_square_root():
    rng = np.random.default_rng(0)
    first, second = (np.cov(rng.standard_normal((6, 20))) for _ in range(2))
    shift = rng.standard_normal(6)
    real, fake = gaussian(40, np.zeros(6), first, 1), gaussian(40, shift, second, 2)
    root = scipy.linalg.sqrtm(first @ second).real
    expected = shift @ shift + np.trace(first + second - 2 * root)
    assert fid(real, fake).fid == pytest.approx(expected, rel=1e-6)
    assert fid(fake, real).fid == pytest.approx(expected, rel=1e-6)


def test_a_set_is_at_no_distance_from_itself():
    same = torch.randn(100, 5, generator=torch.Generator().manual_seed(0))
    assert fid(same, same).fid == pytest.approx(0, abs=1e-5)


def test_fewer_images_raise_it_which_is_why_counts_are_equal():
    noise = torch.randn(3000, 16, generator=torch.Generator().manual_seed(0))
    scores = [fid(noise[1000:], noise[:count]).fid for count in (1000, 250, 60)]
    assert scores == sorted(scores)
    assert scores[2] > 3 * scores[0]


@pytest.mark.parametrize(("real", "fake", "deficient"), [(9, 9, False), (8, 9, True), (9, 8, True), (8, 8, True)])
def test_a_singular_covariance_is_said(real, fake, deficient):
    noise = torch.randn(20, 8, generator=torch.Generator().manual_seed(0))
    result = fid(noise[:real], noise[-fake:])
    assert result.rank_deficient is deficient
    assert np.isfinite(result.fid)


def test_sets_that_cannot_be_compared_are_refused():
    noise = torch.randn(4, 3)
    with pytest.raises(ValueError, match="1 fake images are too few: give at least 2"):
        fid(noise, noise[:1])
    with pytest.raises(ValueError, match="one extractor"):
        fid(noise, noise[:, :2])
    with pytest.raises(ValueError, match="give \\(N, D\\)"):
        fid(noise[0], noise)
