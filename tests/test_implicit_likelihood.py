"""An implicit model's likelihood, by annealing."""

import math

import pytest
import torch

from genbench import Batch, DataSpec
from genbench.likelihood.laplace import STARTS
from genbench.likelihood.observation import discretised_gaussian
from tests.decoders import Hidden, Labelled, Linear, Sourced, decoded, fixed, gen, images


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


def test_draws_are_the_log_mean_exp_of_that_many_weights(monkeypatch):
    import genbench.likelihood.bidirectional as module

    # Two images, two draws each; then as many chains from the prior, which find nothing.
    weights = torch.tensor([0.0, math.log(3.0), -5.0, -5.0, *[-torch.inf] * 4], dtype=torch.float64)
    shares = torch.tensor([0.5, 0.7, 0.1, 0.2, 0.6, 0.6, 0.3, 0.2])
    sizes = torch.tensor([0.1, 0.4, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2])
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
    half = math.log(2)  # the prior's weights count as much
    torch.testing.assert_close(answer.nats, torch.tensor([math.log(2.0) - half, -5.0 - half], dtype=torch.float64))
    torch.testing.assert_close(answer.ess, torch.tensor([1.6, 2.0], dtype=torch.float64))
    torch.testing.assert_close(answer.acceptance, torch.tensor([0.6, 0.2], dtype=torch.float64))
    torch.testing.assert_close(answer.step_size, torch.tensor([0.2, 0.2], dtype=torch.float64))
    assert seen == [(8, 500, 10, (3, 8))]
    assert piloted == [(4, 125, 10)], "one chain an image and path"


def test_bad_questions_are_refused():
    with pytest.raises(ValueError, match="effort='slow'"):
        Linear().log_likelihood(Batch(images(1)), effort="slow", generator=gen())
    with pytest.raises(ValueError, match="draws=0"):
        Linear().log_likelihood(Batch(images(1)), draws=0, generator=gen())


def test_an_answer_without_a_gradient_goes_by_another_name():
    class Steps(Linear):
        def decode(self, u, given):
            return super().decode((u > 0).to(u.dtype), given)

    batch = Batch(images(2))
    assert Linear().log_likelihood(batch, effort="fast/2", generator=gen()).method == "ais"
    assert Steps().log_likelihood(batch, effort="fast/2", generator=gen()).method == "ais without gradient"


# A hidden category: the likelihood is the mean over its values.


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
    piloted, judged = model.asked[12][3], model.asked[-1][3]  # behind the draws for each of 4 images × 3
    for image in batch.images:
        for asked, each in ((piloted, STARTS), (judged, 4)):  # starts; from the approximation, and from the prior
            rows = (asked.images == image).flatten(1).all(1)
            assert torch.bincount(asked.fields["category"][rows]).tolist() == [each] * 3
