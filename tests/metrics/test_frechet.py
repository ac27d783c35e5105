import pytest
import torch

from genbench.metrics import frechet
from genbench.metrics.frechet import Moments, blocks, distance, leave_one_out


def features(count, width, seed):
    source = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=source, dtype=torch.float64)
    return torch.randn(count, width, generator=source, dtype=torch.float64) @ mixing + 0.3


@pytest.mark.parametrize(
    ("n", "m", "width"),
    [(12, 30, 6), (12, 30, 20), (40, 9, 20), (7, 7, 7), (8, 50, 7), (3, 9, 4)],
    ids=["more images", "more features", "few real images", "a row is a direction", "barely enough", "the fewest"],
)
def test_leaving_one_out_is_the_distance_without_it(n, m, width, monkeypatch):
    monkeypatch.setattr(frechet, "BLOCK", 5)
    real, fake = Moments.of([features(m, width, 0)]), features(n, width, 1)
    value, others = leave_one_out(real, fake)
    assert value == pytest.approx(distance(real, Moments.of([fake])), rel=1e-7)
    for i in range(n):
        without = Moments.of([torch.cat([fake[:i], fake[i + 1 :]])])
        # Eigenvalues of 0 come out as 1e-16 of the largest: their square roots are what remains between the two.
        assert float(others[i]) == pytest.approx(distance(real, without), rel=5e-6)


def test_moments_are_those_of_all_rows_however_they_come(monkeypatch):
    rows = 1e4 + features(50, 4, 0)
    found = Moments.of(rows.split(7))
    assert found.count == 50
    assert torch.allclose(found.mean, rows.mean(0), rtol=1e-12)
    assert torch.allclose(found.covariance, torch.cov(rows.T), rtol=1e-9)
    monkeypatch.setattr(frechet, "BLOCK", 20)
    assert [len(part) for part in blocks(rows)] == [20, 20, 10]


def test_moments_hold_one_block_at_a_time():
    alive = 0

    class Counted:
        def __init__(self):
            nonlocal alive
            alive += 1

        def double(self):
            return torch.randn(10, 3, dtype=torch.float64)

        def __del__(self):
            nonlocal alive
            alive -= 1

    most = 0

    def stream():
        nonlocal most
        for _ in range(30):
            yield Counted()
            most = max(most, alive)

    assert Moments.of(stream()).count == 300
    assert most <= 2


def test_identical_rows_are_a_gaussian_without_width():
    real = Moments.of([features(30, 3, 0)])
    value, others = leave_one_out(real, torch.ones(5, 3))
    assert value == pytest.approx(float((real.mean - 1).square().sum() + real.covariance.trace()))
    assert others.tolist() == pytest.approx([value] * 5)


@pytest.mark.parametrize("count", [0, 1])
def test_one_image_has_no_covariance(count):
    with pytest.raises(ValueError, match=f"{count} images have no covariance"):
        Moments.of(torch.ones(1, 3) for _ in range(count))
