import math

import pytest
import torch

from genbench import LogLikelihood, spec
from genbench.interface import GenerativeModel
from genbench.weights import effective, log_mean_exp


def test_types_of_data_are_had_from_the_interface_as_they_ever_were():
    from genbench.interface import Batch, DataSpec, Field, Split, Splits

    assert (Batch, DataSpec, Field, Split, Splits) == (spec.Batch, spec.DataSpec, spec.Field, spec.Split, spec.Splits)


class Blank(GenerativeModel):
    def draw(self, given, generator):
        raise AssertionError("there is nothing to draw")


SPEC = spec.DataSpec((3, 2, 4), classes=5, source=(1, 2, 2), fields={"caption": spec.Field((), 3)})


def noise():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("given", [(), ("label",), ("source",), ("label", "source", "caption")])
def test_no_samples_are_an_empty_batch_whatever_a_model_is_given(given):
    source = torch.zeros(0, 1, 2, 2, dtype=torch.uint8) if "source" in given else None
    fields = {"caption": torch.zeros(0, dtype=torch.int64)} if "caption" in given else None
    images = Blank(SPEC, given).sample(0, sources=source, fields=fields, generator=noise())
    assert images.dtype == torch.uint8
    assert images.shape == (0, 3, 2, 4)


LABELS = torch.zeros(4, dtype=torch.int64)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"fields": {"label": LABELS}}, "fields: 'label' is no field; give labels= instead"),
        ({"fields": {"source": LABELS}, "labels": LABELS}, "fields: 'source' is no field; give sources= instead"),
        ({"fields": {"category": LABELS}}, "fields: 'category' is no field; leave it out"),
        ({"labels": [0, 1, 2, 3]}, "labels: a list; give a tensor"),
        ({"labels": LABELS.numpy()}, "labels: a ndarray; give a tensor"),
        ({"labels": torch.tensor(1)}, "labels: a single number; give a tensor"),
        ({"labels": LABELS[:, None]}, r"labels have shape \(4, 1\): give \(4,\)"),
    ],
)
def test_conditions_of_another_kind_or_in_anothers_place_are_refused_in_one_line(told, said):
    with pytest.raises(ValueError, match=f"^{said}") as caught:
        Blank(SPEC, ("label",)).sample(4, generator=noise(), **told)
    assert "\n" not in str(caught.value)


def logs(*weights):
    return torch.tensor(weights, dtype=torch.float64).log()[:, None]


@pytest.mark.parametrize(
    ("weights", "worth"),
    [((1, 1, 1, 1), 4), ((5, 0, 0, 0), 1), ((3, 1), 1.6), ((1, 2, 3), 36 / 14), ((0, 0), 0), ((2, 2, 0), 2)],
    ids=str,
)
def test_the_effective_sample_size_by_hand(weights, worth):
    assert float(effective(logs(*weights), 0)) == pytest.approx(worth)


def test_neither_the_scale_of_weights_nor_their_order_matters_to_it():
    weights = torch.randn(2, 9, dtype=torch.float64).cumsum(1)
    found = effective(weights, 1)
    torch.testing.assert_close(found, effective(weights.flip(1) - 4_000, 1))
    assert ((found > 1) & (found < 9)).all()


def test_the_mean_of_weights_that_no_number_holds():
    weights = torch.tensor([-5_000.0, -5_000.0 + math.log(3.0)], dtype=torch.float64)
    assert float(log_mean_exp(weights, 0)) == pytest.approx(-5_000 + math.log(2))


def test_an_answer_of_weights_has_their_mean_their_count_and_their_worth_image_by_image():
    weights = torch.cat([logs(3, 1), logs(2, 2)], 1)
    answer = LogLikelihood.of_weights(weights, "bound", ("label",), "iwae", "added")
    torch.testing.assert_close(answer.nats, torch.tensor([2.0, 2.0], dtype=torch.float64).log())
    torch.testing.assert_close(answer.ess, torch.tensor([1.6, 2.0], dtype=torch.float64))
    assert (answer.kind, answer.given, answer.method) == ("bound", ("label",), "iwae")
    assert (answer.observation, answer.draws) == ("added", 2)


def test_a_single_weight_has_no_worth_to_speak_of():
    answer = LogLikelihood.of_weights(logs(3), "bound")
    assert answer.ess is None
    assert answer.draws == 1
    assert float(answer.nats) == pytest.approx(math.log(3))
