import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from genbench.metrics.paired import ssim, window


def pair(count, side, top=256, channels=1):
    noise = torch.Generator().manual_seed(0)
    real = torch.randint(0, top, (count, channels, side, side), dtype=torch.uint8, generator=noise)
    other = torch.randint(0, top, real.shape, dtype=torch.uint8, generator=noise)
    return (0.7 * real + 0.3 * other).to(torch.uint8), real


def by_hand(fake, real, sigma, reach):
    """Of one channel in [0, levels - 1], through scipy's filter."""

    def blur(values):
        return gaussian_filter(values, sigma, mode="mirror", radius=int(3.5 * sigma + 0.5))

    x, y, one, two = fake.double().numpy(), real.double().numpy(), (0.01 * reach) ** 2, (0.03 * reach) ** 2
    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
    return np.mean((2 * mx * my + one) * (2 * cov + two) / ((mx**2 + my**2 + one) * (vx + vy + two)))


@pytest.mark.parametrize(("side", "levels", "sigma"), [(28, 256, 1.5), (16, 256, 1.5 * 7 / 11), (8, 17, 1.5 * 3 / 11)])
def test_it_agrees_with_an_independent_filter(side, levels, sigma):
    fake, real = pair(3, side, levels)
    expected = [by_hand(f[0], r[0], sigma, levels - 1) for f, r in zip(fake, real, strict=True)]
    result = ssim(fake, real, levels)
    assert result.mean == pytest.approx(np.mean(expected), rel=1e-6)
    assert result.standard_error == pytest.approx(np.std(expected, ddof=1) / np.sqrt(3), rel=1e-5)


def test_equal_images_score_one_and_batches_change_nothing():
    fake, real = pair(300, 8)
    assert ssim(real, real, 256).mean == pytest.approx(1)
    halves = [ssim(fake[part], real[part], 256).mean for part in (slice(0, 150), slice(150, 300))]
    assert ssim(fake, real, 256).mean == pytest.approx(sum(halves) / 2)
    assert ssim(fake[:1], real[:1], 256).standard_error is None


def test_colours_count_alike():
    fake, real = pair(2, 16, channels=3)
    alone = [ssim(fake[:, [c]], real[:, [c]], 256).mean for c in range(3)]
    assert ssim(fake, real, 256).mean == pytest.approx(sum(alone) / 3)


@pytest.mark.parametrize(("side", "size"), [(6, 3), (8, 3), (10, 5), (16, 7), (20, 9), (22, 11), (28, 11), (64, 11)])
def test_the_window_is_odd_and_within_half_the_image(side, size):
    assert window(side, side + 9) == window(side + 9, side) == size
    assert int(3.5 * 1.5 * size / 11 + 0.5) * 2 + 1 == size  # what torchmetrics makes of the deviation


def test_images_too_small_for_any_structure_are_refused():
    with pytest.raises(ValueError, match="5×5"):
        ssim(*pair(1, 5), 256)
