import pytest
import torch

from families.flow.normalisation import BatchNorm


def batch(seed=0, scale=1.0, shift=0.0):
    source = torch.Generator().manual_seed(seed)
    return shift + scale * torch.randn(3, 2, 2, 1, dtype=torch.float64, generator=source)


def test_gradients_through_mean_and_variance_are_those_of_outputs_and_log_determinant():
    norm, x = BatchNorm(2).double().train(), batch().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: tuple(norm(x)), x)
    (gradient,) = torch.autograd.grad(norm(x)[1].sum(), x)
    centred, var = x - x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    # 3 rows of -½ · 2 pixels · log(σ² + ε), and ∂σ²/∂x = 2 (x - μ) / 6
    torch.testing.assert_close(gradient, -3 * 2 / 2 * (2 * centred / 6) / (var + norm.eps))


def test_running_averages_weigh_the_first_batches_evenly_and_then_by_momentum():
    norm = BatchNorm(2, momentum=0.4).double().train()
    means, variances = [], []
    for seed, (scale, shift) in enumerate([(1, 0), (2, 5), (3, -4)]):
        x = batch(seed, scale, shift)
        norm(x)
        means.append(x.mean((0, 2, 3)))
        variances.append(x.var((0, 2, 3), correction=0))
        if seed == 1:
            torch.testing.assert_close(norm.running_mean, (means[0] + means[1]) / 2)
            torch.testing.assert_close(norm.running_var, (variances[0] + variances[1]) / 2)
    for running, seen in ((norm.running_mean, means), (norm.running_var, variances)):
        torch.testing.assert_close(running, 0.6 * (seen[0] + seen[1]) / 2 + 0.4 * seen[2])


def test_evaluation_and_the_inverse_use_the_average_of_the_batches_and_not_the_last():
    norm = BatchNorm(1).double().train()
    for value in (0.0, 10.0):
        norm(torch.tensor([value - 1, value + 1], dtype=torch.float64).view(2, 1, 1, 1))
    y, _ = norm.eval()(torch.full((1, 1, 1, 1), 5.0, dtype=torch.float64))
    assert float(y) == pytest.approx(0.0, abs=1e-12)
    assert float(norm.inverse(y)[0]) == pytest.approx(5.0)
