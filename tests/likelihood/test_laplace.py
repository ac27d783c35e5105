"""The Gaussian round the mode of what noise made an image, in float64 against dense matrices and closed forms."""

import math

import pytest
import torch
from torch import nn

from genbench import Batch, DataSpec, ImplicitModel
from genbench.interface import frozen
from genbench.likelihood import laplace
from genbench.likelihood.laplace import Laplace, approximate, around, jacobian
from genbench.likelihood.observation import discretised_gaussian, sharpness
from genbench.seed import normal

DOUBLE = torch.float64


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


class Linear(ImplicitModel):
    """m = 128 + W u with singular values that differ by a thousand, bins that are narrow against σ."""

    def __init__(self, latents=4, pixels=6, narrowest=300.0, widest=0.3):
        super().__init__(DataSpec((1, 1, pixels)), latents)
        left, right = (torch.linalg.qr(normal((n, n), gen(n)).double())[0] for n in (pixels, latents))
        r = min(latents, pixels)
        values = torch.logspace(math.log10(narrowest), math.log10(widest), r, dtype=DOUBLE)
        self.net = nn.Linear(latents, pixels, dtype=DOUBLE)
        with torch.no_grad():
            self.net.weight.copy_(left[:, :r] @ (values[:, None] * right[:, :r].T))
            self.net.bias.fill_(128.0)
        self.variance.fill_(25.0)

    def decode(self, u, given):
        return self.net(u).view(-1, *self.spec.shape)

    def precision(self):
        return torch.eye(self.latents, dtype=DOUBLE) + self.net.weight.T @ self.net.weight / self.variance

    def mode(self, images):
        off = images.flatten(1).double() - 128
        return torch.linalg.solve(self.precision(), (off @ self.net.weight / self.variance).T).T


class Curved(ImplicitModel):
    """A small network, whose pixels lie in both end bins too."""

    def __init__(self, latents, pixels):
        super().__init__(DataSpec((1, 1, pixels), levels=9), latents)
        self.net = nn.Sequential(nn.Linear(latents, 8), nn.Tanh(), nn.Linear(8, pixels)).double()
        with torch.no_grad():
            for weight in self.net.parameters():
                weight.copy_(2 * normal(weight.shape, gen(len(weight))))
        self.variance.fill_(2.0)

    def decode(self, u, given):
        return 4 + 3 * self.net(u).view(-1, *self.spec.shape)


def interior(n, pixels=6):
    return Batch(torch.randint(110, 146, (n, 1, 1, pixels), generator=gen(3), dtype=torch.uint8))


@pytest.mark.parametrize(("latents", "pixels"), [(3, 5), (5, 3), (4, 4)])
def test_h_is_the_identity_and_what_pixels_say_and_its_root_and_volume_are_right(latents, pixels):
    model, u = Curved(latents, pixels), normal((6, latents), gen(1)).double()
    batch = Batch(torch.randint(0, 9, (6, 1, 1, pixels), generator=gen(2), dtype=torch.uint8))
    with frozen(model):
        found = around(model, u, batch)
    for i in range(6):
        slopes = torch.autograd.functional.jacobian(lambda v: model.decode(v[None], batch).flatten(), u[i])
        mean = model.decode(u[i : i + 1], batch).detach()

        def likelihood(m, i=i):
            x = batch.images[i : i + 1].double()
            a = torch.where(x == 0, -1e3, (x - 0.5 - m) / math.sqrt(2.0))
            b = torch.where(x == 8, 1e3, (x + 0.5 - m) / math.sqrt(2.0))
            low, high = torch.special.log_ndtr(torch.where(a + b > 0, torch.stack([-b, -a]), torch.stack([a, b])))
            return (high + torch.log1p(-torch.exp(low - high))).sum()

        bend = -torch.autograd.functional.hessian(likelihood, mean).view(pixels, pixels).diagonal()
        h = torch.eye(latents, dtype=DOUBLE) + slopes.T @ (bend.clamp(min=0)[:, None] * slopes)
        root = torch.stack(
            [found.rows(slice(i, i + 1)).coloured(e[None])[0] - u[i] for e in torch.eye(latents).double()]
        )
        torch.testing.assert_close(root @ root.T, torch.linalg.inv(h), rtol=1e-8, atol=1e-10)
        assert float(found.log_volume[i]) == pytest.approx(-float(torch.logdet(h)) / 2)


def test_pixels_are_as_sharp_as_the_second_derivative_and_never_less_than_flat():
    x = torch.arange(9).repeat_interleave(200)
    mean = torch.linspace(-6, 14, 200, dtype=DOUBLE).repeat(9)
    found, h = sharpness(x, mean, 1.3, 9), 1e-4
    up, here, down = (discretised_gaussian(x, mean + d, 1.3, 9) for d in (h, 0, -h))
    torch.testing.assert_close(found, -(up - 2 * here + down) / h**2, rtol=1e-3, atol=1e-5)
    assert float(found.min()) >= 0
    wide = sharpness(torch.tensor([100]), torch.tensor([110.0], dtype=DOUBLE), 20.0, 256)
    assert float(wide) == pytest.approx(1 / 400, rel=1e-3), "1/σ² in the middle of a wide σ"
    beyond = sharpness(torch.tensor([0]), torch.tensor([-80.0], dtype=DOUBLE), 20.0, 256)
    assert float(beyond) < 1e-3 / 400, "an end bin is open"


class Cube(torch.autograd.Function):
    """Third powers, that know no forward derivative."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        return 3 * ctx.saved_tensors[0] ** 2 * grad


@pytest.mark.parametrize(("latents", "pixels"), [(3, 5), (5, 3)])
@pytest.mark.parametrize("cube", [lambda x: x**3, Cube.apply], ids=["both ways", "backward alone"])
def test_slopes_are_autograd_s_whichever_way_they_are_taken(monkeypatch, cube, latents, pixels):
    monkeypatch.setattr(laplace, "AT_ONCE", 4)
    weight, u = normal((latents, pixels), gen()).double(), normal((3, latents), gen(1)).double()
    scale = torch.tensor([1.0, 2.0, 3.0], dtype=DOUBLE)

    def decode(v, rows):
        return (scale[rows, None] * cube(v @ weight)).view(-1, 1, 1, pixels)

    found = jacobian(decode, u)
    for slopes, one, factor in zip(found, u, scale, strict=True):
        wanted = torch.autograd.functional.jacobian(lambda v, f=factor: f * (v @ weight) ** 3, one)
        torch.testing.assert_close(slopes, wanted)


@pytest.mark.parametrize(("latents", "pixels"), [(3, 5), (5, 3)])
@pytest.mark.parametrize("cube", [lambda x: x**3, Cube.apply], ids=["both ways", "backward alone"])
def test_slopes_are_taken_on_the_device_of_the_noise(cube, latents, pixels):
    weight, scale = torch.empty(latents, pixels, device="meta"), torch.empty(2, 1, device="meta")
    found = jacobian(lambda v, rows: scale[rows] * cube(v @ weight), torch.empty(2, latents, device="meta"))
    assert (found.device.type, found.shape) == ("meta", (2, pixels, latents))


def test_a_decoder_that_ignores_some_noise_has_no_slope_there():
    found = jacobian(lambda v, rows: torch.ones(len(v), 1, 1, 2), torch.zeros(3, 2))
    assert torch.equal(found, torch.zeros(3, 2, 2))


def test_the_mode_of_a_linear_decoder_is_found_however_narrow_its_posterior_is_along_some_axes():
    model, batch = Linear(), interior(5)
    with frozen(model):
        found = approximate(model, batch, 60, gen())
    spread = torch.linalg.inv(model.precision()).detach()
    off = found.mode - model.mode(batch.images).detach()
    # In units of the posterior's own deviations: where it is narrow the mode has to be found more exactly.
    assert float(torch.einsum("ni,ij,nj->n", off, torch.linalg.inv(spread), off).max()) < 0.05
    assert float(spread.diagonal().max() / spread.diagonal().min()) > 10


class Peaked(ImplicitModel):
    """Dark but for a broad hill at u = -1 and a narrow peak, twice as high, at 1.5."""

    def __init__(self):
        super().__init__(DataSpec((1, 1, 1)), 1)
        self.height = nn.Parameter(torch.tensor(200.0, dtype=DOUBLE))
        self.variance.fill_(25.0)

    def decode(self, u, given):
        hill, peak = (torch.exp(-(((u - at) / wide) ** 2) / 2) for at, wide in ((-1.0, 1.0), (1.5, 0.05)))
        return (self.height * (hill / 2 + peak)).view(-1, 1, 1, 1)


def test_a_narrow_mode_is_found_since_the_search_begins_at_the_likeliest_of_many_draws(monkeypatch):
    model, batch = Peaked(), Batch(torch.full((6, 1, 1, 1), 205, dtype=torch.uint8))
    with frozen(model):
        assert (approximate(model, batch, 60, gen()).mode - 1.5).abs().max() < 0.1
        monkeypatch.setattr(laplace, "DRAWS", laplace.STARTS)
        assert (approximate(model, batch, 60, gen()).mode - 1.5).abs().max() > 1


def test_rounds_in_whitened_coordinates_are_what_finds_it(monkeypatch):
    model, batch = Linear(), interior(5)
    reached = {}
    for rounds, steps in ((3, 60), (0, 240)):  # as many steps
        monkeypatch.setattr(laplace, "ROUNDS", rounds)
        monkeypatch.setattr(laplace, "KEPT", 2 if rounds else 1)
        with frozen(model):
            found = approximate(model, batch, steps, gen())
        off = found.mode - model.mode(batch.images).detach()
        reached[rounds] = float(torch.einsum("ni,ij,nj->n", off, model.precision().detach(), off).max())
    assert reached[3] < 0.01 * reached[0]


def test_of_a_linear_decoder_the_gaussian_is_the_posterior_and_weights_from_it_are_all_the_evidence():
    from genbench.likelihood.bidirectional import Paths, Steps

    model, batch = Linear(widest=30.0), interior(4)
    with frozen(model):
        base = around(model, model.mode(batch.images), batch)
        weighed = Paths(base, Steps(torch.zeros(1, 4)), 4).chains(model, batch, torch.arange(4))
        v = normal((4, model.latents), gen()).double()
        found = torch.stack([weighed(v), weighed(2 * v), weighed(0 * v)])
    covariance = model.net.weight @ model.net.weight.T + 25 * torch.eye(6, dtype=DOUBLE)
    exact = torch.distributions.MultivariateNormal(torch.full((6,), 128.0, dtype=DOUBLE), covariance.detach())
    torch.testing.assert_close(found, exact.log_prob(batch.images.flatten(1).double()).expand(3, 4), rtol=0, atol=0.05)


def test_draws_have_the_mode_and_covariance():
    axes = torch.linalg.qr(normal((3, 3), gen()).double())[0][:, :2]
    gaussian = Laplace(torch.tensor([[1.0, 2.0, 3.0]]).double(), axes[None], torch.tensor([[0.1, 0.5]]).double())
    v = normal((100_000, 3), gen(1)).double()
    drawn = gaussian.rows(torch.zeros(100_000, dtype=torch.long)).coloured(v)
    root = torch.eye(3).double() + axes @ torch.diag(torch.tensor([0.1, 0.5]).double() - 1) @ axes.T
    torch.testing.assert_close(drawn.mean(0), gaussian.mode[0], rtol=0, atol=0.02)
    torch.testing.assert_close(drawn.T.cov(), root @ root.T, rtol=0, atol=0.02)


def test_axes_of_which_an_image_says_next_to_nothing_are_left_the_prior_s():
    model, batch = Linear(latents=12, pixels=8, narrowest=300.0, widest=0.03), interior(3, pixels=8)
    with frozen(model):
        base = around(model, model.mode(batch.images).detach(), batch)
    assert base.axes.shape == (3, 12, 5)  # of eight, of which the sixth is within a hundredth of the prior
    assert bool((base.spreads < laplace.NEAR).all())
    root = torch.stack([base.coloured(v.expand(3, -1)) - base.mode for v in torch.eye(12).double()], 2)
    exact = torch.linalg.inv(model.precision()).expand(3, -1, -1)
    torch.testing.assert_close(root @ root.mT, exact, rtol=0, atol=0.02)


def test_the_prior_is_the_gaussian_of_an_image_that_says_nothing():
    some = Laplace(torch.ones(2, 3), torch.eye(3).expand(2, 3, 3), torch.full((2, 3), 0.5))
    both = Laplace.joined([some, Laplace.priors(torch.empty(1, 3))])
    v = normal((3, 3), gen())
    torch.testing.assert_close(both.coloured(v), torch.cat([1 + v[:2] / 2, v[2:]]))
    assert torch.equal(both.coloured(v)[2], v[2]), "to the last bit"
    torch.testing.assert_close(both.log_volume, torch.tensor([3 * math.log(0.5)] * 2 + [0.0]).double())


@pytest.mark.parametrize("kind", ["steps", "constant"])
def test_without_a_gradient_there_is_none(kind):
    class Blind(Linear):
        def decode(self, u, given):
            return super().decode((u > 0).to(u.dtype) if kind == "steps" else u * 0, given)

    model = Blind()
    with frozen(model):
        assert approximate(model, interior(3), 5, gen()) is None


def test_the_search_depends_on_its_generator_alone_and_leaves_the_model_as_it_was():
    model, batch = Curved(3, 5), Batch(torch.randint(0, 9, (4, 1, 1, 5), generator=gen(2), dtype=torch.uint8))
    state, weights = torch.get_rng_state(), [p.clone() for p in model.parameters()]
    with frozen(model):
        one, two, other = (approximate(model, batch, 10, gen(seed)) for seed in (0, 0, 1))
    assert torch.equal(one.mode, two.mode)
    assert not torch.equal(one.mode, other.mode)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters(), strict=True))
    assert all(p.grad is None for p in model.parameters())


def test_two_of_four_starts_go_on_to_the_first_whitened_round_and_the_one_with_more_evidence_from_there(monkeypatch):
    values = torch.tensor([3.0, 1.0, 2.0, 5.0, 1.0, 6.0, 0.0, 7.0])  # of four starts of two images
    assert laplace._best(values, 2, 1).tolist() == [0, 7]
    assert laplace._best(values, 2, 2).tolist() == [0, 7, 2, 5]
    assert laplace._best(values, 2, 4).view(4, 2).sort(0).values.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    model, batch, went_on = Linear(), interior(3), []
    climb, round_ = laplace._climb, laplace.around

    def held_back(model, rows, to_noise, start, steps, rate):
        u, value, guided = climb(model, rows, to_noise, start, steps, rate)
        went_on.append(len(u))
        return u, value, guided

    monkeypatch.setattr(laplace, "_climb", held_back)
    with frozen(model):
        found = approximate(model, batch, 60, gen())
    assert went_on == [4 * 3, 2 * 3, 3, 3]
    assert found.mode.shape == (3, model.latents)
    ends = []

    def wide(model, u, rows):  # of two ends as likely, the one with more room is kept
        there = round_(model, u, rows)
        first = torch.arange(len(u)) < len(batch)
        ends.append(u)
        return laplace.Laplace(there.mode, there.axes, torch.where(first[:, None], there.spreads / 9, there.spreads))

    monkeypatch.setattr(laplace, "around", wide)
    monkeypatch.setattr(laplace, "ROUNDS", 1)
    with frozen(model):
        found = approximate(model, batch, 60, gen())
    assert torch.equal(found.mode, ends[-1][3:])
