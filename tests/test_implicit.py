import math

import pytest
import torch
from torch import nn

from genbench import Batch, DataSpec, ImplicitModel, Split, Splits
from genbench.implicit import CHUNK, LEAST_SIGMA
from genbench.interface import frozen
from genbench.likelihood.observation import discretised_gaussian
from genbench.seed import normal

SPEC = DataSpec((1, 2, 2), levels=17)


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n, spec=SPEC, seed=0):
    return torch.randint(0, spec.levels, (n, *spec.shape), generator=gen(seed), dtype=torch.uint8)


class Linear(ImplicitModel):
    """m = b + W u, in levels, through a batch normalisation that training mode would move."""

    def __init__(self, spec=SPEC, latents=1, given=(), categories=1):
        super().__init__(spec, latents, given, categories)
        self.net = nn.Linear(latents, spec.dimensions)
        self.norm = nn.BatchNorm1d(latents, affine=False)
        with torch.no_grad():
            weight = normal(self.net.weight.shape, gen(1))
            self.net.weight.copy_(3 * weight)
            self.net.bias.copy_(8 + normal(self.net.bias.shape, gen(2)))
        self.asked = []

    def decode(self, u, given):
        self.asked.append((self.training, torch.is_grad_enabled(), self.net.weight.requires_grad, given))
        return self.net(self.norm(u)).unflatten(1, self.spec.shape)


class Labelled(Linear):
    def __init__(self):
        super().__init__(DataSpec((1, 2, 2), 17, classes=4), given=("label",))

    def decode(self, u, given):
        return super().decode(u, given) * 0 + given.labels.view(-1, 1, 1, 1)


class Sourced(Linear):
    def __init__(self):
        super().__init__(DataSpec((1, 2, 2), 17, source=(1, 2, 2)), given=("source",))

    def decode(self, u, given):
        return super().decode(u, given) * 1e-3 + given.sources / 16


class Hidden(Linear):
    """m = b + k + (k + 1) W u under the hidden category k, in which b grows by a step."""

    def __init__(self, categories=3, latents=1, step=4.0):
        super().__init__(latents=latents, categories=categories)
        self.step, self.seen = step, []

    def decode(self, u, given):
        category = given.fields["category"]
        self.seen.append(category)
        shift, slope = (self.step * category).view(-1, 1, 1, 1), (category + 1).view(-1, 1, 1, 1)
        base = self.net.bias.view(1, *self.spec.shape) - 6
        return base + shift + slope * (super().decode(u, given) - self.net.bias.view(1, *self.spec.shape)) / 3


def fixed(variance, kind=Linear, **kwargs):
    model = kind(**kwargs).eval()
    model.variance.fill_(variance)
    return model


def test_agrees_with_quadrature_in_one_dimension():
    images = torch.tensor([[9, 8, 6, 11], [3, 12, 0, 16], [8, 8, 8, 8]], dtype=torch.uint8)
    model, batch = fixed(2.0), Batch(images.view(3, 1, 2, 2))
    grid = torch.linspace(-8, 8, 20_001, dtype=torch.float64)[:, None]
    mean = model.net.double()(grid / math.sqrt(1 + model.norm.eps)).view(-1, 1, 1, 2, 2)
    logs = discretised_gaussian(batch.images, mean, math.sqrt(2.0), 17).sum((2, 3, 4))
    prior = -grid.square() / 2 - math.log(2 * math.pi) / 2
    exact = torch.logsumexp(logs + prior, 0) + math.log(16 / 20_000)
    model.net.float()
    answer = model.log_likelihood(batch, draws=100, generator=gen(1))
    torch.testing.assert_close(answer.nats, exact.detach(), rtol=0, atol=0.15)


def test_a_decoder_that_ignores_its_noise_is_exact():
    model, batch = fixed(5.0, latents=3), Batch(images(6))
    with torch.no_grad():
        model.net.weight.zero_()
    mean = model.net.bias.detach().double().view(1, 2, 2)
    wanted = discretised_gaussian(batch.images, mean, math.sqrt(5.0), 17).sum((1, 2, 3))
    torch.testing.assert_close(model.log_likelihood(batch, draws=2, generator=gen()).nats, wanted, rtol=1e-5, atol=0)


def test_probabilities_of_all_images_sum_to_one():
    model = fixed(1.0, spec=DataSpec((1, 1, 2), levels=4))
    with torch.no_grad():
        model.net.bias.fill_(1.5)
        model.net.weight.fill_(0.8)
    every = torch.cartesian_prod(torch.arange(4), torch.arange(4)).to(torch.uint8).view(16, 1, 1, 2)
    nats = model.log_likelihood(Batch(every), draws=50, generator=gen()).nats
    assert float(nats.exp().sum()) == pytest.approx(1.0, abs=0.03)


def test_the_answer_says_what_it_is():
    model = Sourced()
    batch = Batch(images(2), sources=images(2))
    answer = model.log_likelihood(batch, draws=3, effort="fast/2", generator=gen())
    assert (answer.kind, answer.method, answer.observation) == ("estimate", "ais", "added")
    assert (answer.given, answer.draws) == (("source",), 3)
    assert (answer.nats.dtype, answer.nats.shape) == (torch.float64, (2,))


def test_each_image_is_judged_under_its_own_condition():
    model = Labelled().eval()
    model.variance.fill_(0.01)
    batch = Batch(torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 1, 2, 2), torch.arange(4))
    assert (model.log_likelihood(batch, draws=2, generator=gen()).nats > -1e-3).all()
    wrong = Batch(batch.images, batch.labels.flip(0))
    assert (model.log_likelihood(wrong, draws=2, generator=gen()).nats < -10).all()


def test_draws_are_the_log_mean_exp_of_that_many_chains(monkeypatch):
    import genbench.likelihood.bidirectional as module

    weights = torch.tensor([0.0, math.log(3.0), -5.0, -5.0], dtype=torch.float64)
    shares, sizes = torch.tensor([0.5, 0.7, 0.1, 0.2]), torch.tensor([0.1, 0.4, 0.2, 0.2])
    seen, piloted = [], []

    def fake(log_likelihood, start, **options):
        seen.append((len(start), options["temperatures"], options["leapfrog"], options["steps"].logs.shape))
        return module.Annealed(weights, start, shares, sizes, True)

    def pilot(log_likelihood, start, **options):
        piloted.append((len(start), options["temperatures"], options["leapfrog"]))
        return module.Steps(torch.zeros(3, len(start)))

    monkeypatch.setattr(module, "ais", fake)
    monkeypatch.setattr(module, "tune", pilot)
    answer = Linear().log_likelihood(Batch(images(2)), draws=2, effort="standard", generator=gen())
    torch.testing.assert_close(answer.nats, torch.tensor([math.log(2.0), -5.0], dtype=torch.float64))
    torch.testing.assert_close(answer.ess, torch.tensor([1.6, 2.0], dtype=torch.float64))
    torch.testing.assert_close(answer.acceptance, torch.tensor([0.6, 0.15]))
    torch.testing.assert_close(answer.step_size, torch.tensor([0.2, 0.2]))
    assert seen == [(4, 1_000, 10, (3, 4))]
    assert piloted == [(2, 250, 10)], "one chain an image"


@pytest.mark.parametrize("training", [True, False])
def test_asking_leaves_the_model_as_it_was(training):
    model = Linear(latents=2).train(training)
    model.norm.eval()
    model.net.bias.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    model.sample(3, generator=gen())
    model.log_likelihood(Batch(images(1)), effort="fast/2", generator=gen())
    assert all(not mode and not learns for mode, _, learns, _ in model.asked)
    assert not model.asked[0][1], "samples need no gradient"
    assert (model.training, model.norm.training) == (training, False)
    assert model.net.weight.requires_grad
    assert not model.net.bias.requires_grad
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_the_model_comes_back_even_when_the_block_fails():
    model = Linear().train()
    with pytest.raises(RuntimeError), frozen(model):
        raise RuntimeError
    assert model.training
    assert model.net.weight.requires_grad


def test_samples_are_decoded_noise_rounded_and_kept_in_range():
    model = Linear(latents=3).eval()
    drawn = model.sample(CHUNK + 50, generator=gen(4))
    assert (drawn.shape, drawn.dtype) == ((CHUNK + 50, 1, 2, 2), torch.uint8)
    source = gen(4)
    u = torch.cat([normal((CHUNK, 3), source), normal((50, 3), source)])
    wanted = model.decode(u, Batch(images(1))).detach().round().clamp(0, 16)
    assert torch.equal(drawn.float(), wanted)
    assert int(drawn.max()) == 16
    assert int(drawn.min()) == 0
    assert torch.equal(drawn, model.sample(CHUNK + 50, generator=gen(4)))
    assert not torch.equal(drawn, model.sample(CHUNK + 50, generator=gen(5)))
    assert model.sample(0, generator=gen()).shape == (0, 1, 2, 2)


def test_labels_not_given_follow_the_training_frequencies():
    model = Labelled()
    spec, labels = model.spec, torch.tensor([0] * 6 + [1] * 2 + [3] * 2 + [-1] * 5)
    train = Split(images(15, spec), labels)
    model.finish(Splits(train, Split(images(8, spec), torch.arange(8) % 4)), gen())
    torch.testing.assert_close(model.frequencies, torch.tensor([0.6, 0.2, 0.0, 0.2], dtype=torch.float64))
    drawn = model.sample(3_000, generator=gen(1))[:, 0, 0, 0].long()
    shares = torch.bincount(drawn, minlength=4) / 3_000
    torch.testing.assert_close(shares, torch.tensor([0.6, 0.2, 0.0, 0.2]), rtol=0, atol=0.03)


def test_conditions_are_followed_in_order():
    labels = torch.tensor([3, 0, 2])
    assert Labelled().sample(3, labels=labels, generator=gen())[:, 0, 0, 0].tolist() == [3, 0, 2]
    sources = images(CHUNK + 9) * 15
    drawn = Sourced().sample(CHUNK + 9, sources=sources, generator=gen())
    assert torch.equal(drawn, (sources / 16).round().to(torch.uint8))


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (Labelled, {"labels": torch.tensor([0, 4])}, "labels run from 0 to 4: give 0 to 3"),
        (Labelled, {"labels": torch.tensor([0, -1])}, "labels run from -1"),
        (Labelled, {"labels": torch.tensor([0])}, "labels: 1 for 2 samples"),
        (Labelled, {"sources": images(2)}, "sources: this model takes label"),
        (Sourced, {}, "sources: this model needs one for each of the 2 samples"),
        (Sourced, {"sources": images(3)}, "sources: 3 for 2"),
        (Linear, {"labels": torch.tensor([0, 1])}, "takes no condition"),
    ],
)
def test_conditions_that_do_not_fit_are_refused(model, options, message):
    with pytest.raises(ValueError, match=message):
        model().sample(2, generator=gen(), **options)


def test_bad_questions_are_refused():
    with pytest.raises(ValueError, match="effort='slow'"):
        Linear().log_likelihood(Batch(images(1)), effort="slow", generator=gen())
    with pytest.raises(ValueError, match="draws=0"):
        Linear().log_likelihood(Batch(images(1)), draws=0, generator=gen())


def test_sigma_is_the_residual_that_no_noise_removes():
    model = Linear(latents=2).eval()
    reach = torch.cat([model.net.weight, torch.zeros(4, 0)], 1).detach().double()
    u = 0.5 * normal((64, 2), gen(3))
    inside = model.decode(u, Batch(images(1))).detach()
    q, _ = torch.linalg.qr(reach, mode="complete")
    off = (q[:, 2] * 2.0).float().view(1, 2, 2)  # across what the decoder reaches: 4 levels² in 4 pixels
    assert float((inside + off).min()) > 0
    assert float((inside + off).max()) < 16
    target = inside + off

    class Reals(Split):
        pass

    model.finish(Splits(Split(images(4)), Reals(target)), gen())
    assert float(model.variance) == pytest.approx(1.0, rel=0.02)
    model.finish(Splits(Split(images(4)), Reals(inside)), gen())
    assert float(model.variance) < 0.05
    assert float(model.variance) >= LEAST_SIGMA**2


def test_sigma_of_a_decoder_without_gradient_is_that_of_its_draws():
    class Steps(Linear):
        def decode(self, u, given):
            return torch.where(u > 0, 4.0, 10.0).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)

    model = Steps()
    model.finish(Splits(Split(images(4)), Split(torch.full((64, 1, 2, 2), 4, dtype=torch.uint8))), gen())
    assert float(model.variance) == pytest.approx(36 / 4, abs=5), "the best of two draws misses in a quarter of cases"


def test_variance_and_frequencies_are_saved():
    assert {"variance", "frequencies"} <= set(Labelled().state_dict())


def test_an_answer_without_a_gradient_goes_by_another_name():
    class Steps(Linear):
        def decode(self, u, given):
            return super().decode((u > 0).to(u.dtype), given)

    batch = Batch(images(2))
    assert Linear().log_likelihood(batch, effort="fast/2", generator=gen()).method == "ais"
    assert Steps().log_likelihood(batch, effort="fast/2", generator=gen()).method == "ais without gradient"


# A hidden category: samples draw it, the likelihood is the mean over its values.


def decoded(model, category, u):
    """What a model decodes under one category, float64, by a copy of its formula."""
    net = model.net.double()
    moved = (u / math.sqrt(1 + model.norm.eps)) @ net.weight.T
    images = (net.bias - 6 + model.step * category + (category + 1) * moved / 3).detach()
    model.net.float()
    return images.view(-1, 1, *model.spec.shape)


@pytest.mark.parametrize("draws", [1, 3])
def test_a_hidden_category_of_constants_is_their_mixture(draws):
    model, batch = fixed(5.0, Hidden, categories=4), Batch(images(6))
    with torch.no_grad():
        model.net.weight.zero_()
    means = torch.cat([decoded(model, k, torch.zeros(1, 1, dtype=torch.float64)) for k in range(4)])
    each = discretised_gaussian(batch.images, means, math.sqrt(5.0), 17).sum((2, 3, 4))  # (categories, images)
    wanted = each.exp().mean(0).log()
    answer = model.log_likelihood(batch, draws=draws, effort="fast/2", generator=gen())
    torch.testing.assert_close(answer.nats, wanted, rtol=1e-5, atol=0)
    assert float((wanted - each.amax(0)).min()) < -1, "one category alone would not do"
    assert (answer.draws, answer.given) == (draws, ())


def test_a_hidden_category_of_linear_decoders_agrees_with_quadrature():
    model = fixed(2.0, Hidden, categories=2)
    batch = Batch(torch.tensor([[4, 3, 1, 6], [9, 8, 6, 11], [6, 5, 3, 8]], dtype=torch.uint8).view(3, 1, 2, 2))
    grid = torch.linspace(-8, 8, 20_001, dtype=torch.float64)[:, None]
    prior = (-grid.square() / 2 - math.log(2 * math.pi) / 2).expand(-1, 3)
    each = []
    for k in range(2):
        logs = discretised_gaussian(batch.images, decoded(model, k, grid), math.sqrt(2.0), 17).sum((2, 3, 4))
        each.append(torch.logsumexp(logs + prior, 0) + math.log(16 / 20_000))
    exact = torch.stack(each).exp().mean(0).log()
    answer = model.log_likelihood(batch, draws=40, generator=gen(1))
    torch.testing.assert_close(answer.nats, exact, rtol=0, atol=0.15)


def test_every_image_is_judged_under_every_category_equally_often():
    model, batch = fixed(5.0, Hidden, categories=3), Batch(images(4))
    model.log_likelihood(batch, draws=2, effort="fast/2", generator=gen())
    piloted, judged = model.asked[0][3], model.asked[-1][3]
    for image in batch.images:
        for asked, each in ((piloted, 1), (judged, 2)):
            rows = (asked.images == image).flatten(1).all(1)
            assert torch.bincount(asked.fields["category"][rows]).tolist() == [each] * 3


def test_samples_draw_each_category_equally_often_and_by_the_generator_alone():
    model = fixed(1.0, Hidden, categories=4)
    torch.manual_seed(1)
    first = model.sample(4_000, generator=gen(2))
    counts = torch.bincount(torch.cat(model.seen), minlength=4)
    assert ((counts - 1_000).abs() < 100).all(), counts  # 3.7 standard deviations
    state = torch.get_rng_state()
    torch.manual_seed(5)
    assert torch.equal(first, model.sample(4_000, generator=gen(2)))
    assert not torch.equal(first, model.sample(4_000, generator=gen(3)))
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())


def test_a_sample_is_decoded_under_the_category_that_it_drew():
    model = fixed(1.0, Hidden, categories=3, step=5.0)
    with torch.no_grad():
        model.net.weight.zero_()
    means = torch.cat([decoded(model, k, torch.zeros(1, 1, dtype=torch.float64)) for k in range(3)])[:, 0]
    drawn, levels = model.sample(30, generator=gen()), means.round().clamp(0, 16).to(torch.uint8)
    assert torch.equal(drawn, levels[torch.cat(model.seen)])
    assert len(drawn.unique(dim=0)) == 3


def test_a_hidden_category_is_no_condition():
    with pytest.raises(ValueError, match="takes no condition"):
        Hidden().sample(2, fields={"category": torch.tensor([0, 1])}, generator=gen())


def test_sigma_is_searched_for_under_every_category():
    model = fixed(1.0, Hidden, categories=5, step=3.0)
    with torch.no_grad():
        model.net.weight.zero_()
        model.net.bias.fill_(7.0)
    shown = torch.tensor([[1], [4], [7], [10], [13]], dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 1, 2, 2)
    model.finish(Splits(Split(images(4)), Split(shown)), gen())
    assert float(model.variance) == pytest.approx(LEAST_SIGMA**2)


def test_without_a_category_nothing_more_is_drawn_and_rows_stand_as_they_did():
    model, batch, source = Linear(latents=2), Batch(images(3)), gen(6)
    assert model.hidden(batch, source) is batch
    assert torch.equal(source.get_state(), gen(6).get_state())
    seen = []
    model.net.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().clone()))

    def first(act):
        seen.clear()
        model.asked.clear()
        act()
        return seen[0] * math.sqrt(1 + model.norm.eps), model.asked[0][3].images

    u, judged = first(lambda: model.log_likelihood(batch, draws=2, effort="fast/2", generator=gen(7)))
    torch.testing.assert_close(u, normal((3, 2), gen(7)))
    assert torch.equal(judged, batch.images), "a pilot goes first"
    assert torch.equal(model.asked[-1][3].images, batch.images.repeat_interleave(2, 0))
    u, judged = first(lambda: model.finish(Splits(Split(images(4)), Split(batch.images)), gen(7)))
    torch.testing.assert_close(u, normal((6, 2), gen(7)))
    assert torch.equal(judged, batch.images.repeat(2, 1, 1, 1))
