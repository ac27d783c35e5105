import itertools
import math

import pytest
import torch
from torch.nn import functional as F

from families.autoregressive.pixelcnn import PixelCNN, Residual, pixelcnn
from families.autoregressive.sampling import draw_cached, draw_naive
from families.layers.masked import MaskedConv2d
from genbench import Batch, DataSpec
from genbench.seed import fork_rng, generator, uniform


def randomised(spec, seed=0, scale=0.3, **options):
    """A model in which no weight is zero: zero layers hide leaks."""
    with fork_rng(seed):
        model = pixelcnn(spec, **options)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=scale)
    return model.eval()


def every_image(spec):
    """All images of a tiny shape, uint8."""
    values = torch.cartesian_prod(*[torch.arange(spec.levels, dtype=torch.uint8)] * spec.dimensions)
    return values.view(-1, *spec.shape)


@pytest.mark.parametrize(
    ("shape", "levels"),
    [
        ((1, 4, 4), 2),
        ((1, 2, 3), 4),
        ((3, 1, 2), 4),
        ((1, 1, 1), 256),
        pytest.param((3, 2, 2), 3, marks=pytest.mark.slow),
    ],
)
def test_probabilities_of_all_images_sum_to_one(shape, levels):
    spec = DataSpec(shape, levels)
    model = randomised(spec, width=3, depth=1).double()
    images = every_image(spec)
    answers = [model.log_likelihood(Batch(part)) for part in images.split(16384)]
    assert {(a.kind, a.method, a.nats.dtype) for a in answers} == {("exact", "chain rule", torch.float64)}
    assert torch.cat([a.nats for a in answers]).logsumexp(0).item() == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize(("levels", "bits"), [(2, 1), (17, math.log2(17)), (256, 8)])
def test_a_new_model_is_uniform(levels, bits):
    spec = DataSpec((3, 8, 8), levels)
    images = torch.randint(levels, (5, 3, 8, 8)).to(torch.uint8)
    nats = pixelcnn(spec, width=6, depth=1).double().log_likelihood(Batch(images)).nats
    assert torch.allclose(-nats / (spec.dimensions * math.log(2)), torch.tensor(bits, dtype=torch.float64), rtol=1e-12)


def influences(model):
    """|∂ logits of k / ∂ x_j| summed over levels, ``(D, D)``, both in the order of generation: raster, then channel."""
    channels, height, width = model.spec.shape
    x = torch.randn(1, *model.spec.shape, dtype=torch.float64, requires_grad=True)
    logits = model.network(x).view(channels, model.spec.levels, height, width)
    rows = []
    for y, x_, channel in itertools.product(range(height), range(width), range(channels)):
        total = 0
        for level in range(model.spec.levels):
            total = total + torch.autograd.grad(logits[channel, level, y, x_], x, retain_graph=True)[0].abs()
        rows.append(total[0].permute(1, 2, 0).flatten())
    return torch.stack(rows)


@pytest.mark.parametrize(("shape", "width"), [((1, 5, 6), 3), ((3, 4, 3), 7), ((2, 3, 3), 5)])
def test_no_value_sees_itself_or_what_comes_later(shape, width):
    models = (
        randomised(DataSpec(shape, 3), seed, width=width, depth=2) for seed in range(4)
    )  # a dead relu hides leaks
    seen = sum(influences(model.double()) for model in models)
    assert (seen.triu() == 0).all()


@pytest.mark.parametrize(("shape", "width"), [((1, 3, 5), 8), ((3, 3, 3), 12)])
def test_every_earlier_value_within_reach_is_seen(shape, width):
    models = (randomised(DataSpec(shape, 3), seed, width=width, depth=1) for seed in range(6))
    seen = sum(influences(model.double()) for model in models)
    size, channels = len(seen), shape[0]
    for j, k in itertools.combinations(range(size), 2):
        (y, x), (below, later) = divmod(j // channels, shape[2]), divmod(k // channels, shape[2])
        in_the_kernel = below - y <= 3 and abs(later - x) <= 3
        assert not in_the_kernel or seen[k, j] > 0, f"value {k} does not see value {j}"


def test_green_sees_red_and_blue_sees_both_in_its_own_pixel():
    spec = DataSpec((3, 1, 1), 4)
    seen = sum(influences(randomised(spec, seed, width=6, depth=1).double()) for seed in range(6))
    assert ((seen > 0) == torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0]]).bool()).all()


def test_first_layer_is_seven_wide_under_mask_a_and_the_rest_under_mask_b():
    network = pixelcnn(DataSpec((1, 9, 9), 4), width=2, depth=2).network
    middle = [layer.mask[0, 0, -1, layer.kernel // 2] for layer in network.modules() if isinstance(layer, MaskedConv2d)]
    assert network.first.kernel == 7
    assert network.first.mask[0, 0].sum() == 24
    assert [float(value) for value in middle] == [0] + [1] * 8


def test_blocks_hand_on_twice_the_features_they_work_on_and_add_to_their_input():
    block = Residual(8, 1)
    assert [(layer.inputs, layer.outputs, layer.kernel) for layer in (block.down, block.middle, block.up)] == [
        (16, 8, 1),
        (8, 8, 3),
        (8, 16, 1),
    ]
    torch.nn.init.zeros_(block.up.weight)
    x = torch.randn(2, 16, 5, 5)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("mask", ["A", "B"])
@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_half_a_kernel_is_the_masked_whole_one(mask, kernel):
    layer = MaskedConv2d(3, 6, kernel, mask, groups=3).double()
    torch.nn.init.normal_(layer.bias)
    reach, x = kernel // 2, torch.randn(2, 3, 8, 9, dtype=torch.float64)
    whole = torch.randn(6, 3, kernel, kernel, dtype=torch.float64)
    whole[:, :, : reach + 1] = layer.weight.detach()
    for out, inp, y, x_ in itertools.product(range(6), range(3), range(kernel), range(kernel)):
        at_the_middle, colour = (y, x_) == (reach, reach), out // 2
        allowed = colour > inp if mask == "A" else colour >= inp
        if y > reach or (y == reach and x_ > reach) or (at_the_middle and not allowed):
            whole[out, inp, y, x_] = 0
    assert torch.allclose(layer(x), F.conv2d(x, whole, layer.bias, padding=reach))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (2, 3, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cached_and_naive_sampling_draw_the_same_images(shape, dtype):
    spec = DataSpec(shape, 17)
    model = randomised(spec, scale=0.2, width=7, depth=2).to(dtype)
    uniforms = uniform((4, *shape), generator(0))
    with torch.no_grad():
        cached = draw_cached(model.network, model.output, spec, uniforms)
        assert torch.equal(cached, draw_naive(model.network, model.output, spec, uniforms))
        assert cached.unique().numel() > 4
        columns, full = model.network.columns(4), model.network(2 / 16 * cached.to(dtype) - 1)
        for y, x, channel in itertools.product(range(shape[1]), range(shape[2]), range(shape[0])):
            own = full[:, channel * 17 : channel * 17 + 17, y, x]
            assert torch.allclose(columns.read(y, x, channel), own, atol=1e-4 if dtype == torch.float32 else 1e-11)
            columns.write(y, x, channel, 2 / 16 * cached[:, channel, y, x].to(dtype) - 1)


def test_cached_sampling_computes_no_full_pass():
    model = randomised(DataSpec((1, 8, 8), 4), width=3, depth=1)
    model.network.forward = None  # any call fails
    assert model.sample(3, generator=generator(0)).shape == (3, 1, 8, 8)


def test_samples_follow_the_likelihood():
    spec = DataSpec((3, 1, 1), 2)
    model = randomised(spec, scale=1.0, width=4, depth=1).double()
    n, images = 40_000, every_image(spec)
    probabilities = model.log_likelihood(Batch(images)).nats.exp()
    codes = model.sample(n, generator=generator(1)).flatten(1).long() @ torch.tensor([4, 2, 1])
    seen = torch.bincount(codes, minlength=8) / n
    assert ((seen - probabilities).abs() < 4 * (probabilities * (1 - probabilities) / n).sqrt() + 1e-9).all()
    assert probabilities.max() - probabilities.min() > 0.1


def test_samples_depend_on_the_generator_alone():
    model = randomised(DataSpec((1, 4, 4), 5), width=3, depth=1)
    torch.manual_seed(0)
    first = model.train().sample(130, generator=generator(3))  # more than are drawn at once
    assert model.training
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert torch.equal(first, model.eval().sample(130, generator=generator(3)))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first, model.sample(130, generator=generator(4)))
    assert len(first.flatten(1).unique(dim=0)) > 120


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 2}, "width=2: an image of 3 channels"),
        ({"width": 2.5}, "width=2.5: give a whole"),
        ({"width": 0}, "width=0: give a whole number, 1 or more"),
        ({"depth": -1}, "depth=-1: give a whole number, 0 or more"),
        ({"lr": 0.0}, "lr=0.0: give a positive"),
        ({"lr": math.nan}, "lr=nan: give a positive"),
    ],
)
def test_silly_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        pixelcnn(DataSpec((3, 8, 8)), **options)


@pytest.mark.parametrize(("kernel", "mask", "message"), [(4, "A", "kernel=4"), (3, "C", "mask='C'")])
def test_masked_convolutions_refuse_what_has_no_middle_or_mask(kernel, mask, message):
    with pytest.raises(ValueError, match=message):
        MaskedConv2d(1, 1, kernel, mask)


def test_a_network_without_a_cache_is_sampled_by_full_passes():
    class Uncached(PixelCNN):
        def columns(self, n):
            return None

    spec = DataSpec((1, 3, 3), 4)
    model = randomised(spec, width=2, depth=1)
    uniforms = uniform((5, *spec.shape), generator(0))
    with torch.no_grad():
        expected = draw_cached(model.network, model.output, spec, uniforms)
        model.network.__class__ = Uncached
        assert torch.equal(draw_cached(model.network, model.output, spec, uniforms), expected)
