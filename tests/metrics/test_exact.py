import torch

from genbench.metrics.exact import exact_matches
from genbench.seed import normal


def test_samples_that_equal_an_image_in_every_pixel_are_counted_and_no_others():
    images = (128 + 40 * normal((20, 3, 4, 4), torch.Generator().manual_seed(0))).to(torch.uint8)
    near = images[:3].clone()
    near[:, 0, 0, 0] ^= 1
    samples = torch.cat([images[[4, 4, 9]], near, 255 - images[5:6]])
    assert exact_matches(samples, images) == 3
    assert exact_matches(samples.transpose(2, 3), images) == 0
    assert exact_matches(samples[:0], images) == 0
