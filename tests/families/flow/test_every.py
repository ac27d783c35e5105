"""Every flow recipe: the density is one, the samples are its, and what a recipe asks of its data is there."""

import math
from dataclasses import dataclass, field

import pytest
import torch
from nflows.flows.base import Flow

from families.flow.multiscale import Chain
from genbench import Batch, Budget, DataSpec, FitConfig, Step, build
from genbench.seed import generator
from genbench.spec import Split, Splits
from tests.families.flow.helpers import (
    check_bijection,
    check_sum_is_one,
    images_of,
    log_det_by_autograd,
    randomised,
    weights_of,
)
from tests.families.helpers import every_image


@dataclass(frozen=True)
class Case:
    recipe: str
    options: dict = field(default_factory=dict)
    classes: int = 0

    def spec(self, shape, levels):
        return DataSpec(shape, levels, classes=self.classes)

    def model(self, shape, levels, scale=0.2, **options):
        return randomised(self.recipe, self.spec(shape, levels), scale=scale, **{"width": 4, **self.options, **options})

    def new(self, shape, levels, **options):
        return build(self.recipe, self.spec(shape, levels), **{"width": 4, **self.options, **options})


CASES = {
    "nice": Case("nice"),
    "nice, gaussian": Case("nice", {"prior": "gaussian"}),
    "realnvp": Case("realnvp"),
    "glow": Case("glow", {"depth": 2}),
    "glow, residual": Case("glow", {"depth": 2, "network": "residual"}),
    "glow, uniform": Case("glow", {"depth": 2, "dequantisation": "uniform"}),
    "glow of labels": Case("glow", {"depth": 2, "conditional": True}, classes=3),
}
every = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def labelled(case, images, label=1):
    return Batch(images, torch.full((len(images),), label) if case.classes else None)


def trained(case, shape, levels, steps=40):
    """A model trained on images whose pixels are much alike."""
    model, source = case.new(shape, levels).double(), torch.Generator().manual_seed(0)
    first = torch.randint(levels, (64, 1, 1, 1), generator=source)
    images = (first + torch.randint(2, (64, *shape), generator=source)).clamp(max=levels - 1).to(torch.uint8)
    split = Split(images, torch.arange(64) % case.classes if case.classes else None)
    model.fit(Splits(split, split), FitConfig(Budget(steps=steps), batch_size=32))
    return model


@every
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 9, 8), (1, 3, 5), (3, 4, 4), (3, 3, 3), (2, 2, 6), (1, 1, 1)])
def test_log_determinant_of_the_whole_flow_is_autograd_s_and_its_inverse_undoes(case, shape):
    model = case.model(shape, 17)
    batch = images_of(model.spec)
    transform, v = model.flow._transform, model.dequantiser(batch.images, generator(0))[0]
    y, log_det = transform(v, batch.labels)
    assert y.shape == (3, v[0].numel())
    assert torch.allclose(log_det, log_det_by_autograd(transform, v, batch.labels), atol=1e-8)
    back, inverse_log_det = transform.inverse(y, batch.labels)
    assert (back - v.remainder(17)).abs().max() < 1e-10
    assert torch.allclose(inverse_log_det, -log_det, atol=1e-8)


@every
def test_behind_the_preprocessing_both_ways_and_back_are_the_identity(case):
    model = case.model((1, 4, 4), 17)
    steps = list(model.flow._transform._transforms)[1:]
    x = torch.randn(3, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    check_bijection(Chain(steps), x, torch.arange(3) if case.classes else None)


@every
@pytest.mark.parametrize(
    ("shape", "levels"), [((1, 1, 2), 6), ((1, 2, 2), 3), ((3, 1, 1), 4), ((1, 1, 3), 4), ((1, 1, 1), 9)]
)
def test_importance_weights_sum_to_one_over_all_images(case, shape, levels):
    model = case.model(shape, levels, scale=0.07)
    check_sum_is_one(weights_of(model, labelled(case, every_image(model.spec)), 20), 0.1)


@every
def test_importance_weights_of_a_trained_model_sum_to_one_over_all_images(case):
    model = trained(case, (1, 1, 3), 4)
    batch = labelled(case, every_image(model.spec))
    check_sum_is_one(weights_of(model, batch, 8), 0.06)


@every
def test_a_density_in_two_dimensions_integrates_to_one(case):
    model = case.model((1, 1, 2) if case.recipe != "glow" else (2, 1, 1), 4, scale=0.25)
    behind = Chain(list(model.flow._transform._transforms)[1:])
    flow = Flow(behind, model.flow._distribution)
    span = 2.5 if case.recipe == "nice" else 15  # NICE stretches what it is given
    axis = torch.linspace(-span, span, 151, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis).view(-1, *model.spec.shape)
    with torch.no_grad():
        total = flow.log_prob(grid, labelled(case, grid).labels).exp().sum()
    assert (total * (axis[1] - axis[0]) ** 2).item() == pytest.approx(1, abs=1e-5)


@every
def test_samples_follow_the_probabilities(case):
    model, n = case.model((1, 1, 2), 3, scale=0.1), 10_000
    labels = torch.ones(n, dtype=torch.int64) if case.classes else None
    weights = weights_of(model, labelled(case, every_image(model.spec)), 8, 300)
    expected, error = weights.mean(0), weights.std(0) / math.sqrt(len(weights))
    codes = model.sample(n, labels=labels, generator=generator(1)).flatten(1).long() @ torch.tensor([3, 1])
    seen = torch.bincount(codes, minlength=9) / n
    assert error.max() < 0.02
    assert ((seen - expected).abs() < 4 * (expected * (1 - expected) / n + error.square()).sqrt()).all()


@every
def test_scoring_what_was_drawn_finds_the_noise_it_was_drawn_from(case):
    model = case.model((1, 4, 4), 17)
    labels = torch.arange(5) % 3 if case.classes else None
    noise = 0.3 * model.flow._distribution.draw(5, generator(0))  # far out, float64 no longer tells values apart
    values, log_det = model.flow._transform.inverse(noise, labels)
    assert torch.allclose(model.flow._transform(values, labels)[0], noise, atol=1e-8)
    density = model.flow._distribution.log_prob(noise) - log_det
    assert torch.allclose(model.flow.log_prob(values, labels), density, atol=1e-6)


@every
def test_the_bound_grows_with_draws(case):
    model = case.model((1, 2, 2), 3, scale=0.1)
    batch = labelled(case, every_image(model.spec).repeat(4, 1, 1, 1))
    answers = [model.log_likelihood(batch, draws=k, generator=generator(0)) for k in (1, 5, 50)]
    assert answers[0].nats.mean() < answers[1].nats.mean() < answers[2].nats.mean()
    given = ("label",) if case.classes else ()
    wanted = [("bound", "dequantised", given, k) for k in (1, 5, 50)]
    assert [(a.kind, a.method, a.given, a.draws) for a in answers] == wanted


@every
def test_training_and_scoring_count_the_same_nats(case):
    model = case.model((1, 3, 3), 5)
    batch = images_of(model.spec, 4)
    loss = model.phases()[0].turns[0].loss(batch, Step(0, 0.0, generator(7)))["loss"]
    weights = model.log_weights(batch, 1, generator(7))
    assert loss.item() == pytest.approx(-weights.mean().item() / 9)


@every
def test_the_optimiser_s_options_reach_its_turn(case):
    (turn,) = case.new((1, 4, 4), 3, clip=0.25, lr=0.5).phases()[0].turns
    assert turn.clip == 0.25
    assert turn.optimizer(turn.learns[0].parameters()).defaults["lr"] == 0.5


@every
def test_temperature_scales_the_base_s_noise_and_one_changes_nothing(case, monkeypatch):
    shape = (1, 4, 4)
    labels = torch.arange(300) % 3 if case.classes else None

    def drawn(**options):
        model = case.model(shape, 17, **options)
        seen = []
        inverse = model.flow._transform.inverse
        monkeypatch.setattr(
            model.flow._transform, "inverse", lambda z, context: (seen.append(z), inverse(z, context))[1]
        )
        return model.sample(300, labels=labels, generator=generator(0)), torch.cat(seen), model

    (plain, noise, _), (one, _, _), (half, cold, model) = drawn(), drawn(temperature=1.0), drawn(temperature=0.5)
    assert torch.equal(plain, one)
    assert torch.allclose(cold, noise / 2)
    assert not torch.equal(plain, half)
    batch = images_of(model.spec)
    hot = case.model(shape, 17)
    nats = [m.log_likelihood(batch, generator=generator(0)).nats for m in (model, hot)]
    assert torch.equal(*nats), "a likelihood is the model's own, whatever the temperature of its samples"
    with pytest.raises(ValueError, match=r"temperature=0: give a positive"):
        case.new(shape, 17, temperature=0)


@every
def test_samples_depend_on_the_generator_alone_and_no_global_one_is_seeded(case, monkeypatch):
    model = case.model((3, 8, 8), 9)
    torch.manual_seed(0)
    first = model.train().sample(300, generator=generator(3))  # more than are drawn at once
    assert model.training
    torch.manual_seed(1)
    state = torch.get_rng_state()
    with monkeypatch.context() as without:
        without.setattr(torch, "manual_seed", None)  # it would seed every device's
        assert torch.equal(first, model.eval().sample(300, generator=generator(3)))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first, model.sample(300, generator=generator(4)))
    assert first.shape == (300, 3, 8, 8)
    assert first.max() <= 8


@every
def test_an_image_s_likelihood_does_not_depend_on_its_neighbours_or_the_mode(case):
    model = case.model((1, 4, 4), 8)
    batch = images_of(model.spec, 6)
    together = model.log_likelihood(batch, generator=generator(0)).nats
    assert torch.equal(together, model.train().log_likelihood(batch, generator=generator(0)).nats)
    swapped = batch.rows(torch.tensor([0, 5, 4, 3, 2, 1]))
    assert torch.allclose(together[0], model.log_likelihood(swapped, generator=generator(0)).nats[0])
    assert model.training


@every
def test_half_precision_networks_keep_values_and_log_determinants_whole(case):
    model = case.model((3, 8, 8), 17, scale=0.05).float().to(memory_format=torch.channels_last)
    batch = images_of(model.spec, 8)
    whole = model.log_density(batch, generator(0))
    with torch.autocast("cpu", torch.bfloat16):
        halved = model.log_density(batch, generator(0))
        y, _ = model.flow._transform(model.dequantiser(batch.images, generator(0))[0], batch.labels)
    assert y.dtype == torch.float32
    assert halved.dtype == torch.float64
    assert (halved != whole).any()
    assert (halved - whole).abs().max() / 192 < 0.02
    images = model.sample(3, labels=batch.rows(slice(3)).labels, generator=generator(0))
    assert images.shape == (3, 3, 8, 8)


@every
@pytest.mark.parametrize(
    ("shape", "levels"), [((1, 28, 28), 256), ((3, 32, 32), 256), ((3, 2, 2), 2), ((1, 1, 1), 9), ((3, 13, 17), 17)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_shape_is_bounded_and_sampled(case, shape, levels, dtype):
    model = case.new(shape, levels).to(dtype)
    labels = torch.arange(2) if case.classes else None
    images = model.sample(2, labels=labels, generator=generator(0))
    assert images.shape == (2, *shape)
    answer = model.log_likelihood(Batch(images, labels), draws=3, generator=generator(0))
    assert answer.nats.dtype == torch.float64
    assert torch.isfinite(answer.nats).all()


@every
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 2.5}, "width=2.5: give a whole"),
        ({"width": 0}, "width=0: give a whole number, 1 or more"),
        ({"depth": -1}, "depth=-1: give a whole number"),
        ({"lr": -1.0}, "lr=-1.0: give a positive"),
        ({"clip": 0.0}, "clip=0.0: give a positive"),
        ({"temperature": -1.0}, "temperature=-1.0: give a positive"),
    ],
)
def test_silly_options_are_refused(case, options, message):
    with pytest.raises(ValueError, match=message):
        case.new((1, 8, 12), 256, **options)


@every
def test_labels_are_taken_by_conditional_models_alone(case):
    model = case.model((1, 4, 4), 8)
    labels = torch.zeros(4, dtype=torch.int64)
    if not case.classes:
        with pytest.raises(ValueError, match="labels: this model takes no condition"):
            model.sample(4, labels=labels, generator=generator(0))
        return
    batch = images_of(model.spec, 4)
    nats = [model.log_likelihood(Batch(batch.images, labels + k), generator=generator(0)).nats for k in range(3)]
    assert (nats[0] != nats[1]).all()
    assert (nats[1] != nats[2]).all()
    drawn = [model.sample(40, labels=torch.full((40,), k), generator=generator(0)) for k in range(2)]
    assert not torch.equal(*drawn)
    with pytest.raises(ValueError, match="conditional=True: this data set has no labels"):
        build("glow", DataSpec((1, 4, 4)), conditional=True)
