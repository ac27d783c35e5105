import numpy as np
import pytest
import scipy.linalg
import torch
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from genbench.metrics.fid import extrapolated, fid


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


@pytest.mark.parametrize(("m", "n", "width"), [(90, 40, 12), (90, 40, 64), (30, 30, 64)])
def test_it_is_torch_fidelitys_on_the_same_features(m, n, width):
    noise = torch.randn(m + n, width, generator=torch.Generator().manual_seed(0)) @ torch.randn(
        width, width, generator=torch.Generator().manual_seed(1)
    )
    real, fake = noise[:m], 1.2 * noise[m:] + 0.1
    theirs = fid_statistics_to_metric(fid_features_to_statistics(fake), fid_features_to_statistics(real), False)
    assert fid(real, fake).fid == pytest.approx(theirs[KEY_METRIC_FID], rel=1e-6)


def test_the_standard_error_is_that_of_other_samples_of_the_same_model():
    source = torch.Generator().manual_seed(0)
    for width, count in ((8, 200), (100, 60)):
        scale = torch.logspace(0, -1, width)
        real = torch.randn(1000, width, generator=source) * scale
        found = [fid(real, 1.3 * scale * torch.randn(count, width, generator=source) + 0.2) for _ in range(60)]
        deviation = np.std([one.fid for one in found], ddof=1)
        # 60 draws know a deviation to a tenth; a jackknife's variance is on average too large, never too small.
        assert 0.8 * deviation < np.mean([one.standard_error for one in found]) < 1.6 * deviation


def test_two_samples_have_a_distance_and_no_error():
    noise = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))
    assert fid(noise[2:], noise[:2]).standard_error is None
    assert fid(noise[3:], noise[:3]).standard_error > 0


def test_carried_to_infinity_it_is_within_its_error_of_the_truth_and_plain_it_is_not():
    """64 features of 3,500 real and 500 generated images: known Gaussians N(0, S²) and N(a s, (b S)²)."""
    source, scale = torch.Generator().manual_seed(0), torch.logspace(0, -2, 64, dtype=torch.float64)
    for shift, width in ((0.0, 1.0), (0.02, 1.1), (0.1, 1.2)):
        truth = float((scale * shift).square().sum() + (scale * (width - 1)).square().sum())
        inside = []
        for _ in range(12):
            real = torch.randn(3500, 64, generator=source, dtype=torch.float64) * scale
            fake = scale * (width * torch.randn(500, 64, generator=source, dtype=torch.float64) + shift)
            plain, carried = fid(real, fake), extrapolated(real, fake)
            inside.append(
                [abs(one.fid - truth) <= 1.96 * one.standard_error for one in (plain, carried)]
                + [abs(carried.fid - truth) < abs(plain.fid - truth)]
            )
        plain_in, carried_in, nearer = np.mean(inside, axis=0)
        assert plain_in <= 0.1
        assert carried_in >= 0.8
        assert nearer == 1


def test_too_few_images_a_feature_are_not_carried_to_infinity():
    noise = torch.randn(60, 8, generator=torch.Generator().manual_seed(0))
    extrapolated(noise[:32], noise[-32:])
    with pytest.raises(ValueError, match="31 fake images are too few: give at least 32"):
        extrapolated(noise[:32], noise[-31:])


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
