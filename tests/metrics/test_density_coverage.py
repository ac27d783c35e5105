import pytest
import torch

from genbench.metrics import neighbours
from genbench.metrics.density_coverage import density_coverage

LINE = torch.arange(6.0)[:, None] * torch.tensor([[1.0, 0.0]])  # radii to the fifth neighbour: 5, 4, 3, 3, 4, 5


def test_by_hand_on_a_line():
    """Of 0 … 5 the balls reach to 5, 5, 5, 6, 8, 10 on the right and to -5, -3, -1, 0, 0, 0 on the left."""
    probes = torch.tensor([[-4.0, 0], [5.5, 0], [7.0, 0], [11.0, 0], [11.0, 0], [11.0, 0]])
    # -4 lies in one ball; 5.5 in those of 3, 4, 5; 7 in those of 4, 5; 11 in none.
    found = density_coverage(LINE, probes)
    assert found.density == pytest.approx((1 + 3 + 2) / (5 * 6))
    assert found.coverage == pytest.approx(4 / 6)  # of 0, 3, 4, 5


def test_in_blocks_it_is_the_double_sum(monkeypatch):
    monkeypatch.setattr(neighbours, "AT_ONCE", 7 * 40)
    real, fake = (torch.randn(n, 3, generator=torch.Generator().manual_seed(n)) for n in (40, 30))
    found = density_coverage(real, fake)
    within = torch.zeros(40, 30)
    for i, x in enumerate(real):
        radius = sorted(float((x - other).norm()) for k, other in enumerate(real) if k != i)[4]
        for j, y in enumerate(fake):
            within[i, j] = float((x - y).norm()) <= radius
    assert found.density == pytest.approx(float(within.sum()) / (5 * 30))
    assert found.coverage == pytest.approx(float(within.amax(1).mean()))


def test_one_odd_image_lets_no_noise_in():
    """What it was proposed for: a single outlier's ball makes precision 1 for samples that no one else is near."""
    real = torch.cat([torch.randn(200, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([[50.0, 0]])])
    between = torch.tensor([[25.0, 0]]).repeat(100, 1)
    found = density_coverage(real, between)
    assert found.density == pytest.approx(1 / 5)  # the outlier's ball alone, of five
    assert found.coverage == pytest.approx(1 / 201)


def test_copies_cover_all_and_sets_apart_nothing():
    real = torch.randn(60, 4, generator=torch.Generator().manual_seed(1))
    assert density_coverage(real, real.clone()).coverage == 1
    apart = density_coverage(real, real + 1000)
    assert (apart.density, apart.coverage) == (0, 0)


def test_a_copy_of_a_neighbour_lies_in_the_ball_that_reaches_to_it():
    """On the boundary of it, where two ways of rounding differ: every image is in the balls of those it is near to."""
    real = 2 * torch.rand(400, 640, generator=torch.Generator().manual_seed(0))
    apart = torch.cdist(real.double(), real.double(), compute_mode="donot_use_mm_for_euclid_dist")
    radius = apart.sort(1).values[:, 5:6]
    for rows in (torch.randperm(400, generator=torch.Generator().manual_seed(1)), torch.arange(0, 400, 3)):
        within = apart[:, rows] <= radius + 1e-9
        found = density_coverage(real, real[rows])
        assert found.density == pytest.approx(float(within.sum()) / (5 * len(rows)), abs=1e-9)
        assert found.coverage == pytest.approx(float(within.any(1).double().mean()), abs=1e-9)


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="5 real images are too few: give at least 6"):
        density_coverage(LINE[:5], LINE)


def test_features_far_from_0_lose_nothing():
    real, fake = (torch.randn(n, 64, generator=torch.Generator().manual_seed(n)) for n in (300, 200))
    near = density_coverage(real, fake)
    far = density_coverage(1000 + 0.1 * real, 1000 + 0.1 * fake)
    assert far.density == pytest.approx(near.density, abs=0.02)
    assert far.coverage == pytest.approx(near.coverage, abs=0.02)
