"""What holds for every autoregressive recipe: exact, causal, without blind spots, and sampled alike in three ways."""

import itertools
from dataclasses import replace

import pytest
import torch

import genbench
from families.autoregressive.sampling import SAMPLERS, Task
from genbench import Batch, Budget, DataSpec, FitConfig, catalog
from genbench.seed import fork_rng, generator, uniform
from tests.conftest import tiny_splits
from tests.families.autoregressive.helpers import randomised
from tests.families.helpers import every_image

NAMES = [name for name, recipe in catalog.recipes().items() if recipe.family == "autoregressive"]
SMALL = {"width": 6, "depth": 1, "stacks": 2, "components": 2}
OWN = {"wavenet": {"depth": 3}}  # dilations 1, 2, 4, twice: further than a row

# What a recipe must see at its own depth, of what is `up` rows above and `right` columns to the right.
SEES = {
    "pixelcnn": lambda up, right: right <= up + 2,  # 1606.05328, figure 1: blind to the right beyond its first kernel
    "pixelrnn-row-lstm": lambda up, right: -up - 3 <= right <= up + 2,  # 1601.06759, figure 4: a triangle
}


def build(name, spec, *, deep=False, **options):
    """A narrow model; ``deep`` keeps the recipe's own depth."""
    keep = catalog.recipe(name).options().keys() - ({"depth", "stacks"} if deep else set())
    small = {key: value for key, value in {**SMALL, **OWN.get(name, {})}.items() if key in keep}
    return genbench.build(name, spec, **small, **options)


def trained(model):
    """The model in float64 after a few steps."""
    spec = model.spec
    splits = tiny_splits(spec.shape, spec.levels, classes=spec.classes)
    model.fit(splits, FitConfig(Budget(steps=4), batch_size=8))
    return model.double().eval()


def total(model, label=None):
    """The probabilities of all images, summed."""
    nats = []
    for images in every_image(model.spec).split(8192):
        labels = None if label is None else torch.full((len(images),), label)
        answer = model.log_likelihood(Batch(images, labels))
        assert (answer.kind, answer.method, answer.nats.dtype) == ("exact", "chain rule", torch.float64)
        nats.append(answer.nats)
    return torch.cat(nats).logsumexp(0).exp().item()


@pytest.mark.parametrize("weights", [randomised, trained])
@pytest.mark.parametrize(
    ("shape", "levels"),
    [
        ((1, 3, 3), 2),
        ((3, 1, 2), 3),
        ((2, 2, 2), 2),
        ((1, 1, 1), 256),
        pytest.param((1, 4, 4), 2, marks=pytest.mark.slow),
        pytest.param((3, 2, 2), 3, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_probabilities_of_all_images_sum_to_one(name, shape, levels, weights):
    assert total(weights(build(name, DataSpec(shape, levels)))) == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("weights", [randomised, trained])
@pytest.mark.parametrize("name", NAMES)
def test_probabilities_sum_to_one_under_every_label(name, weights):
    model = weights(build(name, DataSpec((3, 1, 2), 3, classes=2), conditional=True))
    assert [total(model, label) for label in (0, 1)] == pytest.approx([1, 1], abs=1e-8)


def influences(model, seed):
    """|∂ parameters of draw k / ∂ x_j| over a few images, ``(draws, D)``, both in the order of generation.

    A draw is a channel of a pixel, or a pixel where the output is joint. Its parameters are weighed at random.
    """
    channels, height, width = model.spec.shape
    with fork_rng(seed):
        x = (2 * torch.rand(6, *model.spec.shape, dtype=torch.float64) - 1).requires_grad_()
        parameters = model.network(x)
        weights = torch.randn(parameters.shape[1], dtype=torch.float64)
    groups = 1 if model.output.joint else channels
    weighed = (parameters * weights[:, None, None]).unflatten(1, (groups, -1)).sum((0, 2))
    rows = []
    for y, x_, group in itertools.product(range(height), range(width), range(groups)):
        (gradient,) = torch.autograd.grad(weighed[group, y, x_], x, retain_graph=True)
        rows.append(gradient.abs().sum(0).permute(1, 2, 0).flatten())
    return torch.stack(rows)


@pytest.mark.parametrize(("shape", "deep"), [((1, 5, 7), True), ((3, 3, 5), True), ((1, 8, 8), False)])
@pytest.mark.parametrize("name", NAMES)
def test_each_draw_sees_all_that_it_may_and_nothing_that_comes_later(name, shape, deep):
    model = build(name, DataSpec(shape, 3), deep=deep)
    seen = sum(influences(randomised(model, seed), seed) for seed in range(4))  # a dead relu hides much
    channels, _, width = shape
    groups = len(seen) * channels // model.spec.dimensions
    for k, j in itertools.product(range(len(seen)), range(model.spec.dimensions)):
        (pixel, group), (other, channel) = divmod(k, groups), divmod(j, channels)
        up, right = pixel // width - other // width, other % width - pixel % width
        what = f"draw {group} of pixel {divmod(pixel, width)}, channel {channel} of pixel {divmod(other, width)}"
        if other > pixel or (other == pixel and (model.output.joint or channel >= group)):
            assert seen[k, j] == 0, f"leak: {what}"
        elif deep and SEES.get(name, lambda up, right: True)(up, right):
            assert seen[k, j] > 0, f"blind: {what}"


def task(model, n=3, labels=False, seed=0):
    """All randomness of ``n`` samples, in the model's type."""
    shape = model.spec.shape
    uniforms = uniform((n, model.output.uniforms(shape[0]), *shape[1:]), generator(seed))
    given = torch.arange(n) % model.spec.classes if labels else None
    return Task(model.network, model.output, shape, uniforms, given)


CASES = [((1, 5, 7), False), ((3, 5, 7), True), ((1, 8, 8), True), ((3, 8, 8), False)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("shape", "conditional"), CASES)
@pytest.mark.parametrize("name", NAMES)
def test_cached_fixed_point_and_naive_samplers_draw_the_same_images(name, shape, conditional, dtype):
    """In float32 for these seeds: elsewhere a uniform may lie within rounding of the edge between two levels."""
    model = randomised(build(name, DataSpec(shape, 5, classes=3), conditional=conditional), gain=1.2).to(dtype)
    drawing = task(model, labels=conditional)
    known = torch.randint(5, (3, shape[0], 2, shape[2]), generator=generator(1)).to(torch.uint8)
    drawn = []
    with torch.no_grad():
        for temperature, top in [(1.0, None), (0.7, None), (1.0, known)]:
            own = replace(drawing, temperature=temperature, known=top)
            images = SAMPLERS["naive"](own)
            assert torch.equal(SAMPLERS["cached"](own), images)
            assert torch.equal(SAMPLERS["fixed-point"](own), images)
            drawn.append(images)
    hot, cold, completed = drawn
    assert hot.flatten().bincount(minlength=5).max() < 0.9 * hot.numel(), "images of one level prove little"
    assert not torch.equal(hot, cold)
    assert torch.equal(completed[:, :, :2], known)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("shape", "conditional"), CASES)
@pytest.mark.parametrize("name", NAMES)
def test_the_cache_computes_what_the_full_pass_does_and_forgets_old_weights(name, shape, conditional, dtype):
    model = build(name, DataSpec(shape, 5, classes=3), conditional=conditional)
    labels = torch.tensor([2, 0, 1]) if conditional else None
    for seed in (0, 1):
        network = randomised(model, seed).to(dtype).network
        x = 2 * torch.rand(3, *shape, generator=generator(seed)).to(dtype) - 1
        with torch.no_grad():
            columns, full = network.columns(3, labels), network(x, labels)
            groups = full.chunk(1 if model.output.joint else shape[0], 1)
            for y, x_ in itertools.product(range(shape[1]), range(shape[2])):
                for channel in range(shape[0]):
                    if channel < len(groups):
                        own = columns.read(y, x_, channel)
                        close = 2e-4 if dtype == torch.float32 else 1e-10
                        assert torch.allclose(own, groups[channel][:, :, y, x_], atol=close, rtol=close)
                    columns.write(y, x_, channel, x[:, channel, y, x_])


@pytest.mark.parametrize("name", NAMES)
def test_cached_sampling_makes_no_full_pass(name):
    model = build(name, DataSpec((1, 8, 8), 4))
    model.network.forward = None  # any call fails
    assert model.sample(2, generator=generator(0)).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("name", NAMES)
def test_options_choose_sampler_and_temperature(name):
    def drawn(**options):
        model = randomised(build(name, DataSpec((1, 4, 5), 4), **options))
        return model.sample(3, generator=generator(0))

    assert torch.equal(drawn(), drawn(sampler="naive"))
    assert torch.equal(drawn(), drawn(sampler="fixed-point"))
    assert not torch.equal(drawn(), drawn(temperature=0.3))
    with pytest.raises(ValueError, match=r"sampler='quick': give one of cached"):
        drawn(sampler="quick")
    with pytest.raises(ValueError, match=r"sampler=\[\]: give one of cached"):
        drawn(sampler=[])
    with pytest.raises(ValueError, match=r"conditional='no': give True or False"):
        drawn(conditional="no")
    with pytest.raises(ValueError, match=r"temperature=0: give a positive"):
        drawn(temperature=0)


@pytest.mark.parametrize("name", NAMES)
def test_samples_follow_the_likelihood(name):
    model = randomised(build(name, DataSpec((3, 1, 2), 2)))
    n, images = 20_000, every_image(model.spec)
    probabilities = model.log_likelihood(Batch(images)).nats.exp()
    with torch.no_grad():
        drawn = SAMPLERS["cached"](task(model, n))
    codes = drawn.flatten(1).long() @ 2 ** torch.arange(5, -1, -1)
    off = (torch.bincount(codes, minlength=64) / n - probabilities).abs()
    assert (off < 4.5 * (probabilities * (1 - probabilities) / n).sqrt() + 1e-9).all()
    assert probabilities.max() > 2 / 64, "a uniform model would prove nothing"


@pytest.mark.parametrize("name", NAMES)
def test_labels_matter_where_the_model_takes_them_and_are_refused_where_not(name):
    spec = DataSpec((1, 5, 5), 4, classes=3)
    images = torch.randint(4, (6, 1, 5, 5), generator=generator(0)).to(torch.uint8)
    told = randomised(build(name, spec, conditional=True))
    first, second = (told.log_likelihood(Batch(images, torch.full((6,), label))) for label in (0, 1))
    assert first.given == ("label",)
    assert ((first.nats - second.nats).abs() > 1e-3).all()
    free = randomised(build(name, spec))
    assert free.given == ()
    unlabelled = free.log_likelihood(Batch(images)).nats
    assert torch.equal(free.log_likelihood(Batch(images, torch.ones(6, dtype=torch.int64))).nats, unlabelled)
    with pytest.raises(ValueError, match="labels: this model takes no condition"):
        free.sample(2, labels=torch.tensor([0, 1]), generator=generator(0))
    with pytest.raises(ValueError, match="labels"):
        build(name, DataSpec((1, 5, 5), 4), conditional=True)


@pytest.mark.parametrize("name", NAMES)
def test_completion_keeps_the_top_and_follows_the_label(name):
    model = randomised(build(name, DataSpec((1, 5, 5), 4, classes=3), conditional=True))
    images = torch.randint(4, (6, 1, 5, 5), generator=generator(0)).to(torch.uint8)

    def completed(label, rows=2):
        return model.complete(Batch(images, torch.full((6,), label)), rows, generator=generator(3))

    assert torch.equal(completed(0)[:, :, :2], images[:, :, :2])
    assert not torch.equal(completed(0), completed(1))
    assert torch.equal(completed(0, rows=5), images)
    assert torch.equal(completed(0, rows=0), model.sample(6, labels=torch.zeros(6).long(), generator=generator(3)))
    for rows in (-1, 6):
        with pytest.raises(ValueError, match=f"rows={rows}: an image has 5"):
            completed(0, rows=rows)
