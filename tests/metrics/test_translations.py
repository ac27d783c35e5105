"""L1, gradient histograms, shadows, identities: by hand, on images small enough to reckon with."""

import math

import pytest
import torch

from genbench.metrics.accuracy import accuracy
from genbench.metrics.fidelity import paired
from genbench.metrics.gradients import gradient_histogram
from genbench.metrics.paired import l1, psnr, ssim
from genbench.metrics.rank_1 import rank_1
from genbench.metrics.shadow import mask_error, shadow


def grey(*images):
    return torch.tensor(images, dtype=torch.uint8)[:, None]


def flat(*levels, side=1, channels=1):
    return torch.tensor(levels, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, channels, side, side).contiguous()


def test_l1_is_in_levels_and_its_error_is_over_pairs():
    found = l1(grey([[1, 2], [3, 4]], [[0, 0], [0, 8]]), grey([[2, 2], [3, 1]], [[0, 0], [0, 0]]))
    assert (found.mean, found.images) == (1.5, 2)
    assert found.standard_error == pytest.approx(0.5), "of 1 and 2"


def test_a_step_over_the_whole_range_lies_in_the_bin_of_its_norm():
    # A gradient of (1, 0) of √2 at most is 16/√2 = 11.3 bins up; one of (1, 1) is the last bin's end.
    for image, bin_ in (([[0, 1], [0, 1]], 11), ([[0, 1], [1, 0]], 15), ([[0, 0], [0, 1]], 0)):
        found = gradient_histogram(grey(image), grey([[0, 0], [0, 0]]), 2)
        assert found.value == (2 if bin_ else 0), image
    shares = {11: ([[0, 3], [0, 3]], 4), 15: ([[0, 255], [255, 0]], 256)}
    for image, levels in shares.values():
        assert gradient_histogram(grey(image), grey(image), levels).value == 0
    assert gradient_histogram(grey([[0, 1], [0, 1]]), grey([[0, 1], [1, 0]]), 2).value == 2, "bins 11 and 15"
    assert gradient_histogram(grey([[0, 1], [0, 1]]), grey([[1, 0], [1, 0]]), 2).value == 0, "neither has a sign"
    assert gradient_histogram(grey([[0, 1], [0, 1]]), grey([[0, 0], [1, 1]]), 2).value == 0, "nor a direction"


def test_histograms_are_of_the_sets_and_the_error_leaves_out_a_pair():
    step, plain = [[0, 1], [0, 1]], [[0, 0], [0, 0]]
    assert gradient_histogram(grey(step, plain), grey(plain, step), 2).value == 0
    found = gradient_histogram(grey(step, plain, plain), grey(plain, plain, plain), 2)
    assert found.value == pytest.approx(2 / 3)
    # Without the first pair the distance is 0, without another 1: s² = 2/3 Σ (d - 2/3)².
    assert found.standard_error == pytest.approx(math.sqrt(2 / 3 * (4 / 9 + 1 / 9 + 1 / 9)))
    assert gradient_histogram(grey(step), grey(plain), 2).standard_error is None


def test_colours_are_weighed_as_the_eye_does():
    red = torch.zeros((1, 3, 2, 2), dtype=torch.uint8)
    red[0, 0, :, 1] = 255  # grey 76.2, a third of the way to the bins' end at 360.6: bin 3
    other = grey([[0, 76], [0, 76]]).expand(1, 3, 2, 2)
    green = red.roll(1, 1)  # 149.7: bin 6
    assert gradient_histogram(red, other.contiguous(), 256).value == 0
    assert gradient_histogram(red, green, 256).value == 2


def test_a_translation_has_all_four_measures():
    noise = torch.Generator().manual_seed(0)
    fake, real = (torch.randint(17, (5, 1, 8, 8), generator=noise, dtype=torch.uint8) for _ in range(2))
    found = paired(fake, real, 17)
    assert (found.psnr, found.ssim) == (psnr(fake, real, 17).mean, ssim(fake, real, 17).mean)
    assert (found.l1, found.l1_standard_error) == (l1(fake, real).mean, l1(fake, real).standard_error)
    assert found.gradients == gradient_histogram(fake, real, 17).value
    assert found.images == 5


def test_the_error_in_the_shadow_counts_its_pixels_and_no_others():
    mask = grey([[1, 0], [0, 0]], [[1, 1], [1, 0]])
    real = torch.zeros((2, 3, 2, 2), dtype=torch.uint8)
    fake = torch.full_like(real, 200)
    fake[0, :, 0, 0] = torch.tensor([3, 3, 3])
    fake[1, :, :, :] = 1
    found = shadow(fake, real, mask)
    assert found.rmse == pytest.approx(math.sqrt((9 + 3) / 4)), "of four pixels, one off by 3 and three by 1"
    # R = 3 over two images: a - R b = 6 and -6 over mean b = 2; half of it over the root.
    assert found.standard_error == pytest.approx(6 / 2 / (2 * math.sqrt(3)))
    assert shadow(real, real, mask).rmse == 0
    assert shadow(real, real, mask).standard_error is None
    with pytest.raises(ValueError, match=r"no pixel of any image"):
        shadow(fake, real, mask * 0)
    with pytest.raises(ValueError, match=r"mask: shape \(1, 1, 2, 2\); give \(2, 1, 2, 2\)"):
        shadow(fake, real, mask[:1])


def test_a_mask_errs_on_each_kind_of_pixel_and_both_count_alike():
    true = grey([[1, 0], [0, 0]], [[1, 1], [1, 0]])
    found = mask_error(true == 0, true)
    assert found.error == 1
    assert mask_error(true > 0, true).error == 0
    for constant in (0, 1):
        assert mask_error(torch.full_like(true, constant), true).error == 0.5
    half = mask_error(grey([[1, 1], [0, 0]], [[0, 1], [1, 0]]) > 0, true)
    assert half.error == pytest.approx((1 / 4 + 1 / 4) / 2), "one of four missed, one of four taken for shadow"
    # a - R b over mean b, of both kinds: shadow (0 - ¼, 1 - ¾) / 2, light (1 - ¾, 0 - ¼) / 2; they sum to nothing.
    assert half.standard_error == pytest.approx(0)
    one = mask_error(grey([[0, 0], [0, 0]], [[1, 1], [1, 0]]) > 0, true)
    # (1 - ¼, 0 - ¾) / 2 = ±.375, halved: ±.1875, whose error over two images is .1875.
    assert (one.error, one.standard_error) == (pytest.approx(1 / 8), pytest.approx(0.1875))
    with pytest.raises(ValueError, match=r"all pixels are of one kind"):
        mask_error(true > 0, torch.ones_like(true))


def test_rank_1_knows_each_identity_by_a_picture_that_is_not_the_target():
    pictures = flat(10, 12, 50, 51, 90)
    who = torch.tensor([7, 7, 3, 3, 5])
    found = rank_1(pictures, pictures, who)
    # The last has no other picture and is not counted; the first of an identity is known by the second.
    assert (found.share, found.images, found.identities) == (1, 4, 3)
    assert rank_1(flat(52, 12, 50), pictures, who).share == pytest.approx(2 / 3)
    # The target of row 0 itself, 10, is not known: 30 is nearer to 12 than to 50, and 32 is not.
    assert rank_1(flat(30), pictures, who).share == 1
    assert rank_1(flat(32), pictures, who).share == 0
    # Row 1 is known by 10: of 10 and 50, 30 is as near to both, 31 is not.
    assert rank_1(flat(0, 31), pictures, who).share == pytest.approx(1 / 2)
    constant = rank_1(flat(60, 60, 60, 60), pictures, who)
    assert (constant.share, constant.standard_error) == (0.5, pytest.approx(math.sqrt(1 / 3 / 4)))
    assert rank_1(flat(1, 2), flat(1, 2), torch.tensor([0, 1])) is None, "nobody has a second picture"
    with pytest.raises(ValueError, match=r"3 samples, 2 pictures"):
        rank_1(flat(1, 2, 3), flat(1, 2), torch.tensor([0, 0]))


def test_accuracy_is_a_share_with_its_binomial_error():
    found = accuracy(torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]), torch.tensor([0, 1, 1, 1]))
    assert (found.accuracy, found.images) == (0.75, 4)
    assert found.standard_error == pytest.approx(math.sqrt(0.75 * 0.25 / 3))
    with pytest.raises(ValueError, match=r"2 images, 1 labels"):
        accuracy(torch.ones(2, 2), torch.tensor([0]))
