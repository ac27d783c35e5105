import copy

import pytest
import torch

from families.flow.multiscale import Chain
from families.flow.normalisation import ActNorm, BatchNorm, Scaling, Started, starting
from genbench import Budget, DataSpec, FitConfig, build
from genbench.interface import Step
from genbench.seed import generator
from genbench.spec import Split, Splits
from tests.families.flow.helpers import batch_of, check_bijection, images_of, randomise


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


@pytest.mark.parametrize("shape", [(1, 2, 3), (3, 2, 2)])
def test_actnorm_s_log_determinant_is_autograd_s_and_inverses_undo(shape):
    check_bijection(randomise(ActNorm(shape[0]), scale=0.5), batch_of(shape))


def test_scaling_counts_the_sum_of_its_logarithms():
    scaling = randomise(Scaling(7), scale=0.5)
    _, log_det = check_bijection(scaling, batch_of((7,)))
    assert torch.allclose(log_det, scaling.log_scale.sum().expand(3))


def test_scaling_starts_so_that_dimensions_come_out_alike_and_agreement_does_not_throw_dissent_far():
    scaling = Scaling(3, least=0.01).double()
    x = torch.tensor([[0.0, -1.0, 7.0], [0.0, 1.0, 9.0]], dtype=torch.float64)
    scaling.start(x)
    assert torch.allclose(scaling(x)[0].std(0, correction=0), torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64))
    assert scaling(torch.ones(1, 3).double())[0][0, 0].item() == pytest.approx(100)


def test_started_actnorm_gives_its_batch_mean_zero_and_variance_one_once():
    norm, x = ActNorm(3).double(), 5 + 3 * batch_of((3, 4, 4))
    assert torch.equal(norm(x)[0], x)
    with starting(norm):
        y, _ = norm(x)
    assert torch.allclose(y.mean((0, 2, 3)), torch.zeros(3, dtype=torch.float64), atol=1e-12)
    assert torch.allclose(y.var((0, 2, 3), correction=0), torch.ones(3, dtype=torch.float64))
    before = copy.deepcopy(norm.state_dict())
    with starting(norm):
        norm(100 * x)
    norm(100 * x)
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


def test_a_constant_channel_stays_finite():
    norm = ActNorm(2, least=1e-3).double()
    x = batch_of((2, 3, 3))
    x[:, 1] = 4
    norm.start(x)
    y, log_det = norm(x)
    assert torch.equal(y[:, 1], torch.zeros(3, 3, 3, dtype=torch.float64))
    assert torch.isfinite(log_det).all()
    assert (norm.inverse(y)[0] - x).abs().max() < 1e-12


@pytest.mark.parametrize("training", [True, False])
def test_passing_values_either_way_never_starts_an_actnorm(training):
    norm = ActNorm(2).train(training)
    x = 4 + 2 * batch_of((2, 3, 3)).float()
    norm.inverse(norm(x)[0])
    assert not norm.started
    assert torch.equal(norm(x)[0], x)


def test_starting_goes_through_a_chain_in_order():
    chain = Chain([ActNorm(2), randomise(ActNorm(2), scale=1.0), ActNorm(2)]).double()
    x = 4 + 2 * batch_of((2, 5, 5))
    with starting(chain):
        y, _ = chain(x)
    assert torch.allclose(y.var((0, 2, 3), correction=0), torch.ones(2, dtype=torch.float64))
    assert not chain._transforms[0]._forward_pre_hooks


def splits(spec, n=40):
    batch = images_of(spec, n)
    split = Split(batch.images, batch.labels)
    return Splits(split, split)


@pytest.mark.parametrize("recipe", ["glow", "nice"])
def test_a_model_is_started_as_training_begins_and_by_nothing_else(recipe):
    spec = DataSpec((1, 4, 4), 17, classes=3)
    model = build(recipe, spec, width=4).double()
    parts = [part for part in model.modules() if isinstance(part, Started)]
    before = copy.deepcopy(model.state_dict())
    model.train().sample(3, generator=generator(0))
    model.log_likelihood(images_of(spec), generator=generator(0))
    model.phases()[0].turns[0].loss(images_of(spec), Step(0, 0.0, generator(0)))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert parts
    assert not any(part.started for part in parts)
    enter = model.phases()[0].enter
    enter(splits(spec), Step(0, 0.0, generator(0)))
    assert all(part.started for part in parts)
    assert model.training
    begun = copy.deepcopy(model.state_dict())
    assert any(not torch.equal(value, before[name]) for name, value in begun.items() if "started" not in name)
    enter(splits(spec), Step(0, 0.0, generator(1)))  # trained further on other data: it has begun already
    assert all(torch.equal(value, begun[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 9, 9)])  # 9 × 9 is padded
def test_every_actnorm_of_glow_normalises_the_dequantised_images_that_it_starts_with(shape):
    spec = DataSpec(shape, 17)
    model, seen = build("glow", spec, width=4, depth=2).double(), []
    model.phases()[0].enter(splits(spec), Step(0, 0.0, generator(5)))
    norms = [part for part in model.modules() if isinstance(part, ActNorm)]
    for norm in norms:
        norm.register_forward_hook(lambda norm, given, answer: seen.append(answer[0]))
    with torch.no_grad():
        source = generator(5)
        rows = torch.randperm(40, generator=source)  # the batch of ``enter``, and its noise
        model.log_density(splits(spec).train.rows(rows), source)
    assert len(seen) == len(norms)
    for y in seen:
        assert y.mean((0, 2, 3)).abs().max() < 1e-9
        assert torch.allclose(y.var((0, 2, 3), correction=0), torch.ones(y.shape[1], dtype=torch.float64))


def test_resuming_does_not_start_again(tmp_path, monkeypatch):
    spec, path = DataSpec((1, 4, 4), 17), tmp_path / "training.pt"
    config = FitConfig(Budget(steps=4), batch_size=8, checkpoint=path, checkpoint_seconds=0)

    class Cut(Exception):
        pass

    def cut(progress):
        if progress.step == 2:
            raise Cut

    def fresh():
        return build("glow", spec, width=4, depth=1)

    whole = fresh()
    whole.fit(splits(spec), config)
    path.unlink()
    with pytest.raises(Cut):
        fresh().fit(splits(spec), config, callbacks=[cut])
    monkeypatch.setattr(ActNorm, "start", lambda *given: pytest.fail("started on resume"))
    rest = fresh()
    rest.fit(splits(spec), config, resume=path)
    assert all(torch.equal(value, rest.state_dict()[name]) for name, value in whole.state_dict().items())


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
