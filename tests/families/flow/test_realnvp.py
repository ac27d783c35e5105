import itertools
import math

import pytest
import torch
from nflows.flows.base import Flow
from nflows.transforms.base import CompositeTransform
from nflows.transforms.reshape import SqueezeTransform
from torch import nn

from families.flow.couplings import AffineCoupling, channelwise, checkerboard
from families.flow.distributions import StandardNormal
from families.flow.model import dequantise
from families.flow.multiscale import FactorOut, Flatten, shape_on
from families.flow.networks import CouplingNetwork
from families.flow.normalisation import BatchNorm
from families.flow.preprocess import OpenLogit
from families.flow.realnvp import couplings, realnvp
from genbench import Batch, DataSpec, Step
from genbench.seed import fork_rng, generator


def randomise(module, seed=0, scale=0.2):
    """No weight zero, no running average at its start, float64, in evaluation mode."""
    with fork_rng(seed):
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=scale)
        for part in module.modules():
            if isinstance(part, BatchNorm):
                nn.init.normal_(part.running_mean, std=0.2)
                part.running_var.copy_(0.5 + torch.rand(len(part.running_var)))
    return module.double().eval()


def randomised(spec, seed=0, scale=0.2, **options):
    with fork_rng(seed):
        model = realnvp(spec, **options)
    return randomise(model, seed, scale)


def every_image(spec):
    """All images of a tiny shape, uint8."""
    values = torch.cartesian_prod(*[torch.arange(spec.levels, dtype=torch.uint8)] * spec.dimensions)
    return values.view(-1, *spec.shape)


def batch_of(shape, seed=0):
    return torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def chain(shape, masks):
    return CompositeTransform(
        couplings(shape, 3, masks, lambda channels: CouplingNetwork(channels, 2 * channels, 4, 1))
    )


TRANSFORMS = {
    "checkerboard coupling": (
        (2, 4, 6),
        lambda: AffineCoupling(checkerboard((2, 4, 6), 1), 2, CouplingNetwork(2, 4, 3, 1)),
    ),
    "channel coupling": ((3, 2, 2), lambda: AffineCoupling(channelwise((3, 2, 2), 0), 3, CouplingNetwork(3, 6, 3, 1))),
    "batch normalisation": ((3, 2, 4), lambda: BatchNorm(3)),
    "checkerboard chain": ((1, 3, 5), lambda: chain((1, 3, 5), checkerboard)),
    "channel chain": ((4, 2, 3), lambda: chain((4, 2, 3), channelwise)),
    "squeeze": ((2, 4, 4), SqueezeTransform),
    "flatten": ((2, 3, 4), lambda: Flatten((2, 3, 4))),
    "factoring out": (
        (5, 2, 2),
        lambda: FactorOut((5, 2, 2), CompositeTransform([chain((3, 2, 2), channelwise), Flatten((3, 2, 2))])),
    ),
}


def log_det_by_autograd(transform, x):
    """log |det| of the Jacobian at each row, from the whole matrix."""
    answers = []
    for row in x:
        jacobian = torch.autograd.functional.jacobian(lambda r: transform(r[None])[0].flatten(), row)
        answers.append(torch.linalg.slogdet(jacobian.reshape(row.numel(), row.numel()))[1])
    return torch.stack(answers)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_log_determinants_agree_with_autograd_and_inverses_undo(name):
    shape, make = TRANSFORMS[name]
    transform, x = randomise(make()), batch_of(shape)
    y, log_det = transform(x)
    assert torch.allclose(log_det.double(), log_det_by_autograd(transform, x), atol=1e-10)
    back, inverse_log_det = transform.inverse(y)
    assert (back - x).abs().max() < 1e-10
    assert torch.allclose(inverse_log_det, -log_det, atol=1e-10)
    moved = (y.flatten() - x.flatten()).abs().max() > 0.01
    assert moved or name in ("squeeze", "flatten")


@pytest.mark.parametrize(("shape", "scales"), [((1, 8, 8), 1), ((1, 4, 4), 2), ((3, 2, 4), 1), ((3, 3, 5), 0)])
def test_log_determinant_of_the_whole_flow_agrees_with_autograd(shape, scales):
    transform = randomised(DataSpec(shape, 17), width=4, scales=scales).flow._transform
    images = torch.randint(17, (3, *shape), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    v = dequantise(images, generator(0))
    y, log_det = transform(v)
    assert torch.allclose(log_det, log_det_by_autograd(transform, v), atol=1e-8)
    assert (transform.inverse(y)[0] - v).abs().max() < 1e-10


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("alpha", [0.05, 1e-6, 0.4])
def test_the_open_logit_is_one_to_one_onto_the_reals(levels, alpha):
    preprocess = OpenLogit(levels, alpha).double()
    edges = torch.tensor([2.0**-25, 0.05, 0.1, 0.1 + 1e-9, 0.5, levels / 2], dtype=torch.float64)
    v = torch.cat((edges, torch.linspace(0.01, levels - 0.01, 999, dtype=torch.float64), levels - edges)).sort()[0]
    v = (v * 1e9).round().unique()[:, None, None, None]
    v = v / 1e9
    y, log_det = preprocess(v)
    assert (y.flatten().diff() > 0).all()
    back, inverse_log_det = preprocess.inverse(y)
    assert (back - v).abs().max() < 1e-10
    assert torch.allclose(inverse_log_det, -log_det, atol=1e-8)
    reals = torch.linspace(-40, 40, 1001, dtype=torch.float64)[:, None, None, None]
    far, _ = preprocess.inverse(reals)
    assert ((far >= 0) & (far <= levels)).all()


@pytest.mark.parametrize("levels", [2, 256])
def test_between_its_open_ends_it_is_the_paper_s_logit_with_its_jacobian(levels):
    preprocess = OpenLogit(levels, 0.05).double()
    v = torch.linspace(0.1, levels - 0.1, 501, dtype=torch.float64)[:, None, None, None]
    y, log_det = preprocess(v)
    p = 0.05 + 0.9 * v / levels
    assert torch.allclose(y, torch.log(p / (1 - p)), atol=1e-12)
    assert torch.allclose(log_det, torch.log(0.9 / levels / (p * (1 - p))).flatten(), atol=1e-10)
    outside = torch.tensor([1e-6, 0.02, 0.0999, levels - 0.03], dtype=torch.float64)[:, None, None, None]
    assert torch.allclose(preprocess(outside)[1], log_det_by_autograd(preprocess, outside), atol=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 0.5, -1.0, math.nan])
def test_the_logit_refuses_poles(alpha):
    with pytest.raises(ValueError, match="alpha="):
        realnvp(DataSpec((1, 4, 4)), alpha=alpha)


def test_dequantisation_stays_strictly_inside_each_bin(monkeypatch):
    images = torch.tensor([0, 1, 254, 255], dtype=torch.uint8)
    for u in (0.0, 1 - 2**-24):
        monkeypatch.setattr(
            "families.flow.model.uniform", lambda shape, source, device, u=u: torch.full(tuple(shape), u)
        )
        v = dequantise(images, generator(0))
        assert ((v > images) & (v < images.double() + 1)).all()
        assert torch.isfinite(OpenLogit(256)(v[None, :, None, None])[0]).all()


def test_a_density_in_two_dimensions_integrates_to_one():
    shape = (1, 1, 2)
    steps = couplings(shape, 4, checkerboard, lambda channels: CouplingNetwork(channels, 2 * channels, 6, 1))
    flow = Flow(randomise(CompositeTransform([*steps, Flatten(shape)]), scale=0.3), StandardNormal(2).double())
    axis = torch.linspace(-12, 12, 241, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis).view(-1, *shape)
    with torch.no_grad():
        total = flow.log_prob(grid).exp().sum()
    assert (total * (axis[1] - axis[0]) ** 2).item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("shape", "levels", "scales"), [((1, 1, 2), 6, 0), ((1, 2, 2), 3, 1), ((3, 1, 1), 4, 0), ((1, 2, 2), 2, 0)]
)
def test_importance_weights_sum_to_one_over_all_images(shape, levels, scales):
    spec = DataSpec(shape, levels)
    model = randomised(spec, scale=0.25, width=4, scales=scales)
    images = every_image(spec)
    weights = torch.cat(
        [model.log_weights(Batch(images), 50, generator(0, k)).detach().exp() for k in range(20)]
    )  # (K, images)
    error = (weights.var(0) / len(weights)).sum().sqrt()
    assert error < 0.02
    assert abs(weights.mean(0).sum() - 1) < 3 * error


def test_samples_follow_the_probabilities():
    spec = DataSpec((1, 1, 2), 3)
    model, n = randomised(spec, scale=0.25, width=4), 30_000
    weights = model.log_weights(Batch(every_image(spec)), 4000, generator(0)).detach().exp()
    expected, error = weights.mean(0), weights.std(0) / math.sqrt(4000)
    codes = model.sample(n, generator=generator(1)).flatten(1).long() @ torch.tensor([3, 1])
    seen = torch.bincount(codes, minlength=9) / n
    assert error.max() < 0.005
    assert ((seen - expected).abs() < 4 * (expected * (1 - expected) / n + error.square()).sqrt()).all()


def test_the_bound_grows_with_draws():
    spec = DataSpec((1, 2, 2), 3)
    model, images = randomised(spec, scale=0.4, width=4), every_image(spec)
    answers = [model.log_likelihood(Batch(images), draws=k, generator=generator(0)) for k in (1, 8, 60)]
    assert answers[0].nats.mean() < answers[1].nats.mean() < answers[2].nats.mean()
    assert [(a.kind, a.method, a.draws) for a in answers] == [("bound", "dequantised", k) for k in (1, 8, 60)]


def test_checkerboards_alternate_and_channel_masks_halve():
    squares = checkerboard((3, 4, 5), 0) + checkerboard((3, 4, 5), 1)
    assert torch.equal(squares, torch.ones(1, 4, 5))
    assert all(checkerboard((3, 4, 5), 1)[0, y, x] == (y + x) % 2 for y, x in itertools.product(range(4), range(5)))
    assert channelwise((4, 1, 1), 0).flatten().tolist() == [1, 1, 0, 0]
    assert channelwise((4, 1, 1), 1).flatten().tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("masks", [checkerboard, channelwise])
@pytest.mark.parametrize("passes", [0, 1])
def test_what_a_mask_passes_stays_and_the_rest_scales_and_shifts(masks, passes):
    shape = (4, 4, 4)
    mask = masks(shape, passes).expand(shape).bool()
    coupling, x = randomise(AffineCoupling(masks(shape, passes), 4, CouplingNetwork(4, 8, 3, 1))), batch_of(shape)
    y, log_det = coupling(x)
    assert torch.equal(y[:, mask], x[:, mask])
    assert (y[:, ~mask] != x[:, ~mask]).all()
    assert (log_det != 0).all()
    doubled = coupling(torch.where(mask, x, 2 * x))[0]  # s and t do not see what moves
    scale = (doubled - y)[:, ~mask] / x[:, ~mask]
    assert torch.allclose(scale.log().sum(1), log_det)


def test_a_coupling_s_scale_is_a_tanh_of_learned_height():
    network = nn.Conv2d(2, 4, 1)
    coupling = AffineCoupling(checkerboard((2, 2, 2), 0), 2, network).double()
    nn.init.constant_(network.bias, 1e6)
    nn.init.constant_(coupling.scale, 1.7)
    assert torch.allclose(coupling(batch_of((2, 2, 2)))[1], torch.tensor(4 * 1.7, dtype=torch.float64))


def test_scales_follow_the_paper():
    def parts(model, kind):
        return [part for part in model.modules() if isinstance(part, kind)]

    model = realnvp(DataSpec((1, 28, 28)), width=2)
    shapes = [tuple((c.mask == 1).float().mean(0, keepdim=True).shape) for c in parts(model, AffineCoupling)]
    spatial = [height > 1 for _, height, _ in shapes]  # a checkerboard
    assert spatial == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3 + [True] * 4
    assert [part.shape for part in parts(model, FactorOut)] == [(4, 14, 14), (8, 7, 7)]
    assert len(parts(model, SqueezeTransform)) == 2
    assert len(parts(model, BatchNorm)) == len(shapes)
    assert not parts(realnvp(DataSpec((1, 9, 9)), width=2), FactorOut)


def test_half_of_the_channels_is_finished_before_the_next_scale():
    rest = CompositeTransform([BatchNorm(2), Flatten((2, 2, 2))])
    rest._transforms[0].running_mean.fill_(100)
    factor, x = FactorOut((4, 2, 2), rest).double().eval(), batch_of((4, 2, 2))
    y, _ = factor(x)
    assert torch.equal(y[:, 8:], x[:, 2:].flatten(1))
    assert (y[:, :8] < -50).all()
    with pytest.raises(ValueError, match="a single channel has no half"):
        shape_on((1, 2, 2))


def test_batch_normalisation_trains_on_the_batch_and_evaluates_on_running_averages():
    norm, x = BatchNorm(2, momentum=0.1, eps=1e-5).double(), 3 + 2 * batch_of((2, 4, 4))
    y, log_det = norm.train()(x)
    assert torch.allclose(y.mean((0, 2, 3)), torch.zeros(2, dtype=torch.float64), atol=1e-12)
    var = x.var((0, 2, 3), correction=0)
    assert torch.allclose(y.var((0, 2, 3), correction=0), var / (var + 1e-5))
    assert torch.allclose(log_det, (-0.5 * 16 * (var + 1e-5).log().sum()).expand(3))
    assert torch.allclose(norm.running_mean, x.mean((0, 2, 3)))  # the first batch counts in full
    for _ in range(50):
        norm(x + 1)
    assert torch.allclose(norm.running_mean, x.mean((0, 2, 3)) + 1, atol=1e-2)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    norm.eval()
    whole, parts = norm(x)[0], torch.cat([norm(row[None])[0] for row in x])
    assert torch.allclose(whole, parts, atol=1e-12)
    assert torch.allclose(norm.inverse(whole)[0], x)
    assert all(torch.equal(before[name], value) for name, value in norm.state_dict().items())


def test_gradients_flow_through_the_batch_s_statistics():
    norm, x = BatchNorm(1).double().train(), batch_of((1, 2, 2)).requires_grad_()
    y, log_det = norm(x)
    (y.sum() + 0 * log_det.sum()).backward()
    assert x.grad.abs().max() < 1e-12  # a shift of the batch changes nothing


def test_an_image_s_likelihood_does_not_depend_on_its_neighbours_or_the_mode():
    spec = DataSpec((1, 4, 4), 8)
    model = randomised(spec, width=4)
    images = torch.randint(8, (6, 1, 4, 4)).to(torch.uint8)
    batch = Batch(images)
    together = model.log_likelihood(batch, generator=generator(0)).nats
    assert torch.equal(together, model.train().log_likelihood(batch, generator=generator(0)).nats)
    swapped = Batch(torch.cat((images[:1], images[:5])))
    assert torch.allclose(together[0], model.log_likelihood(swapped, generator=generator(0)).nats[0])
    assert model.training


def test_training_moves_the_running_averages_and_takes_its_noise_from_the_step():
    model = realnvp(DataSpec((1, 4, 4), 8), width=4).train()
    batch, loss = Batch(torch.randint(8, (6, 1, 4, 4)).to(torch.uint8)), model.phases()[0].turns[0].loss
    first, same, other = (loss(batch, Step(0, 0.0, generator(seed)))["loss"].item() for seed in (1, 1, 2))
    assert first == same != other
    assert all((part.batches == 3).all() for part in model.modules() if isinstance(part, BatchNorm))


def test_samples_depend_on_the_generator_alone():
    model = randomised(DataSpec((3, 8, 8), 9), width=4)
    torch.manual_seed(0)
    first = model.train().sample(300, generator=generator(3))  # more than are drawn at once
    assert model.training
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert torch.equal(first, model.eval().sample(300, generator=generator(3)))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first, model.sample(300, generator=generator(4)))
    assert first.shape == (300, 3, 8, 8)
    assert first.max() <= 8


def test_a_new_coupling_is_the_identity():
    coupling, x = (
        AffineCoupling(checkerboard((2, 4, 4), 0), 2, CouplingNetwork(2, 4, 6, 1)).double(),
        batch_of((2, 4, 4)),
    )
    assert torch.equal(coupling(x)[0], x)


@pytest.mark.parametrize(
    ("shape", "levels"), [((1, 28, 28), 256), ((3, 32, 32), 256), ((1, 8, 8), 17), ((3, 2, 2), 2), ((1, 1, 1), 9)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_shape_is_bounded_and_sampled(shape, levels, dtype):
    model = realnvp(DataSpec(shape, levels), width=4).to(dtype)
    images = model.sample(2, generator=generator(0))
    assert images.shape == (2, *shape)
    answer = model.log_likelihood(Batch(images), draws=3, generator=generator(0))
    assert answer.nats.dtype == torch.float64
    assert torch.isfinite(answer.nats).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 2.5}, "width=2.5: give a whole"),
        ({"width": 0}, "width=0: give a whole number, 1 or more"),
        ({"depth": -1}, "depth=-1: give a whole number, 0 or more"),
        ({"scales": 4}, "scales=4: sides of 8 and 12 halve 0 to 2 times"),
        ({"scales": -1}, "scales=-1: sides"),
        ({"lr": -1.0}, "lr=-1.0: give a positive"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        realnvp(DataSpec((1, 8, 12)), **options)


@pytest.mark.parametrize("masks", [checkerboard, channelwise])
def test_what_one_coupling_passes_the_next_one_moves(masks):
    steps = couplings((4, 3, 5), 4, masks, lambda channels: CouplingNetwork(channels, 2 * channels, 2, 0))
    passing = [step.mask for step in steps if isinstance(step, AffineCoupling)]
    for before, after in itertools.pairwise(passing):
        assert torch.equal(before + after, torch.ones_like(before))
