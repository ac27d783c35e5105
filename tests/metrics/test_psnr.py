import math

import pytest
import torch

from genbench.metrics import paired as metrics
from genbench.metrics.paired import l1, psnr, ssim


def constant(*levels):
    return torch.tensor(levels, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()


def test_a_difference_of_one_level_in_256_is_48_decibels():
    assert psnr(constant(10), constant(11), 256).mean == pytest.approx(20 * math.log10(255))


def test_the_range_is_that_of_the_levels():
    assert psnr(constant(1), constant(5), 17).mean == pytest.approx(20 * math.log10(16 / 4))


def test_images_are_averaged_in_decibels_each_alone():
    one, ten = 20 * math.log10(255), 20 * math.log10(25.5)
    result = psnr(constant(0, 0), constant(1, 10), 256)
    assert result.mean == pytest.approx((one + ten) / 2)
    assert result.standard_error == pytest.approx(abs(one - ten) / 2)  # of two: |a - b| / 2
    assert result.images == 2


def test_differences_do_not_wrap_round_as_bytes_do():
    assert psnr(constant(0), constant(255), 256).mean == pytest.approx(0, abs=1e-5)


def test_equal_images_are_infinitely_clean():
    result = psnr(constant(3, 3), constant(3, 4), 256)
    assert result.mean == math.inf
    assert result.standard_error is None


@pytest.mark.parametrize("measure", [lambda a, b: psnr(a, b, 256), l1, lambda a, b: ssim(a, b, 256)])
def test_pairs_are_measured_alike_however_few_at_once(measure, monkeypatch):
    fake, real = torch.randint(256, (2, 9, 3, 8, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    whole = measure(fake, real)
    monkeypatch.setattr(metrics, "NUMBERS", 3_000)
    assert measure(fake, real) == whole
    assert whole.images == 9


@pytest.mark.parametrize(
    ("fake", "words"), [(constant(1, 2), "pairs of shape"), (constant(1).float(), "torch.float32")]
)
def test_what_are_not_pairs_of_bytes_is_refused(fake, words):
    with pytest.raises(ValueError, match=words):
        psnr(fake, constant(1), 256)
