import math

import pytest
import torch

from genbench.interface import GenerativeModel, LogLikelihood
from genbench.likelihood.nll import bits_per_dim, nll, uniform_bpd
from genbench.spec import Batch, DataSpec, Split
from genbench.stats import spread

SPEC = DataSpec((1, 2, 2), 256)


class Told(GenerativeModel):
    """Answers with given nats: image i's are at i, its pixel."""

    def __init__(self, nats, **how):
        super().__init__(SPEC)
        self.nats, self.how, self.calls = torch.tensor(nats, dtype=torch.float64), {"kind": "exact", **how}, []

    def log_likelihood(self, batch, *, draws=1, effort="fast", generator=None):
        self.calls.append((batch, draws, effort, generator, self.training, torch.is_grad_enabled()))
        return LogLikelihood(self.nats[batch.images[:, 0, 0, 0].long()], draws=draws, **self.how)


def split(count):
    images = torch.arange(count, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return Split(images, labels=torch.arange(count), sources=images.flip(0))


def measured(model, count, **options):
    return nll(model, split(count), **{"dimensions": 4, "generator": None, **options})


def test_a_fair_coin_on_28_by_28_pixels_is_543_nats_and_one_bit():
    nats = torch.tensor([-784 * math.log(2)])
    assert float(nats) == pytest.approx(-543.4, abs=0.05)
    assert float(bits_per_dim(nats, 784)) == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_the_uniform_model_scores_log2_of_its_levels(levels):
    assert uniform_bpd(levels) == math.log2(levels)
    nats = torch.full((3,), -4 * math.log(levels), dtype=torch.float64)
    assert measured(Told(nats.tolist()), 3).bpd == pytest.approx(uniform_bpd(levels), abs=1e-14)


def test_bits_keep_double_precision():
    assert bits_per_dim(torch.tensor([-1.0]), 1).dtype == torch.float64


def test_mean_and_standard_error_by_hand():
    bit = 4 * math.log(2)
    result = measured(Told([-1 * bit, -2 * bit, -6 * bit]), 3)
    assert result.per_image == pytest.approx([1, 2, 6])
    assert result.bpd == pytest.approx(3)
    assert result.standard_error == pytest.approx(math.sqrt(7 / 3))  # s² = (4 + 1 + 9) / 2
    assert result.images == 3


def test_one_image_has_no_standard_error():
    assert measured(Told([-1.0]), 1).standard_error is None


def test_batches_change_nothing_and_carry_what_belongs_to_each_image():
    nats = [-float(i) for i in range(7)]
    whole, parts = Told(nats), Told(nats)
    assert measured(whole, 7) == measured(parts, 7, batch_size=3)
    assert [len(call[0]) for call in parts.calls] == [3, 3, 1]
    last = parts.calls[-1][0]
    assert isinstance(last, Batch)
    assert int(last.labels[0]) == int(last.images[0, 0, 0, 0]) == 6
    assert int(last.sources[0, 0, 0, 0]) == 0


def test_options_and_generator_reach_the_model_in_evaluation_mode_without_gradients():
    noise, model = torch.Generator(), Told([0.0, 0.0], method="iwae")
    model.held = torch.nn.Identity()
    model.train().held.eval()
    result = measured(model, 2, draws=5, effort="full", generator=noise)
    (_, draws, effort, passed, training, grad) = model.calls[0]
    assert (draws, effort, training, grad) == (5, "full", False, False)
    assert passed is noise
    assert (model.training, model.held.training) == (True, False), "as each part was"
    assert (result.draws, result.method) == (5, "iwae")


def test_a_model_that_needs_gradients_inside_can_have_them():
    class Inner(Told):
        def log_likelihood(self, batch, **_):
            with torch.enable_grad():
                u = torch.ones(len(batch), requires_grad=True)
                (slope,) = torch.autograd.grad((u**2).sum(), u)
            return LogLikelihood(-slope.double(), "estimate")

    assert measured(Inner([]), 3).bpd == pytest.approx(2 / (4 * math.log(2)))


def test_the_mode_comes_back_when_the_model_fails():
    model = Told([])
    model.train()
    with pytest.raises(IndexError):
        measured(model, 1)
    assert model.training


def test_an_impossible_image_costs_infinitely_many_bits():
    result = measured(Told([-1.0, -math.inf, -1.0]), 3)
    assert result.bpd == math.inf
    assert result.standard_error is None
    assert result.images == len(result.per_image) == 3


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_no_image_is_dropped_for_a_likelihood_that_is_none(wrong):
    with pytest.raises(ValueError, match="1 of 3 images"):
        measured(Told([-1.0, wrong, -1.0]), 3)


def test_how_it_was_computed_stands_beside_it():
    result = measured(Told([-1.0], kind="estimate", given=("source",), method="ais", observation="added"), 1)
    assert (result.kind, result.given, result.method, result.observation) == ("estimate", ("source",), "ais", "added")


def test_halves_that_were_computed_differently_are_not_averaged():
    class Two(Told):
        def log_likelihood(self, batch, **_):
            kind = "exact" if int(batch.images[0, 0, 0, 0]) == 0 else "bound"
            return LogLikelihood(torch.zeros(len(batch)).double(), kind)

    with pytest.raises(ValueError, match="2 ways"):
        measured(Two([]), 4, batch_size=2)


def test_one_number_for_many_images_is_refused():
    class Summed(Told):
        def log_likelihood(self, batch, **_):
            return LogLikelihood(torch.zeros(1).double(), "exact")

    with pytest.raises(ValueError, match="one number an image"):
        measured(Summed([]), 4)


def test_a_limit_takes_images_of_every_class_from_a_sorted_split():
    labels = torch.arange(1000) // 100
    assert labels[spread(1000, 10)].tolist() == list(range(10))
    assert spread(5, 9).tolist() == spread(5, None).tolist() == [0, 1, 2, 3, 4]
    assert measured(Told([-1.0] * 9), 9, limit=4).images == 4


@pytest.mark.parametrize(
    ("count", "options", "words"),
    [(3, {"limit": 0}, "limit=0"), (3, {"batch_size": 0}, "batch_size=0"), (0, {}, "no images")],
)
def test_bad_numbers_are_refused_by_name(count, options, words):
    with pytest.raises(ValueError, match=words):
        measured(Told([-1.0] * 3), count, **options)
