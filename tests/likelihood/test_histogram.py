import itertools
import math

import pytest
import torch

from genbench.likelihood import histogram as module
from genbench.likelihood.histogram import Histogram

IMAGES = torch.randint(0, 3, (20, 1, 1, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
IMAGES[:, 0, 0, 1] = 2


def test_it_counts_and_sums_to_one_over_all_images(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 7)
    model = Histogram.of(IMAGES, 3)
    every = torch.tensor(list(itertools.product(range(3), repeat=2)), dtype=torch.uint8).reshape(9, 1, 1, 2)
    bits = torch.tensor(model.nll(every).per_image, dtype=torch.float64)
    assert float((-2 * bits).exp2().sum()) == pytest.approx(1)
    ones = int((IMAGES[:, 0, 0, 0] == 1).sum())
    expected = -math.log2((ones + 1 / 3) / 21 * (20 + 1 / 3) / 21) / 2
    found = model.nll(torch.tensor([1, 2], dtype=torch.uint8).reshape(1, 1, 1, 2))
    assert found.bpd == pytest.approx(expected)
    assert (found.kind, found.given, found.method) == ("exact", (), "histogram")


def test_no_image_has_infinitely_many_bits():
    assert math.isfinite(Histogram.of(IMAGES, 256).nll(255 - IMAGES).bpd)


def test_samples_have_its_own_probabilities(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 999)
    model = Histogram.of(IMAGES, 3)
    drawn = model.sample(20_000, torch.Generator().manual_seed(0))
    assert (drawn.dtype, drawn.shape) == (torch.uint8, (20_000, 1, 1, 2))
    for pixel in range(2):
        shares = torch.bincount(drawn[:, 0, 0, pixel].long(), minlength=3) / 20_000
        assert torch.allclose(shares.double(), model.log_probabilities[pixel].exp(), atol=0.015)
    # Its bits over its own samples are its entropy.
    entropy = -float((model.log_probabilities.exp() * model.log_probabilities).sum()) / (2 * math.log(2))
    assert model.nll(drawn).bpd == pytest.approx(entropy, abs=0.02)
