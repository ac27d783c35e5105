"""An implicit model's samples and its σ, and that asking leaves it as it was."""

import math

import pytest
import torch

from genbench import Batch, DataSpec, Split, Splits
from genbench.implicit import CHUNK, LEAST_SIGMA, ImplicitModel, search
from genbench.interface import frozen
from genbench.likelihood.laplace import DRAWS, STARTS
from genbench.seed import normal
from tests.decoders import Hidden, Labelled, Linear, Sourced, decoded, fixed, gen, images


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


def test_sigma_stays_where_noise_of_every_pixels_own_is_held_by_the_prior():
    class Noisy(ImplicitModel):
        def decode(self, u, given):
            return 100 + u.view(-1, 1, 4, 4)  # one level a pixel

    model = Noisy(DataSpec((1, 4, 4)), 16)
    target = 100 + 3 * normal((64, 1, 4, 4), gen(3))
    found = search(model, Batch(target), gen()).mean()
    spread = float((target - 100).square().mean())
    # u = (x - 100) / (1 + σ²), so that σ = e σ² / (1 + σ²): the larger root of σ² - e σ + 1.
    sigma = (spread**0.5 + (spread - 4) ** 0.5) / 2
    assert float(found) == pytest.approx(sigma**2, rel=0.01)


def test_sigma_of_a_decoder_without_gradient_is_that_of_its_draws():
    class Steps(Linear):
        def decode(self, u, given):
            return torch.where(u > 0, 4.0, 10.0).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)

    model = Steps()
    model.finish(Splits(Split(images(4)), Split(torch.full((64, 1, 2, 2), 4, dtype=torch.uint8))), gen())
    assert float(model.variance) == pytest.approx(36 / 4, abs=5), "the best of two draws misses in a quarter of cases"


def test_variance_and_frequencies_are_saved():
    assert {"variance", "frequencies"} <= set(Labelled().state_dict())


# A hidden category: samples draw it.


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
    with pytest.raises(ValueError, match="'category' is no field; leave it out"):
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
    torch.testing.assert_close(u, normal((DRAWS, 2), gen(7)))
    assert torch.equal(judged, batch.images[:1].expand(DRAWS, -1, -1, -1)), "draws to begin a search from go first"
    assert torch.equal(model.asked[3][3].images, batch.images.repeat(STARTS, 1, 1, 1)), "then the likeliest of each"
    assert torch.equal(model.asked[-1][3].images, batch.images.repeat_interleave(2, 0).repeat(2, 1, 1, 1))
    u, judged = first(lambda: model.finish(Splits(Split(images(4)), Split(batch.images)), gen(7)))
    torch.testing.assert_close(u, normal((6, 2), gen(7)))
    assert torch.equal(judged, batch.images.repeat(2, 1, 1, 1))
