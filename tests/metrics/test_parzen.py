import math

import pytest
import torch
from sklearn.neighbors import KernelDensity

from genbench.metrics import parzen as module
from genbench.metrics.parzen import MOST, SIGMAS, log_density, parzen, squared_distances


def images(n, seed=0, levels=256, shape=(1, 3, 3)):
    return torch.randint(levels, (n, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_by_hand():
    samples, validation, test = (
        torch.tensor(pixels, dtype=torch.uint8).view(-1, 1, 1, 2)
        for pixels in ([[0, 51], [51, 51]], [[26, 26]], [[0, 51], [0, 0]])
    )
    found = parzen(samples, validation, test, 256)
    sigma = found.sigma
    step = math.exp(-(0.2**2) / (2 * sigma**2))  # 51 levels are a fifth of the range
    near, far = 1 + step, step + step**2
    nats = [math.log(kernel / 2 / (2 * math.pi * sigma**2)) for kernel in (near, far)]
    assert found.nats == pytest.approx(sum(nats) / 2)
    assert found.standard_error == pytest.approx(abs(nats[0] - nats[1]) / 2)
    assert (found.samples, found.images, found.validation) == (2, 2, 1)
    assert parzen(samples, samples, test, 256).sigma == min(SIGMAS), "images that are samples want no width"


def test_agrees_with_scikit_learn_at_the_width_that_is_best_for_validation_images():
    samples, validation, test = images(60), images(40, 1), images(300, 2)
    found = parzen(samples, validation, test, 256)

    def theirs(sigma, judged):
        density = KernelDensity(bandwidth=sigma).fit(samples.flatten(1).double() / 255)
        return density.score_samples(judged.flatten(1).double() / 255)

    assert found.sigma == max(SIGMAS, key=lambda sigma: theirs(sigma, validation).mean())
    assert min(SIGMAS) < found.sigma < max(SIGMAS)
    assert found.nats == pytest.approx(theirs(found.sigma, test).mean())
    assert found.standard_error == pytest.approx(theirs(found.sigma, test).std(ddof=1) / math.sqrt(300))


def test_a_density_in_one_dimension_integrates_to_one():
    grid = torch.linspace(-4, 5, 9_001, dtype=torch.float64)[:, None]
    logs = log_density(squared_distances(grid, torch.tensor([[0.1], [0.8]], dtype=torch.float64)), 1, 0.3)
    assert float(logs.exp().sum()) / 1_000 == pytest.approx(1, abs=1e-6)


def test_blocks_of_rows_change_nothing(monkeypatch):
    whole = parzen(images(20), images(30, 1), images(50, 2), 256)
    monkeypatch.setattr(module, "AT_ONCE", 7)
    cut = parzen(images(20), images(30, 1), images(50, 2), 256)
    assert (cut.nats, cut.standard_error) == pytest.approx((whole.nats, whole.standard_error))
    assert cut.sigma == whole.sigma


def test_images_are_scaled_by_their_levels_and_only_so_many_are_judged():
    few = images(30, levels=5)
    found = parzen(few, images(30, 1, 5), images(MOST + 200, 2, 5), 5)
    many = parzen(63 * few, 63 * images(30, 1, 5), 63 * images(MOST + 200, 2, 5), 253)
    assert found.nats == pytest.approx(many.nats)
    assert (found.images, found.samples) == (MOST, 30)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="samples: there are none"):
        parzen(images(0), images(2), images(2), 256)
