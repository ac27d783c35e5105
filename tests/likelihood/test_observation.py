import mpmath
import pytest
import torch

from genbench.likelihood.observation import discretised_gaussian


@pytest.fixture(autouse=True)
def sixty_digits():
    with mpmath.workdps(60):
        yield


def reference(x, mean, sigma, levels):
    x, mean, sigma = mpmath.mpf(x), mpmath.mpf(mean), mpmath.mpf(sigma)
    hi, lo = (x + 0.5 - mean) / sigma, (x - 0.5 - mean) / sigma
    if hi + lo > 0:  # the bin's mirror image, so that the difference is of small numbers here too
        hi, lo = -lo, -hi
        bottom, top = x == levels - 1, x == 0
    else:
        bottom, top = x == 0, x == levels - 1
    upper = mpmath.mpf(1) if top else mpmath.erfc(-hi / mpmath.sqrt(2)) / 2
    lower = mpmath.mpf(0) if bottom else mpmath.erfc(-lo / mpmath.sqrt(2)) / 2
    return mpmath.log(upper - lower)


CASES = [
    (x, mean, sigma, levels)
    for levels in (2, 17, 256)
    for x in sorted({0, 1, levels // 2, levels - 2, levels - 1})
    for mean in (-3.0, 0.0, 0.4, levels / 2 + 0.25, levels - 1.0, levels + 5.0)
    for sigma in (0.1, 1.0, 30.0, 200.0)
]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 2e-5)])
def test_agrees_with_sixty_digits_out_to_the_far_tails(dtype, tolerance):
    for x, mean, sigma, levels in CASES:
        m = torch.tensor(mean, dtype=dtype)
        ours = float(discretised_gaussian(torch.tensor(x, dtype=torch.uint8), m, sigma, levels))
        wanted = float(reference(x, float(m), float(torch.tensor(sigma, dtype=dtype)), levels))
        assert ours == pytest.approx(wanted, rel=tolerance, abs=tolerance), (x, mean, sigma, levels)


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("sigma", [0.1, 0.7, 5.0, 300.0])
def test_sums_to_one_over_all_levels(levels, sigma):
    x = torch.arange(levels, dtype=torch.uint8)[:, None]
    mean = torch.linspace(-40, levels + 40, 97, dtype=torch.float64)
    total = discretised_gaussian(x, mean.expand(levels, -1), sigma, levels).exp().sum(0)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_and_gradient_are_finite_everywhere(dtype):
    x = torch.arange(256, dtype=torch.uint8)[:, None]
    mean = torch.linspace(-50, 305, 711, dtype=dtype).expand(256, -1).clone().requires_grad_()
    for sigma in (0.1, 0.5, 3.0, 1000.0):
        value = discretised_gaussian(x, mean, sigma, 256)
        (gradient,) = torch.autograd.grad(value.sum(), mean)
        assert torch.isfinite(value).all()
        assert torch.isfinite(gradient).all()
        # d log P / dm has the sign of x - m inside, so that no chain is drawn the wrong way
        inner = (gradient[1:-1] * (x[1:-1].to(dtype) - mean[1:-1])).detach()
        assert (inner >= -1e-3).all()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-3)])
def test_gradient_agrees_with_the_exact_one_in_the_tails(dtype, tolerance):
    for x, mean, sigma in [(200, 0.0, 1.0), (3, 250.0, 2.0), (0, 90.0, 0.5), (255, 10.0, 5.0), (7, 7.2, 0.3)]:
        m = torch.tensor(mean, dtype=dtype, requires_grad=True)
        discretised_gaussian(torch.tensor(x), m, sigma, 256).backward()
        wanted = float(mpmath.diff(lambda v, x=x, s=sigma: reference(x, v, s, 256), float(m.detach())))
        assert float(m.grad) == pytest.approx(wanted, rel=tolerance)


def test_slopes_are_those_of_the_values_wherever_a_bin_lies():
    for levels, sigma in [(2, 0.3), (2, 4.0), (17, 1.3), (256, 0.1), (256, 40.0)]:
        x = torch.arange(levels, dtype=torch.uint8)[:, None].expand(-1, 97)
        mean = torch.linspace(-40, levels + 40, 97, dtype=torch.float64).expand(levels, -1).clone().requires_grad_()
        value = discretised_gaussian(x, mean, sigma, levels)
        (slope,) = torch.autograd.grad(value.sum(), mean)
        h = 1e-5 * sigma
        up, down = (discretised_gaussian(x, mean.detach() + d, sigma, levels) for d in (h, -h))
        torch.testing.assert_close(slope, (up - down) / (2 * h), rtol=1e-5, atol=1e-5 / sigma)
