import pytest
import torch
from torch import nn

from families.layers.penalties import gradient_norms, gradient_penalty, interpolates


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def pair(n=6, shape=(2, 3, 3)):
    source = gen(1)
    return (torch.randn(n, *shape, generator=source, dtype=torch.float64) for _ in range(2))


def test_interpolates_lie_between_with_a_share_of_each_samples_own():
    real, fake = pair(200)
    mixed = interpolates(real, fake, gen())
    share = (mixed - fake) / (real - fake)
    own = share.flatten(1)[:, :1]
    torch.testing.assert_close(share.flatten(1), own.expand(-1, 18), rtol=0, atol=1e-9)
    assert 0 <= float(own.min()) < 0.05
    assert 0.95 < float(own.max()) < 1
    assert len(own.unique()) == 200
    assert torch.equal(mixed, interpolates(real, fake, gen()))
    assert not torch.equal(mixed, interpolates(real, fake, gen(5)))


def test_the_norm_runs_over_all_axes_but_the_batch():
    images, _ = pair(4)
    scale = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    norms = gradient_norms(lambda x: scale * x.flatten(1).sum(1), images)
    torch.testing.assert_close(norms, scale * 18**0.5)


@pytest.mark.parametrize(("slope", "wanted"), [(3.0, 40.0), (1.0, 0.0), (0.5, 2.5)])
def test_the_penalty_is_ten_times_the_squared_distance_from_one_from_both_sides(slope, wanted):
    real, fake = pair()
    direction = torch.zeros(18, dtype=torch.float64)
    direction[7] = slope
    assert float(gradient_penalty(lambda x: x.flatten(1) @ direction, real, fake, gen())) == pytest.approx(wanted)
    half = gradient_penalty(lambda x: x.flatten(1) @ direction, real, fake, gen(), weight=5.0)
    assert float(half) == pytest.approx(wanted / 2)


def test_it_is_the_mean_of_squares_and_not_the_square_of_the_mean():
    real, fake = pair(2)
    slopes = torch.tensor([0.0, 2.0], dtype=torch.float64)
    assert float(gradient_penalty(lambda x: slopes * x[:, 0, 0, 0], real, fake, gen())) == pytest.approx(10.0)


def test_it_is_taken_at_the_interpolates():
    real, fake = pair()
    seen = []

    def score(x):
        seen.append(x)
        return x.square().flatten(1).sum(1) / 2  # gradient x

    value = gradient_penalty(score, real, fake, gen(2))
    mixed = interpolates(real, fake, gen(2))
    assert torch.equal(seen[0].detach(), mixed)
    assert float(value) == pytest.approx(float(10 * (mixed.flatten(1).norm(dim=1) - 1).square().mean()))


def test_it_reaches_the_critics_weights_by_double_backward_and_not_the_images():
    real, fake = pair(shape=(1, 2, 2))
    fake.requires_grad_()
    critic = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Softplus(), nn.Linear(5, 1)).double()

    def value():
        return gradient_penalty(lambda x: critic(x)[:, 0], real, fake, gen(3))

    value().backward()
    assert fake.grad is None
    weight, h = critic[1].weight, 1e-6
    for place in [(0, 0), (4, 3)]:
        found = float(weight.grad[place])
        with torch.no_grad():
            weight[place] += h
        up = float(value().detach())
        with torch.no_grad():
            weight[place] -= 2 * h
        down = float(value().detach())
        with torch.no_grad():
            weight[place] += h
        assert found == pytest.approx((up - down) / (2 * h), rel=1e-5)
        assert found != 0


def test_batches_of_different_shapes_have_no_interpolates():
    real, fake = pair()
    with pytest.raises(ValueError, match="fake images"):
        gradient_penalty(lambda x: x.sum((1, 2, 3)), real, fake[:3], gen())
