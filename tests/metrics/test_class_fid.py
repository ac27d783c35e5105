"""The Fréchet distance within classes, by hand."""

import math

import pytest
import torch

from genbench.metrics.class_fid import class_fid
from genbench.metrics.fid import fid


def features(count, shift, seed):
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed)) + shift


REAL = torch.cat([features(20, 0, 0), features(30, 5, 1), features(4, 9, 2)])
LABELS = torch.tensor([0] * 20 + [2] * 30 + [-1] * 4)


def test_each_class_is_held_against_its_own_images_and_counts_alike():
    fake = torch.cat([features(12, 1, 3), features(9, 5, 4)])
    found = class_fid(REAL, LABELS, fake, torch.tensor([0] * 12 + [2] * 9))
    both = fid(REAL[:20], fake[:12]), fid(REAL[20:50], fake[12:])
    assert found.classes == {0: both[0].fid, 2: both[1].fid}
    assert found.mean == (both[0].fid + both[1].fid) / 2
    wanted = math.hypot(both[0].standard_error, both[1].standard_error) / 2
    assert found.standard_error == pytest.approx(wanted, rel=1e-12)
    swapped = class_fid(REAL, LABELS, fake, torch.tensor([2] * 12 + [0] * 9))
    assert swapped.mean > 10 * found.mean, "samples of the other class are far, though all together are as near"


def test_a_class_without_two_samples_has_no_distance_and_there_is_no_mean():
    fake = features(13, 0, 5)
    found = class_fid(REAL, LABELS, fake, torch.tensor([0] * 12 + [2]))
    assert (list(found.classes), found.mean, found.standard_error) == ([0], None, None)
    found = class_fid(REAL, LABELS, fake, torch.tensor([0] * 11 + [2] * 2))
    assert found.mean is not None
    assert found.standard_error is None, "two samples have no jackknife"
    assert class_fid(REAL, LABELS, fake, torch.full((13,), -1)).mean is None
    assert class_fid(REAL[:20], torch.full((20,), -1), fake, torch.zeros(13)).mean is None
