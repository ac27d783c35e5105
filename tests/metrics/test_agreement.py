import math

import pytest
import torch

from genbench.metrics import agreement as module


def agreement(probabilities, labels=None):
    return module.agreement(probabilities, labels, accuracy=0.9)


def test_four_looks_by_hand():
    probabilities = torch.tensor([[1.0, 0], [0.5, 0.5], [0.25, 0.75], [0, 1]])
    looks = agreement(probabilities, torch.tensor([0, 1, 1, 0]))
    quarter = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    mean = (1 + 0.5 + 0.25) / 4
    assert looks.agreement == 0.5  # ties go to the lower class
    assert looks.standard_error == pytest.approx(math.sqrt(4 * 0.5**2 / 3 / 4))
    assert looks.confidence == pytest.approx((1 + 0.5 + 0.75 + 1) / 4)
    assert looks.entropy == pytest.approx((0 + 1 + quarter + 0) / 4)
    assert looks.class_entropy == pytest.approx(-(mean * math.log2(mean) + (1 - mean) * math.log2(1 - mean)))
    assert looks.accuracy == 0.9, "the judge's own"


def test_sure_and_even_predictions_have_the_extreme_entropies():
    even = agreement(torch.eye(10).repeat(3, 1))
    assert (even.entropy, even.class_entropy) == (0, pytest.approx(math.log2(10)))
    collapsed = agreement(torch.eye(10)[[4] * 30])
    assert (collapsed.entropy, collapsed.class_entropy) == (0, 0)


def test_without_labels_that_were_asked_for_there_is_no_agreement():
    probabilities = torch.eye(2)
    assert agreement(probabilities).agreement is None
    assert agreement(probabilities).standard_error is None
    assert agreement(probabilities, torch.tensor([-1, -1])).agreement is None
    one = agreement(probabilities, torch.tensor([-1, 1]))
    assert (one.agreement, one.standard_error) == (1, None)


def test_none_and_unequal_numbers_are_refused():
    with pytest.raises(ValueError, match="0 samples"):
        agreement(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="labels: 1 for 2"):
        agreement(torch.eye(2), torch.tensor([1]))
