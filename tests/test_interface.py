import math

import pytest
import torch

from genbench import LogLikelihood
from genbench.interface import effective, log_mean_exp


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
